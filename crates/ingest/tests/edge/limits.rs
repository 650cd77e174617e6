//! What is answered when a limit is reached.

use std::time::{Duration, Instant};

use ingest::{ServerLimits, WebhookLimits};
use ledger::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Choice, PROD_TOKEN, World, event_list, events};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_cap_is_413() {
    let webhook = WebhookLimits { body_bytes_max: 10_000, ..WebhookLimits::default() };
    let world = World::start(Choice { webhook, ..Choice::default() }).await;
    let large = event_list(&events(0..100));
    let bomb = zstd::encode_all(&vec![b' '; 1 << 20][..], 19).unwrap();
    assert!(bomb.len() < 10_000);
    for http in ["1", "2"] {
        let client = match http {
            "1" => world.bare_client().http1_only(),
            _ => world.bare_client(),
        };
        let client = client.build().unwrap();
        let post = || client.post(world.url("/")).bearer_auth(PROD_TOKEN);
        assert_eq!(post().body(large.clone()).send().await.unwrap().status(), 413);
        let packed = post().header("content-encoding", "zstd").body(bomb.clone());
        assert_eq!(packed.send().await.unwrap().status(), 413);
        assert_eq!(post().body(event_list(&events(0..2))).send().await.unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_methods_and_encodings_are_plain_refusals() {
    let world = World::start(Choice::default()).await;
    let client = world.client();
    for path in ["/audit/", "/v1/audit/prod/", "/other", "//", "/audit/a/b"] {
        let response = client.post(world.url(path)).body("{}").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers().get("location")), (404, None), "{path}");
    }
    assert_eq!(client.get(world.url("/audit/prod")).send().await.unwrap().status(), 405);
    assert_eq!(client.get(world.url("/healthz")).send().await.unwrap().text().await.unwrap(), "ok\n");
    let odd = |encoding| client.post(world.url("/")).header("content-encoding", encoding).body("{}");
    assert_eq!(odd("br").send().await.unwrap().status(), 415);
    assert_eq!(odd("gzip").send().await.unwrap().status(), 400);
    assert!(world.entries().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_503_with_retry_after() {
    // A group may wait long for company, so the first batch stays in the queue while the second one comes.
    let ledger = Options {
        group_wait_max: Duration::from_secs(2),
        pending_entries_max: 100,
        free_bytes_min: 0,
        ..Options::default()
    };
    let world = World::start(Choice { ledger, ..Choice::default() }).await;
    let client = world.client();
    let post = |numbers| client.post(world.url("/")).body(event_list(&events(numbers))).send();
    post(0..1).await.unwrap();
    let first = tokio::spawn(post(100..190));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let second = post(200..290).await.unwrap();
    assert_eq!((second.status().as_u16(), &second.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(post(200..290).await.unwrap().status(), 200);
    assert_eq!(world.entries().len(), 181);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_shared_and_given_back() {
    let world = World::start(Choice { memory: 256 << 10, ..Choice::default() }).await;
    let mut slow = world.http1_connection().await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {PROD_TOKEN}\r\ncontent-length: 200000\r\n\r\n["
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let post = || world.client().post(world.url("/")).body(event_list(&events(0..100))).send();
    assert_eq!(post().await.unwrap().status(), 503);
    drop(slow);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(post().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_given_up() {
    let webhook = WebhookLimits { body_idle_max: Duration::from_millis(300), ..WebhookLimits::default() };
    let server = ServerLimits {
        handshake_time_max: Duration::from_millis(300),
        header_time_max: Duration::from_millis(300),
        ..ServerLimits::default()
    };
    let world = World::start(Choice { webhook, server, ..Choice::default() }).await;
    let started = Instant::now();
    let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    assert_eq!(silent.read(&mut [0; 100]).await.unwrap_or(0), 0, "no handshake");

    let mut slow_head = world.http1_connection().await;
    slow_head.write_all(b"POST / HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    let _ = slow_head.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "no header");

    let mut slow_body = world.http1_connection().await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {PROD_TOKEN}\r\ncontent-length: 10\r\n\r\n["
    );
    slow_body.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    slow_body.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_headers_are_bounded() {
    let server = ServerLimits { connections_max: 2, ..ServerLimits::default() };
    let world = World::start(Choice { server, ..Choice::default() }).await;
    let first = world.http1_connection().await;
    let _second = world.http1_connection().await;
    let mut third = tokio::net::TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    assert_eq!(third.read(&mut [0; 100]).await.unwrap_or(0), 0);
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let large = "x".repeat(200 << 10);
    let response = world.client().post(world.url("/")).header("x-large", large).body("{}").send().await;
    assert!(response.map_or(true, |response| response.status() == 431));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_streams_through_little_memory() {
    let world = World::start(Choice { memory: 24 << 20, ..Choice::default() }).await;
    let body = event_list(&events(0..100_000));
    assert!(body.len() > 60 << 20);
    let response = world.client().post(world.url("/")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(world.ledger.stats().entries, 100_000);
}

impl World {
    /// A TLS connection that speaks HTTP/1.1, to be used by hand.
    async fn http1_connection(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(&self.authority()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await.unwrap()
    }
}
