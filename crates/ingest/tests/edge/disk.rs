//! A disk that refuses: nothing is acknowledged that is not kept, and nothing is lost that was.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::Request;
use host::{Fault, SimHost, Step};
use ingest::{Admission, IngestMetrics, MemoryBudget, Openness, Tokens, Webhook, WebhookLimits};
use ledger::{Ledger, Options};
use tower::ServiceExt;

use crate::world::{entries, event_list, events};

struct Simulated {
    sim: SimHost,
    ledger: Ledger,
    router: axum::Router,
}

impl Simulated {
    fn new() -> Self {
        let sim = SimHost::new(7);
        let host = sim.host();
        let options = Options { segment_bytes: 256 << 10, free_bytes_min: 0, ..Options::default() };
        let ledger = Ledger::open(&host, Path::new("/data"), options).unwrap();
        let webhook = Arc::new(Webhook {
            appender: ledger.appender(),
            admission: ArcSwap::from_pointee(Admission { tokens: Tokens::default(), open: Openness::Anyone }),
            default_cluster: "default".parse().unwrap(),
            limits: WebhookLimits::default(),
            budget: MemoryBudget::new(64 << 20, Duration::from_secs(1)),
            metrics: IngestMetrics::default(),
            clock: host.clock,
        });
        Self { sim, ledger, router: webhook.router() }
    }

    /// Posts a batch; returns the status and whether the sender is told to come again.
    async fn post(&self, numbers: std::ops::Range<u64>) -> (u16, bool) {
        let request = Request::post("/").body(Body::from(event_list(&events(numbers)))).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), response.headers().contains_key("retry-after"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_acknowledging_and_recovers() {
    let world = Simulated::new();
    let mut acknowledged = Vec::new();
    assert_eq!(world.post(0..100).await, (200, false));
    acknowledged.push(0);
    world.sim.disk.set_capacity(Some(0));
    let mut refused = Vec::new();
    for batch in 1..20u64 {
        match world.post(batch * 100..(batch + 1) * 100).await {
            (200, false) => acknowledged.push(batch), // room that was reserved before
            (503, true) => refused.push(batch),
            other => panic!("{other:?}"),
        }
    }
    assert!(!refused.is_empty());
    world.sim.disk.set_capacity(None);
    for batch in refused {
        assert_eq!(world.post(batch * 100..(batch + 1) * 100).await, (200, false));
        acknowledged.push(batch);
    }
    let kept: HashSet<Vec<u8>> = entries(&world.ledger).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!((acknowledged.len(), kept.len()), (20, 2_000));
    assert!(events(0..2_000).iter().all(|event| kept.contains(event)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_not_acknowledged() {
    let world = Simulated::new();
    let mut number = 0;
    loop {
        // The next write may also be that of a tile; then the batch is kept and we try again.
        world.sim.disk.fail(Step::Write, 0, Fault::Refused);
        let answer = world.post(number..number + 10).await;
        world.sim.disk.heal();
        if answer == (503, true) {
            break;
        }
        assert_eq!(answer, (200, false));
        number += 10;
        assert!(number < 1_000, "no write was refused");
    }
    assert_eq!(world.post(number..number + 10).await, (200, false));
    assert_eq!(entries(&world.ledger).len() as u64, number + 10);
}
