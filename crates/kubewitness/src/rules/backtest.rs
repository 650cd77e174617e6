//! `rules backtest`: what rules would have done with what was recorded.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use detect::{Detector, Observed};
use finding::Finding;
use rule::{Options, RuleSet, Severity};

use crate::exit;
use crate::printable::terminal as safe;
use crate::recording::Recording;
use crate::rulesets::load_files;

/// Findings that are shown as examples, a rule.
const EXAMPLES: usize = 3;

/// Over the data directory, or the part of it that --since and the other filters name, or over files given with --from.
///
/// Exit codes: 0 the rules found something, 1 they found nothing, 3 input cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Backtest {
    /// Rule files and directories, Sigma or Falco
    #[arg(required = true, value_name = "RULES")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    recording: Recording,
}

#[derive(Default)]
struct Tally {
    hits: usize,
    actors: BTreeMap<String, usize>,
    examples: Vec<Finding>,
}

impl Backtest {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = Arc::new(RuleSet::compile(load_files(&self.rules)?, Options::default()));
        for problem in set.problems().iter().filter(|problem| problem.severity == Severity::Error) {
            writeln!(anstream::stderr(), "{problem}")?;
        }
        let mut run = Run::new(Detector::new(Arc::clone(&set)));
        self.recording.each(&mut |record| {
            let cluster = record.cluster.unwrap_or_default();
            run.bytes += record.bytes as u64;
            run.take(&Observed { index: record.index, cluster, received: record.received, event: record.event });
        })?;
        run.finish()
    }
}

/// One pass of a detector over a log, with what it found and what it cost.
struct Run {
    detector: Detector,
    found: Vec<Finding>,
    tallies: BTreeMap<String, (String, Tally)>,
    events: u64,
    bytes: u64,
    times: Option<(i64, i64)>,
    spent: Duration,
}

impl Run {
    fn new(detector: Detector) -> Self {
        Self {
            detector,
            found: Vec::new(),
            tallies: BTreeMap::new(),
            events: 0,
            bytes: 0,
            times: None,
            spent: Duration::ZERO,
        }
    }

    fn take(&mut self, observed: &Observed<'_>) {
        let time = observed.time();
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
        self.events += 1;
        let start = Instant::now();
        self.detector.observe(observed, &mut self.found);
        self.spent += start.elapsed();
        self.count();
    }

    fn count(&mut self) {
        for finding in self.found.drain(..) {
            let (_, tally) = self
                .tallies
                .entry(finding.rule.id.clone())
                .or_insert_with(|| (finding.rule.title.clone(), Tally::default()));
            tally.hits += 1;
            *tally.actors.entry(finding.actor.label()).or_default() += 1;
            if tally.examples.len() < EXAMPLES {
                tally.examples.push(finding);
            }
        }
    }

    fn finish(mut self) -> anyhow::Result<ExitCode> {
        self.detector.finish(&mut self.found);
        self.count();
        let days = self.times.map_or(0.0, |(first, last)| (last - first) as f64 / 86_400e6).max(1.0 / 1440.0);
        let mut out = anstream::stdout().lock();
        writeln!(out, "{} events over {}", self.events, span(days))?;
        for (title, tally) in self.tallies.values() {
            writeln!(out, "\n{title}\n  {} findings, {:.1} a day", tally.hits, tally.hits as f64 / days.max(1.0))?;
            let mut actors: Vec<_> = tally.actors.iter().collect();
            actors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let shown: Vec<String> =
                actors.iter().take(5).map(|(actor, count)| format!("{} ({count})", safe(actor))).collect();
            writeln!(out, "  about {} actors: {}", actors.len(), shown.join(", "))?;
            for example in &tally.examples {
                writeln!(out, "  e.g. {:.0} {}", example.time, safe(&example.story))?;
            }
        }
        let seconds = self.spent.as_secs_f64();
        let (micros, rate) = (seconds * 1e6 / self.events.max(1) as f64, self.bytes as f64 / 1e6 / seconds.max(1e-6));
        writeln!(out, "\ncost: {seconds:.2} s on one core, {micros:.2} µs an event, {rate:.0} MB/s")?;
        Ok(if self.tallies.is_empty() { ExitCode::from(exit::NO) } else { ExitCode::from(exit::OK) })
    }
}

fn span(days: f64) -> String {
    if days < 1.0 { format!("{:.0} minutes", days * 1440.0) } else { format!("{days:.1} days") }
}
