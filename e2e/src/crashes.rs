//! Killed twenty times under load: what an API server was told is kept, is kept, and once.
//!
//! The sender is the stand-in for an API server with its real retry policy, and sends a recorded day.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::{ApiServer, Report, WebhookOptions};

use crate::evidence::Account;
use crate::verdicts::Verdicts;
use crate::witness::{BY_WEBHOOK, Row, Witness};

/// How often the server is killed.
const KILLS: usize = 20;
/// How long it lives before a kill: a different time in each round, from within its start to well into work.
const ALIVE_STEP: Duration = Duration::from_millis(37);
/// Longest wait for the last events to be searchable.
const SETTLE_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn run(kubewitness: &Path, dir: &Path, verdicts: &mut Verdicts) -> Result<()> {
    let witness = Witness::prepare(kubewitness, dir, None)?;
    let mut serving = witness.start().await?;
    let events = testkit::lab_events();
    let sender = ApiServer::start(options(&witness)?);
    for (round, share) in events.chunks(events.len().div_ceil(KILLS)).enumerate() {
        let load = async {
            for event in share {
                sender.emit_patiently(event.clone()).await;
            }
        };
        let alive = ALIVE_STEP * (1 + u32::try_from(round)?);
        tokio::join!(load, tokio::time::sleep(alive));
        serving.kill().await?;
        serving = witness.start().await?;
    }
    let report = sender.shut_down().await;
    println!("{} events in {} posts, {KILLS} kills", events.len(), report.posts);
    verdicts.note("no batch was given up", given_up(report));

    let sent = Account::of(events.iter().map(Vec::as_slice));
    let query = format!("cluster:{BY_WEBHOOK}");
    witness.settle(&query, sent.len(), SETTLE_MAX).await?;
    let rows = witness.search(&query)?;
    let kept = Account::of(rows.iter().map(Row::event));
    verdicts.note("after twenty kills every acknowledged event is there, once", sent.must_equal(&kept));
    verdicts.note("the server ends in order after its crashes", Witness::stop(serving).await);
    verdicts.note("verify finds the log sound after its crashes", witness.ask(&["verify"]).map(drop));
    Ok(())
}

/// The API server's own behaviour, with small batches sent at once, so that every kill meets some in flight, and a
/// pause that is long enough for five attempts to outlast a restart.
fn options(witness: &Witness) -> Result<WebhookOptions> {
    Ok(WebhookOptions {
        batch_size_max: 25,
        initial_backoff: Duration::from_millis(700),
        ..witness.webhook()?.hurried()
    })
}

fn given_up(report: Report) -> Result<()> {
    ensure!(report.lost == 0 && report.dropped == 0, "{} events lost, {} dropped", report.lost, report.dropped);
    Ok(())
}
