//! `kubewitness scan`: rules over files, with no set-up.

mod html;
mod sarif;
mod table;
mod words;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use detect::{Detector, Observed};
use finding::{Finding, Language, Severity, Story};
use jiff::Timestamp;

use crate::exit;
use crate::recording::{self, Heard};
use crate::rulesets::Choice;

/// Findings that stories and reports are told from; more are counted, and NDJSON shows them all.
const TOLD_FINDINGS_MAX: usize = 50_000;

/// Bytes of findings that are written at once.
const WRITE_BYTES: usize = 64 << 10;

/// Look for attacks in audit logs
///
/// Reads any form of Kubernetes audit log (lines, EventList, EKS, GKE, AKS, OpenShift, exports; also .gz and .zst), runs
/// the built-in rules and any Sigma or Falco rules over it, and tells each attack as one story.
///
/// Exit codes: 0 nothing at or above --fail-on, 2 findings at or above it, 3 input cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Scan {
    /// Audit logs; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    rules: Choice,
    /// Output: table on a terminal, ndjson when piped
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Exit with 2 if a finding is at least this grave
    #[arg(long, default_value = "high", value_name = "SEVERITY")]
    fail_on: Severity,
    /// Leave out findings that are less grave
    #[arg(long, default_value = "informational", value_name = "SEVERITY")]
    min_severity: Severity,
    /// Language of the table and of the HTML report: en, zh-Hant, zh-Hans [default: as LC_ALL or LANG say]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Name of the cluster, where the log does not tell
    #[arg(long, default_value = "", value_name = "NAME")]
    cluster: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Stories for a reader at a terminal
    Table,
    /// One finding a line, as it is made
    Ndjson,
    /// SARIF 2.1.0 for pipelines
    Sarif,
    /// A report in one file
    Html,
    /// Stories and findings as one document
    Json,
}

/// Everything a report tells.
pub(crate) struct Report {
    pub(crate) heard: Heard,
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    pub(crate) findings: Vec<Finding>,
    /// Findings beyond what is told.
    pub(crate) untold: usize,
    pub(crate) stories: Vec<Story>,
    pub(crate) rules: usize,
    pub(crate) language: Language,
}

impl Scan {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let output = self.output.unwrap_or(match io::stdout().is_terminal() {
            true => Output::Table,
            false => Output::Ndjson,
        });
        let set = self.rules.compile()?;
        report_problems(&set);
        let mut collector = Collector::new(&self, output);
        let mut detector = Detector::new(std::sync::Arc::clone(&set));
        let heard = recording::each_event(&self.files, &mut |record| {
            let cluster = record.cluster.unwrap_or(&self.cluster);
            let observed = Observed { index: record.index, cluster, received: 0, event: record.event };
            collector.saw(observed.time());
            detector.observe(&observed, &mut collector.found);
            collector.take();
        })?;
        detector.finish(&mut collector.found);
        collector.take();
        collector.finish(heard, &set)
    }
}

impl Scan {
    /// The language of what people read; programs read English.
    fn language(&self, output: Output) -> Language {
        if !matches!(output, Output::Table | Output::Html) {
            return Language::English;
        }
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        self.lang.unwrap_or_else(|| Language::of_locale(&locale.unwrap_or_default()))
    }
}

/// Rules that did not load are told, and the others run.
fn report_problems(set: &rule::RuleSet) {
    let errors = set.problems().iter().filter(|problem| problem.severity == rule::Severity::Error);
    for problem in errors {
        let _ = writeln!(anstream::stderr(), "{problem}");
    }
}

/// Takes findings as they are made, prints or keeps them.
struct Collector {
    output: Output,
    language: Language,
    fail_on: Severity,
    min_severity: Severity,
    /// Where the detector puts what it found last.
    found: Vec<Finding>,
    kept: Vec<Finding>,
    untold: usize,
    gravest: Option<Severity>,
    times: Option<(i64, i64)>,
    written: io::Result<()>,
    line: Vec<u8>,
    out: io::BufWriter<io::Stdout>,
}

impl Collector {
    fn new(scan: &Scan, output: Output) -> Self {
        Self {
            output,
            language: scan.language(output),
            fail_on: scan.fail_on,
            min_severity: scan.min_severity,
            found: Vec::new(),
            kept: Vec::new(),
            untold: 0,
            gravest: None,
            times: None,
            written: Ok(()),
            line: Vec::new(),
            out: io::BufWriter::with_capacity(WRITE_BYTES, io::stdout()),
        }
    }

    fn saw(&mut self, time: i64) {
        if time > 0 {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }

    fn take(&mut self) {
        for finding in self.found.drain(..) {
            if finding.severity < self.min_severity {
                continue;
            }
            self.gravest = self.gravest.max(Some(finding.severity));
            if self.output == Output::Ndjson {
                if self.written.is_ok() {
                    self.written = write_line(&mut self.out, &mut self.line, &finding);
                }
            } else if self.kept.len() < TOLD_FINDINGS_MAX {
                self.kept.push(finding);
            } else {
                self.untold += 1;
            }
        }
    }

    fn finish(mut self, heard: Heard, rules: &rule::RuleSet) -> anyhow::Result<ExitCode> {
        self.written?;
        let time = |micros| Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
        let findings = words::translated(self.kept, self.language, rules);
        let report = Report {
            heard,
            span: self.times.map(|(first, last)| (time(first), time(last))),
            stories: finding::tell_in(&findings, self.language),
            findings,
            untold: self.untold,
            rules: rules.rules().len() + rules.correlations().len(),
            language: self.language,
        };
        match self.output {
            Output::Ndjson => {}
            Output::Table => table::write(&mut anstream::AutoStream::auto(io::stdout()), &report)?,
            Output::Html => html::write(&mut self.out, &report)?,
            Output::Sarif => sarif::write(&mut self.out, &report)?,
            Output::Json => {
                let document = serde_json::json!({"stories": report.stories, "findings": report.findings});
                serde_json::to_writer_pretty(&mut self.out, &document)?;
                self.out.write_all(b"\n")?;
            }
        }
        self.out.flush()?;
        let grave = self.gravest.is_some_and(|gravest| gravest >= self.fail_on);
        Ok(ExitCode::from(if grave { exit::USAGE } else { exit::OK }))
    }
}

/// Writes a finding as one line. `line` is memory that is kept: what is written in many small parts is gathered there.
fn write_line(out: &mut impl Write, line: &mut Vec<u8>, finding: &Finding) -> io::Result<()> {
    line.clear();
    finding.write_json(line);
    line.push(b'\n');
    out.write_all(line)
}

/// How often each rule fired, the gravest and most frequent first.
fn by_rule(findings: &[Finding]) -> Vec<(&Finding, usize)> {
    let mut counts: BTreeMap<&str, (&Finding, usize)> = BTreeMap::new();
    for finding in findings {
        counts.entry(&finding.rule.id).or_insert((finding, 0)).1 += 1;
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_by_key(|(finding, count)| (std::cmp::Reverse((finding.severity, *count)), finding.rule.title.clone()));
    counts
}
