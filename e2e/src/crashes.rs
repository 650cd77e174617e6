//! Killed twenty times under load: what an API server was told is kept, is kept, and once.
//!
//! The sender is the stand-in for an API server with its real retry policy, and sends a recorded day.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::{ApiServer, Report, WebhookOptions};

use crate::evidence::Account;
use crate::verdicts::Verdicts;
use crate::witness::{BY_WEBHOOK, Row, Witness};

/// How often the server is killed.
const KILLS: usize = 20;
/// Further life after the first events of a round are acknowledged, times a number below [`PHASES`]: so that kills meet
/// every phase of the work.
const PHASE: Duration = Duration::from_millis(13);
const PHASES: usize = 8;
/// Longest wait for the first events of a round. The sender may be in a pause between two attempts.
const PROGRESS_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the last events to be searchable.
const SETTLE_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn run(kubewitness: &Path, dir: &Path, verdicts: &mut Verdicts) -> Result<()> {
    let witness = Witness::prepare(kubewitness, dir, None)?;
    let mut serving = witness.start().await?;
    let events = testkit::lab_events();
    let sender = ApiServer::start(options(&witness)?);
    for (round, share) in events.chunks(events.len().div_ceil(KILLS)).enumerate() {
        let before = sender.report().delivered;
        for event in share {
            sender.emit_patiently(event.clone()).await;
        }
        until_delivered(&sender, before + share.len() as u64 / 2).await;
        tokio::time::sleep(PHASE * u32::try_from(round % PHASES)?).await;
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

/// Waits until so many events are acknowledged, but not for ever.
async fn until_delivered(sender: &ApiServer, count: u64) {
    let started = Instant::now();
    while sender.report().delivered < count && started.elapsed() < PROGRESS_MAX {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The API server's own behaviour, with more and smaller batches, so that a kill meets some in flight. Its pauses are its
/// own: five attempts last 80 seconds, longer than all kills together.
fn options(witness: &Witness) -> Result<WebhookOptions> {
    Ok(WebhookOptions {
        batch_size_max: 50,
        batch_wait_max: Duration::from_millis(50),
        throttle_qps: 60.0,
        ..witness.webhook()?
    })
}

fn given_up(report: Report) -> Result<()> {
    ensure!(report.lost == 0 && report.dropped == 0, "{} events lost, {} dropped", report.lost, report.dropped);
    Ok(())
}
