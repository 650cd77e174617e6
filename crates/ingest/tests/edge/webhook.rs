//! What is acknowledged is in the log, byte for byte.

use std::io::Write;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::channel::Channel;
use ingest::Openness;
use reqwest::Body;
use testkit::{ApiServer, Report, WebhookOptions};

use crate::world::{Choice, PROD_TOKEN, World, event_list, events, open_ledger};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_acknowledged_when_it_is_in_the_log() {
    let world = World::start(Choice::default()).await;
    let sent = events(0..400);
    let response = world.client().post(world.url("/")).body(event_list(&sent)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{\"entries\":400,\"duplicates\":0,\"quarantined\":0}\n");
    let kept: Vec<_> = world.entries().into_iter().map(|(cluster, bytes)| (cluster == "prod", bytes)).collect();
    assert_eq!(kept, sent.iter().map(|event| (true, event.clone())).collect::<Vec<_>>());

    // The API server sends a batch again when our answer is lost on the way.
    let again = world.client().post(world.url("/")).body(event_list(&sent)).send().await.unwrap();
    assert_eq!(again.text().await.unwrap(), "{\"entries\":400,\"duplicates\":400,\"quarantined\":0}\n");
    assert_eq!(world.entries().len(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_and_encoding_is_taken() {
    let world = World::start(Choice::default()).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&event_list(&events(10..20))).unwrap();
    let http1 = world.bare_client().http1_only().build().unwrap();
    let http2 = world.bare_client().http2_prior_knowledge().build().unwrap();
    for (client, encoding, body) in [
        (&http1, "identity", event_list(&events(0..10))),
        (&http2, "gzip", gzip.finish().unwrap()),
        (&http2, "zstd", zstd::encode_all(&event_list(&events(20..30))[..], 3).unwrap()),
    ] {
        let request = client.post(world.url("/v1/audit/ignored")).bearer_auth(PROD_TOKEN);
        // A stream has no length, so it is sent in chunks.
        let (mut sender, stream) = Channel::<Bytes>::new(1);
        let response = tokio::spawn(request.header("content-encoding", encoding).body(Body::wrap(stream)).send());
        for chunk in body.chunks(1_000) {
            sender.send_data(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        drop(sender);
        let response = response.await.unwrap().unwrap();
        assert_eq!(response.status(), 200, "{encoding}");
    }
    let kept: Vec<_> = world.entries().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(kept, events(0..30));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_kept_and_acknowledged() {
    let world = World::start(Choice::default()).await;
    let mut body = b"this is not JSON\n".to_vec();
    body.extend(testkit::event(1));
    body.extend(b"\n{\"kind\":\"Pod\"}\n\xff\xfe\n{\"cut\":");
    let response = world.client().post(world.url("/")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "{\"entries\":5,\"duplicates\":0,\"quarantined\":4}\n");
    let kept: Vec<_> = world.entries().into_iter().map(|(_, bytes)| bytes).collect();
    let expected: [&[u8]; 5] =
        [b"this is not JSON", &testkit::event(1), b"{\"kind\":\"Pod\"}", b"\xff\xfe", b"{\"cut\":"];
    assert_eq!(kept, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_names_the_cluster_when_the_credential_does_not() {
    let world = World::start(Choice { open: Openness::Anyone, ..Choice::default() }).await;
    let client = world.bare_client().build().unwrap();
    for (path, number) in [("/audit/eu-1", 1), ("/v1/audit/eu-2?timeout=30s", 2), ("/", 3)] {
        let response = client.post(world.url(path)).body(event_list(&events(number..number + 1))).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let response = client.post(world.url("/audit/eu-1")).bearer_auth(PROD_TOKEN).body(testkit::event(4)).send().await;
    assert_eq!(response.unwrap().status(), 200);
    let clusters: Vec<_> = world.entries().into_iter().map(|(cluster, _)| cluster).collect();
    assert_eq!(clusters, ["eu-1", "eu-2", "default", "prod"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_servers_own_client_loses_nothing_over_a_restart() {
    let world = World::start(Choice::default()).await;
    let (url, authority) = (world.url("/"), world.authority());
    let options =
        WebhookOptions { token: Some(PROD_TOKEN.to_owned()), authority: Some(authority), ..WebhookOptions::new(url) };
    let server = ApiServer::start(options.hurried());
    for event in events(0..20_000) {
        server.emit_patiently(event).await;
    }
    let report = server.shut_down().await;
    assert_eq!(report, Report { delivered: 20_000, posts: report.posts, ..Report::default() });
    let before = world.entries().len();
    let directory = world.stop().await;
    let ledger = open_ledger(directory.path(), ledger::Options::default());
    assert_eq!((before, crate::world::entries(&ledger).len()), (20_000, 20_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_a_request_finish() {
    let world = World::start(Choice::default()).await;
    let client = world.client();
    let url = world.url("/");
    let (mut sender, stream) = Channel::<Bytes>::new(1);
    let request = tokio::spawn(client.post(url).body(Body::wrap(stream)).send());
    sender.send_data(testkit::event(1).into()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopping = tokio::spawn(world.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    sender.send_data(testkit::event(2).into()).await.unwrap();
    drop(sender);
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
    let directory = stopping.await.unwrap();
    let ledger = open_ledger(directory.path(), ledger::Options::default());
    assert_eq!(crate::world::entries(&ledger).len(), 2);
}
