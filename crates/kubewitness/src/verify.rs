//! `kubewitness verify`: recompute the log from its bytes, or check an evidence bundle.

use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use audit::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::{Report, VerifyOptions, verify, verify_evidence};
use serde_json::json;
use tlog::{Note, VerifierKey};

use crate::exit;
use crate::output::ReportFormat;
use crate::source::DataDir;

/// Threads that hash.
const THREADS: usize = 2;

/// Prove that nothing was lost or altered
///
/// Without an argument the whole log of the data directory is recomputed from its bytes: every entry, the tree, every
/// checkpoint. With a bundle, that file is checked by itself.
///
/// To find a directory that was rolled back or rewritten by someone who holds the signing key, keep a checkpoint elsewhere
/// (`DIR/ledger/checkpoint` is a small text file) and give it with --since-checkpoint.
///
/// Exit codes: 0 everything is as it was signed, 1 something is not, 3 it cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// An evidence bundle
    bundle: Option<PathBuf>,
    #[command(flatten)]
    data: DataDir,
    /// An older checkpoint of this log that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    since_checkpoint: Option<PathBuf>,
    /// Public key of the log that was kept elsewhere, as text or a file; without it, the keys in the directory are believed
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// Output
    #[arg(short, long, value_enum, default_value = "text")]
    output: ReportFormat,
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let keys = self.keys.iter().map(|key| read_key(key)).collect::<anyhow::Result<Vec<_>>>()?;
        match &self.bundle {
            Some(bundle) => self.bundle(bundle, &keys),
            None => self.log(keys),
        }
    }

    fn log(&self, keys: Vec<VerifierKey>) -> anyhow::Result<ExitCode> {
        let since = self.since_checkpoint.as_deref().map(read_note).transpose()?;
        let local = self.data.open()?;
        let reader = local.log();
        let bar = progress();
        let start = Instant::now();
        let options = VerifyOptions { since, keys, threads: THREADS };
        let report = verify(reader, &options, |progress| {
            bar.set_length(progress.size.get());
            bar.set_position(progress.entries);
        })?;
        bar.finish_and_clear();
        let mut out = anstream::stdout().lock();
        match self.output {
            ReportFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&document(&report))?)?,
            ReportFormat::Text => text(&mut out, &report, start.elapsed().as_secs_f64())?,
        }
        Ok(exit::found(report.is_clean()))
    }

    fn bundle(&self, path: &Path, keys: &[VerifierKey]) -> anyhow::Result<ExitCode> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut out = anstream::stdout().lock();
        let verdict = match verify_evidence(file, keys, |_| {}) {
            Ok(verdict) => verdict,
            Err(error) => {
                match self.output {
                    ReportFormat::Json => {
                        writeln!(out, "{}", json!({"clean": false, "problems": [error.to_string()]}))?;
                    }
                    ReportFormat::Text => writeln!(out, "NOT proven: {error}")?,
                }
                return Ok(exit::found(false));
            }
        };
        let checkpoint = &verdict.checkpoint;
        match self.output {
            ReportFormat::Json => writeln!(
                out,
                "{}",
                json!({"clean": true, "entries": verdict.entries, "origin": checkpoint.origin, "size": checkpoint.size.get(),
                    "root": checkpoint.root.to_string(), "key": verdict.key.to_string(), "query": verdict.case.query})
            )?,
            ReportFormat::Text => {
                writeln!(out, "{} entries are proven to be in the log {}", verdict.entries, checkpoint.origin)?;
                writeln!(out, "  checkpoint  {} entries, root {}", checkpoint.size.get(), checkpoint.root)?;
                writeln!(out, "  query       {}", crate::printable::terminal(&verdict.case.query))?;
                writeln!(out, "  signed by   {}", verdict.key)?;
                if keys.is_empty() {
                    writeln!(
                        out,
                        "Compare the key with the one that the log's owner published, or give it with --key."
                    )?;
                }
            }
        }
        Ok(exit::found(true))
    }
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} entries, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn read_note(path: &Path) -> anyhow::Result<Note> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read checkpoint {}", path.display()))?;
    text.parse().with_context(|| format!("{} is no signed checkpoint", path.display()))
}

fn read_key(given: &str) -> anyhow::Result<VerifierKey> {
    let text = match Path::new(given).is_file() {
        true => std::fs::read_to_string(given).with_context(|| format!("cannot read key {given}"))?,
        false => given.to_owned(),
    };
    text.trim().parse().with_context(|| format!("`{}` is no verifier key (name+hash+base64)", text.trim()))
}

fn document(report: &Report) -> serde_json::Value {
    json!({
        "clean": report.is_clean(),
        "origin": report.origin,
        "size": report.size.get(),
        "entries": report.entries,
        "bytes": report.bytes,
        "signed": report.signed.get(),
        "checkpoints": report.checkpoints,
        "root": report.root.map(|root| root.to_string()),
        "erasures": report.erasures.len(),
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn text(out: &mut impl Write, report: &Report, seconds: f64) -> std::io::Result<()> {
    let rate = report.bytes as f64 / 1e6 / seconds.max(1e-9);
    writeln!(
        out,
        "{} entries ({}) of the log {} recomputed in {seconds:.1} s ({rate:.0} MB/s)",
        report.entries,
        ByteSize(report.bytes),
        report.origin
    )?;
    if let Some(root) = &report.root {
        writeln!(out, "  root         {root}")?;
    }
    writeln!(
        out,
        "  checkpoints  {} verified; {} of {} entries are signed",
        report.checkpoints,
        report.signed.get(),
        report.size.get()
    )?;
    for erasure in &report.erasures {
        let reason = crate::printable::terminal(&erasure.reason);
        for range in &erasure.ranges {
            let last = range.end.get().saturating_sub(1);
            writeln!(out, "  erased       entries {} to {last}: {reason}", range.start)?;
        }
    }
    if report.is_clean() {
        return writeln!(out, "Everything is as it was signed.");
    }
    writeln!(out, "\n{} problems:", report.problems.len())?;
    report.problems.iter().try_for_each(|problem| writeln!(out, "  {problem}"))
}
