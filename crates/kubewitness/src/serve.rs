//! `kubewitness serve`: everything that runs, from the first byte to the last checkpoint.

mod certificates;
mod edges;
mod fold;
mod greeting;
mod logging;
mod metrics;
mod notify;
mod reload;
mod secrets;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use host::Host;
use ingest::StopFlag;
use ledger::Ledger;

use crate::config::{Config, ConfigArgs};
pub(crate) use certificates::generated_certificates;
use edges::Edges;
pub(crate) use fold::StoreFold;
use secrets::Secrets;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    logging::start(&config.log)?;
    serve(config, &mut |greeting| greeting.print())
}

/// Serves until a signal to stop. `greet` is told where everything is once it listens.
pub(crate) fn serve(config: Config, greet: &mut dyn FnMut(&greeting::Greeting)) -> anyhow::Result<ExitCode> {
    let host = Host::system();
    let ledger = Arc::new(Ledger::open(&host, &config.data_dir, config.ledger.clone())?);
    let recovery = ledger.recovery();
    tracing::info!(entries = recovery.size.get(), cut_bytes = recovery.cut, "the log is open");
    let secrets = Secrets::ensure(&host, &config.data_dir)?;
    let store = StoreFold::open(&host, &config.data_dir, config.store.clone(), ledger.clone())?;
    let store = store.retaining(config.retention.clone());
    let store_reader = store.reader();

    let stop = StopFlag::default();
    let folding = store.spawn(stop.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let edges = Edges { config: &config, host: &host, ledger: &ledger, store: store_reader, secrets: &secrets };
    let served = runtime.block_on(edges::serve(&edges, greet));
    drop(edges);
    // Nothing is accepted any more. What was acknowledged is durable; the rest is put in order.
    stop.raise();
    let folded = folding.join();
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    served?;
    folded.map_err(|_| anyhow::anyhow!("the store's thread failed"))?;
    let ledger = Arc::into_inner(ledger).context("the log is still in use")?;
    let size = ledger.reader().size();
    ledger.close().context("cannot sign the last checkpoint")?;
    tracing::info!(entries = size.get(), "stopped; the last checkpoint covers everything");
    Ok(ExitCode::SUCCESS)
}
