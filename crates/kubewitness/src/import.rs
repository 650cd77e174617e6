//! `kubewitness import`: files of any form into a data directory, until they can be searched.
//!
//! Running it again after an interruption is safe: what is in the log is recognised and kept once.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use audit::{ByteSize, format_rfc3339};
use clap::Args;
use host::Host;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest::{ClusterName, Deliver, Feeder, Files, IngestMetrics, Naming, Origin, StopFlag, Tally, expand};
use ledger::Ledger;
use query::{Expr, Field, Query, Range, Test};
use store::{Column, GroupBy, Key, Value};

use crate::exit;
use crate::pace::{Pace, Paced};
use crate::serve::StoreFold;

/// Longest wait for the log between two looks at whether everything has been read.
const FOLD_WAIT: Duration = Duration::from_millis(50);
/// Bytes that may wait for the disk: enough to keep it busy, small beside what the columns need.
const PENDING_BYTES_MAX: usize = 32 << 20;

/// Skipped files that are named.
const SKIPPED_SHOWN: usize = 5;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files, directories, patterns, or - for standard input; .gz and .zst are unpacked
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Directory that everything is kept in
    #[arg(long, value_name = "DIR", env = "KUBEWITNESS_DATA_DIR", default_value = "kubewitness-data")]
    data_dir: PathBuf,
    /// Cluster of all events; without it, the one that a cloud's record names, or `default`
    #[arg(long, value_name = "NAME")]
    cluster: Option<ClusterName>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// What an import did.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Bytes of the files, unpacked.
    bytes: u64,
    tally: Tally,
    duplicates: u64,
    elapsed: Duration,
    clusters: Vec<(String, u64)>,
    /// Reasons of quarantine with their counts.
    reasons: Vec<(String, u64)>,
    span: Option<(audit::Micros, audit::Micros)>,
    failed: Vec<String>,
}

pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let files = expand(&args.files)?;
    report_skipped(&files.skipped);
    let origin = match &args.cluster {
        Some(cluster) => Origin { cluster: cluster.clone(), naming: Naming::Fixed },
        None => Origin { cluster: "default".parse()?, naming: Naming::ByRecord },
    };
    let bar = if args.quiet { ProgressBar::hidden() } else { progress_bar(&files) };
    let summary = import(&args.data_dir, &files, origin, &bar)?;
    bar.finish_and_clear();
    if !args.quiet {
        summary.write(&mut anstream::stdout().lock(), &args.data_dir)?;
    }
    summary.failed.iter().for_each(|failure| eprintln!("error: {failure}"));
    Ok(ExitCode::from(if summary.failed.is_empty() { exit::OK } else { exit::DATA }))
}

fn report_skipped(skipped: &[PathBuf]) {
    for path in skipped.iter().take(SKIPPED_SHOWN) {
        eprintln!("skipped {}: it does not look like a log; name it to import it", path.display());
    }
    if let Some(more) = skipped.len().checked_sub(SKIPPED_SHOWN).filter(|more| *more > 0) {
        eprintln!("skipped {more} more");
    }
}

/// Reads everything into the log while the store follows, and returns when all of it is in columns on disk.
pub(crate) fn import(data_dir: &Path, files: &Files, origin: Origin, bar: &ProgressBar) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let host = Host::system();
    let options = ledger::Options { pending_bytes_max: PENDING_BYTES_MAX, ..ledger::Options::default() };
    let ledger = Arc::new(Ledger::open(&host, data_dir, options)?);
    let first = ledger.reader().size().get();
    let mut fold = StoreFold::open(&host, data_dir, store::Options::default(), ledger.clone())?;
    let mut feeder =
        Feeder::new(ledger.appender(), origin, host.clock.clone(), IngestMetrics::default(), StopFlag::default());
    let store = fold.reader();
    let read = StopFlag::default();
    let pace = Pace::new(ledger.reader(), fold.next());
    let (bytes, failed) = std::thread::scope(|scope| {
        let folding = scope.spawn(|| follow(&mut fold, &read, &pace));
        let outcome = read_all(files, &mut Paced { feeder: &mut feeder, pace: &pace }, bar);
        read.raise();
        folding.join().map_err(|_| anyhow::anyhow!("the store's thread failed"))??;
        anyhow::Ok(outcome)
    })?;
    let (tally, duplicates) = feeder.tally();
    let mut summary = Summary {
        bytes,
        tally,
        duplicates,
        elapsed: started.elapsed(),
        clusters: Vec::new(),
        reasons: Vec::new(),
        span: None,
        failed,
    };
    summary.look(&store.snapshot(), first)?;
    drop((fold, feeder, pace));
    Arc::into_inner(ledger).context("the log is still in use")?.close().context("cannot sign the last checkpoint")?;
    Ok(summary)
}

/// Folds until everything was read, and what is left then.
fn follow(fold: &mut StoreFold, read: &StopFlag, pace: &Pace) -> anyhow::Result<()> {
    let mut followed = Ok(());
    while followed.is_ok() && !read.is_raised() {
        followed = fold.poll(FOLD_WAIT).map(|_| pace.folded(fold.next()));
    }
    pace.over();
    followed.and_then(|()| fold.finish())
}

/// Reads the inputs one after another; one that is damaged does not keep the others out.
fn read_all(files: &Files, deliver: &mut dyn Deliver, bar: &ProgressBar) -> (u64, Vec<String>) {
    let mut failed = Vec::new();
    let mut bytes = 0;
    for input in &files.inputs {
        bar.set_message(input.name());
        match input.read(&mut |read| bar.inc(read), deliver) {
            Ok(read) => bytes += read,
            Err(error) => failed.push(format!("{:#}", anyhow::Error::from(error))),
        }
    }
    (bytes, failed)
}

fn progress_bar(files: &Files) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match files.bytes() {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} {wide_msg}"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec} {wide_msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Summary {
    /// Asks the store about what came in.
    fn look(&mut self, snapshot: &store::Snapshot, first: u64) -> anyhow::Result<()> {
        let range = Range { low: i64::try_from(first).ok(), high: None };
        let fresh = Query { expr: Expr::field(Field::Index, Test::Within(range)) };
        let by = |column| GroupBy { keys: vec![Key::Column(column)], ..GroupBy::default() };
        let clusters = snapshot.group_by(&fresh, &by(Column::Cluster))?;
        self.clusters = clusters.groups.iter().map(|group| (text(&group.keys), group.count)).collect();
        let from = clusters.groups.iter().map(|group| group.first).min();
        let until = clusters.groups.iter().map(|group| group.last).max();
        self.span = from.zip(until);
        let quarantined = fresh.and(Query { expr: Expr::field_is(Field::Format, "quarantine") });
        let reasons = snapshot.group_by(&quarantined, &by(Column::Defect))?;
        self.reasons = reasons.groups.iter().map(|group| (text(&group.keys), group.count)).collect();
        Ok(())
    }

    fn write(&self, out: &mut dyn Write, data_dir: &Path) -> std::io::Result<()> {
        let Self { bytes, tally, duplicates, elapsed, .. } = self;
        let seconds = elapsed.as_secs_f64().max(0.001);
        let rate = *bytes as f64 / 1e6 / seconds;
        let entries = tally.entries;
        writeln!(out, "read         {} in {seconds:.1} s ({rate:.0} MB/s), {entries} entries", ByteSize(*bytes))?;
        writeln!(out, "new          {}", entries - duplicates)?;
        writeln!(out, "duplicates   {duplicates}")?;
        writeln!(out, "quarantined  {}", tally.quarantined)?;
        for (reason, count) in self.reasons.iter().take(REASONS_SHOWN) {
            writeln!(out, "  {count:>9}  {reason}")?;
        }
        for (cluster, count) in &self.clusters {
            writeln!(out, "cluster      {cluster} ({count})")?;
        }
        if let Some((from, until)) = self.span {
            writeln!(out, "span         {} to {}", format_rfc3339(from), format_rfc3339(until))?;
        }
        writeln!(out, "next         kubewitness search '' --data-dir {}", data_dir.display())
    }
}

/// Reasons of quarantine that are listed; `kubewitness quarantine list` has all.
const REASONS_SHOWN: usize = 10;

fn text(keys: &[Value]) -> String {
    keys.first().and_then(Value::as_text).unwrap_or("-").to_owned()
}
