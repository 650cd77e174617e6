//! The API over a real log and a real store.

use std::ops::ControlFlow;
use std::sync::Arc;

use api::{Access, Api, Readiness, Slots};
use audit::{End, Splitter};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use host::Host;
use http_body_util::BodyExt;
use ledger::{Batch, Duplicates, Ledger, Options};
use prometheus_client::registry::Registry;
use serde_json::Value;
use store::Store;
use tlog::{Checkpoint, Hash, InclusionProof, LeafIndex, Note, TreeSize, verify_inclusion};
use tower::ServiceExt;

struct World {
    ledger: Ledger,
    store: Store,
    router: Router,
    _directory: tempfile::TempDir,
}

impl World {
    fn new(access: Access) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::system();
        let data = directory.path().join("data");
        let ledger = Ledger::open(&host, &data, Options { free_bytes_min: 0, ..Options::default() }).unwrap();
        let store = Store::open(host.disk.clone(), &data.join("store"), store::Options::default()).unwrap();
        let readiness = Readiness::default();
        readiness.ready();
        let api = Api {
            log: ledger.reader(),
            store: store.reader(),
            registry: Arc::new(Registry::with_prefix("kubewitness")),
            readiness,
            slots: Slots::default(),
            clock: host.clock.clone(),
        };
        Self { ledger, store, router: api.router(access), _directory: directory }
    }

    /// Appends text, and lets the store follow.
    fn append(&mut self, text: &[u8]) {
        let mut batch = Batch::new(Duplicates::Recognise);
        Splitter::new().split(text, End::Last, &mut |item| {
            batch.push(item.format.code(), 1_767_323_045_000_000, "prod", item.bytes).unwrap();
        });
        self.ledger.appender().submit(batch).unwrap().wait().unwrap();
        self.ledger.publish().unwrap();
        let reader = self.ledger.reader();
        let range = LeafIndex::new(self.store.next())..LeafIndex::new(reader.size().get());
        let store = &mut self.store;
        reader
            .read(range, |entry| {
                store.append([store::Arrival::from(entry)]).unwrap();
                ControlFlow::Continue(())
            })
            .unwrap();
    }

    fn append_events(&mut self, numbers: std::ops::Range<u64>) {
        let lines: Vec<Vec<u8>> = numbers.map(testkit::event).collect();
        self.append(&lines.join(&b'\n'));
    }

    async fn raw(&self, path: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.raw(path).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    async fn problem(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.raw(path).await;
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert!(problem["error"].is_string() && problem["hint"].is_string(), "{path}: {problem}");
        (status.as_u16(), problem)
    }
}

#[tokio::test]
async fn search_pages_through_everything_in_order() {
    let mut world = World::new(Access::Local);
    world.append_events(0..250);
    for order in ["newest", "oldest"] {
        let mut names = Vec::new();
        let mut path = format!("/api/v1/search?q=verb:delete&limit=99&order={order}");
        loop {
            let page = world.get(&path).await;
            assert_eq!(page["searched"], 250);
            names.extend(page["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => path = format!("/api/v1/search?q=verb:delete&limit=99&order={order}&cursor={next}"),
                None => break,
            }
        }
        let mut expected: Vec<String> = (0..250).map(|number| format!("p{number}")).collect();
        if order == "newest" {
            expected.reverse();
        }
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn a_row_has_its_stable_names_and_exact_text() {
    let mut world = World::new(Access::Local);
    world.append_events(7..8);
    let page = world.get("/api/v1/search?raw=true").await;
    let row = page["rows"][0].as_object().unwrap();
    let keys: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(keys[..query::ROW_KEYS.len()], query::ROW_KEYS);
    assert_eq!(row["raw"].as_str().unwrap().as_bytes(), testkit::event(7));
    assert_eq!((row["user"].as_str(), row["code"].as_i64()), (Some("alice"), Some(200)));
    let page = world.get("/api/v1/search?fields=code,user").await;
    assert_eq!(page["rows"][0], serde_json::json!({ "user": "alice", "code": 200 }));
}

#[tokio::test]
async fn groups_count_by_fields_and_time() {
    let mut world = World::new(Access::Local);
    world.append_events(0..10);
    let by_user = world.get("/api/v1/groups?by=user,verb&distinct=name&sum=size").await;
    let group = &by_user["groups"][0];
    assert_eq!(group["keys"], serde_json::json!(["alice", "delete"]));
    assert_eq!((&group["count"], &group["distinct"]), (&10.into(), &10.into()));
    let bytes: usize = (0..10).map(|number| testkit::event(number).len()).sum();
    assert_eq!(group["sum"], bytes);
    let by_time = world.get("/api/v1/groups?by=time:1m").await;
    assert_eq!(by_time["groups"][0]["keys"][0], "2026-01-02T03:04:00.000000Z");
}

#[tokio::test]
async fn entries_come_back_exactly_with_a_proof() {
    let mut world = World::new(Access::Local);
    world.append_events(0..5);
    world.append(b"\xff\xfe not JSON\n");
    let (status, headers, body) = world.raw("/api/v1/entries/5").await;
    assert_eq!((status.as_u16(), &body[..]), (200, &b"\xff\xfe not JSON"[..]));
    assert_eq!(headers["kubewitness-cluster"], "prod");
    assert_eq!(headers["content-type"], "application/octet-stream");

    let proof = world.get("/api/v1/entries/5/proof").await;
    let note: Note = proof["checkpoint"]["note"].as_str().unwrap().parse().unwrap();
    let checkpoint = Checkpoint::try_from(&note).unwrap();
    note.verify_any(&world.ledger.verifier_keys()).unwrap();
    let leaf: Hash = headers["kubewitness-leaf-hash"].to_str().unwrap().parse().unwrap();
    let hashes = proof["hashes"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap());
    let inclusion = InclusionProof(hashes.collect());
    verify_inclusion(&inclusion, leaf, LeafIndex::new(5), checkpoint.size, checkpoint.root).unwrap();

    for beyond in [6, u64::MAX] {
        assert_eq!(world.problem(&format!("/api/v1/entries/{beyond}")).await.0, 404);
        assert_eq!(world.problem(&format!("/api/v1/entries/{beyond}/proof")).await.0, 404);
        assert_eq!(world.problem(&format!("/api/v1/consistency?from=1&to={}", beyond.max(7))).await.0, 404);
    }
}

#[tokio::test]
async fn checkpoints_consistency_and_tiles_are_served() {
    let mut world = World::new(Access::Local);
    assert_eq!(world.problem("/api/v1/checkpoint").await.0, 404);
    world.append_events(0..300);
    let newest = world.get("/api/v1/checkpoint").await;
    assert_eq!(newest["size"], 300);
    let (_, _, note) = world.raw("/checkpoint").await;
    assert_eq!(newest["note"].as_str().unwrap().as_bytes(), &note[..]);
    let consistency = world.get("/api/v1/consistency?from=100").await;
    assert_eq!((&consistency["to"], &consistency["to_root"]), (&300.into(), &newest["root"]));
    assert_eq!(world.problem("/api/v1/consistency?from=5&to=4").await.0, 400);
    assert_eq!(world.problem("/api/v1/consistency?from=5&to=301").await.0, 404);
    let (status, _, tile) = world.raw("/tile/0/000").await;
    assert_eq!((status.as_u16(), tile.len()), (200, 256 * 32));
    assert_eq!(world.raw("/tile/0/001.p/44").await.2.len(), 44 * 32);
    for absent in ["/tile/0/001", "/tile/0/001.p/45", "/tile/x", "/tile/0/000.p/0"] {
        assert_eq!(world.problem(absent).await.0, 404, "{absent}");
    }
    assert!(!world.get("/api/v1/checkpoints").await["checkpoints"].as_array().unwrap().is_empty());
    assert_eq!(world.ledger.reader().size(), TreeSize::new(300));
}

#[tokio::test]
async fn quarantine_says_why() {
    let mut world = World::new(Access::Local);
    world.append_events(0..2);
    world.append(b"{\"kind\":\"Pod\"}\n");
    let page = world.get("/api/v1/quarantine").await;
    let rows = page["rows"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["raw"].as_str()), (1, Some("{\"kind\":\"Pod\"}")));
    assert_eq!(rows[0]["trust"], serde_json::json!(["unread"]));
}

#[tokio::test]
async fn tail_shows_what_comes() {
    let mut world = World::new(Access::Local);
    world.append_events(0..3);
    for (accept, expected) in
        [("*/*", "{\"cluster\":\"prod\",\"index\":1,"), ("text/event-stream", "id: 1\ndata: {\"cluster\"")]
    {
        let request =
            Request::get("/api/v1/tail?q=name:p1&from=0").header("accept", accept).body(Body::empty()).unwrap();
        let mut body = world.router.clone().oneshot(request).await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&first));
    }
}

#[tokio::test]
async fn mistakes_are_explained() {
    let world = World::new(Access::Local);
    let (status, problem) = world.problem("/api/v1/search?q=usr:alice").await;
    assert_eq!((status, &problem["column"]), (400, &1.into()));
    assert!(problem["error"].as_str().unwrap().contains("did you mean `user`"), "{problem}");
    for wrong in ["since=soon", "order=up", "cursor=x"] {
        assert_eq!(world.problem(&format!("/api/v1/search?{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(world.problem("/api/v1/groups?by=nothing").await.0, 400);
    assert_eq!(world.problem("/api/v1/").await.0, 404);
    assert_eq!(world.problem("/api/v1/search/").await.0, 404);
}

#[tokio::test]
async fn the_token_is_needed_where_it_is_asked_for() {
    let world = World::new(Access::token("0123456789abcdef"));
    for open in ["/healthz", "/livez", "/readyz", "/api/v1/openapi.json"] {
        assert_eq!(world.raw(open).await.0, 200, "{open}");
    }
    for guarded in ["/metrics", "/checkpoint", "/tile/0/000", "/api/v1/search", "/api/v1/stats", "/api/v1/entries/0"] {
        assert_eq!(world.problem(guarded).await.0, 401, "{guarded}");
    }
    for (token, status) in [("0123456789abcdef", 200), ("0123456789abcdeF", 401)] {
        let request = Request::get("/api/v1/stats").header("authorization", format!("Bearer {token}"));
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
    }
}
