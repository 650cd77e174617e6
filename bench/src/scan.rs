//! What `kubewitness scan` takes for a long log: without rules, and with every built-in, Sigma and Falco rule.
//!
//! The program is run on the amplified recording, and the kernel's account of its processor time and memory counts:
//! loading the rules is part of it. Loading alone, and ten times the rules, are measured in this process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use audit::Event;
use detect::{Detector, Observed};
use rule::{Condition, Loaded, Matcher, Meta, Options, Pattern, RuleSet, Sense, Test};

use crate::corpus::Corpus;
use crate::process::{self, Usage};

/// Copies of the recording that are scanned: about 340 MB.
pub(crate) const COPIES: u32 = 8;
/// Times that each run is repeated; the shortest counts, which leaves out what else the machine does.
const REPETITIONS: usize = 5;

/// Least rate with all rules, in bytes a second of processor time.
const RATE_MIN: f64 = 250e6;
/// Most time with all rules, in times of that without.
const RULES_COST_MAX: f64 = 2.5;
/// Most time with ten times the rules, in times of that with the rules.
const TENFOLD_COST_MAX: f64 = 2.0;
/// Longest time to load and compile all rules.
const LOAD_MAX: Duration = Duration::from_millis(50);
/// Most memory of a scan.
const MEMORY_MAX: u64 = 200_000_000;
/// What the rows about more rules mean.
const TENFOLD: &str = "Ten times the rules are the rules and nine copies of each that look for other values: every text that a rule wants is another, but for verbs and stages, which the rules of a larger set share as well. Where each rule stands ten times as it is, what is asked is shared and every finding is told ten times.";

/// Exit code of a scan that found something grave.
const FOUND: i32 = 2;

/// What the program took for the whole log.
pub(crate) struct Runs {
    bytes: u64,
    without: Usage,
    with: Usage,
}

/// Figures of one run.
pub(crate) struct Scan {
    rules: usize,
    runs: Runs,
    load: Duration,
    compile: Duration,
    /// Times of the whole detector, and of matching alone, over the recording.
    once: Times,
    /// The same with ten times the rules, most of which look for what this log does not hold.
    tenfold: Times,
    /// The same with every rule ten times, which is ten times the findings.
    repeated: Times,
}

/// Times over events in memory.
struct Times {
    /// Matching, correlating and telling.
    detecting: Duration,
    /// Matching alone.
    matching: Duration,
    findings: usize,
}

/// Nine copies of each rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// They look for other values, as the rules of a larger set do; only verb and stage stay, which rules share.
    OfOtherValues,
    /// They look for the same.
    Alike,
}

impl Runs {
    /// Runs `program` on `corpus` without rules, and with the built-in ones and those below `paths`.
    ///
    /// To be called while this process is small: the kernel counts the memory that a child has of its parent before it
    /// is another program.
    pub(crate) fn of(program: &Path, corpus: &Corpus, paths: &[PathBuf]) -> Result<Self> {
        let rules: Vec<&str> = paths.iter().flat_map(|path| [Some("--rules"), path.to_str()]).flatten().collect();
        let without = scan(program, &["--no-builtin"], &corpus.file)?;
        Ok(Self { bytes: corpus.bytes, without, with: scan(program, &rules, &corpus.file)? })
    }

    fn rate(&self, usage: &Usage) -> f64 {
        self.bytes as f64 / usage.processor.as_secs_f64()
    }

    fn rules_cost(&self) -> f64 {
        self.with.processor.as_secs_f64() / self.without.processor.as_secs_f64()
    }
}

impl Scan {
    /// Measures the rules that `load` makes, which must be those of `runs`, on `events`.
    pub(crate) fn measure(runs: Runs, load: &dyn Fn() -> Result<Loaded>, events: &[u8]) -> Result<Self> {
        let (loading, loaded) = best(load)?;
        let (compiling, set) = best(&|| Ok(RuleSet::compile(loaded.clone(), Options::default())))?;
        // Copying what was loaded is not compiling it.
        let (copying, _) = best(&|| Ok(loaded.clone()))?;
        let tenfold = |copies| Times::of(RuleSet::compile(tenfold(&loaded, copies), Options::default()), events);
        Ok(Self {
            rules: set.rules().len() + set.correlations().len(),
            runs,
            load: loading,
            compile: compiling.saturating_sub(copying),
            once: Times::of(set, events)?,
            tenfold: tenfold(Copies::OfOtherValues)?,
            repeated: tenfold(Copies::Alike)?,
        })
    }

    fn tenfold_cost(&self) -> f64 {
        self.tenfold.detecting.as_secs_f64() / self.once.detecting.as_secs_f64()
    }

    /// The figures as a table.
    pub(crate) fn table(&self) -> String {
        let rate = |usage: &Usage| format!("{:.0} MB/s", self.runs.rate(usage) / 1e6);
        let memory = |usage: &Usage| format!("{} MB", usage.memory_peak / 1_000_000);
        let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let cost = |times: Duration, once: Duration| format!("{:.2}", times.as_secs_f64() / once.as_secs_f64());
        let findings = |times: &Times| times.findings as f64 / self.once.findings as f64;
        let rows = [
            ("scan without rules", rate(&self.runs.without), "–".to_owned()),
            ("scan with all rules", rate(&self.runs.with), format!("≥ {:.0} MB/s", RATE_MIN / 1e6)),
            ("time with rules / without", format!("{:.2}", self.runs.rules_cost()), format!("≤ {RULES_COST_MAX}")),
            (
                "time with ten times the rules / with them",
                cost(self.tenfold.detecting, self.once.detecting),
                format!("≤ {TENFOLD_COST_MAX}"),
            ),
            ("– matching alone", cost(self.tenfold.matching, self.once.matching), "–".to_owned()),
            ("– findings", format!("× {:.1}", findings(&self.tenfold)), "–".to_owned()),
            (
                "time with each rule ten times / once",
                cost(self.repeated.detecting, self.once.detecting),
                "–".to_owned(),
            ),
            ("– matching alone", cost(self.repeated.matching, self.once.matching), "–".to_owned()),
            ("– findings", format!("× {:.1}", findings(&self.repeated)), "–".to_owned()),
            ("load all rules", millis(self.load), "–".to_owned()),
            ("compile all rules", millis(self.compile), format!("≤ {} together", millis(LOAD_MAX))),
            ("peak memory without rules", memory(&self.runs.without), "–".to_owned()),
            ("peak memory with all rules", memory(&self.runs.with), format!("≤ {} MB", MEMORY_MAX / 1_000_000)),
        ];
        let rows: String =
            rows.iter().map(|(what, figure, must)| format!("| {what} | {figure} | {must} |\n")).collect();
        format!(
            "{} rules and correlations, {} MB of events, processor time of one process.\n\n{TENFOLD}\n\n| what | measured | must |\n|---|---|---|\n{rows}",
            self.rules,
            self.runs.bytes / 1_000_000
        )
    }

    /// Fails if a figure is not as it must be.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.runs.rate(&self.runs.with) >= RATE_MIN, "scanning with all rules is too slow");
        ensure!(self.runs.rules_cost() <= RULES_COST_MAX, "rules cost too much");
        ensure!(self.tenfold_cost() <= TENFOLD_COST_MAX, "ten times the rules cost too much");
        ensure!(self.load + self.compile <= LOAD_MAX, "loading and compiling the rules takes too long");
        ensure!(self.runs.with.memory_peak <= MEMORY_MAX, "scanning takes too much memory");
        Ok(())
    }
}

/// The shortest of several runs, and what the last gave.
fn best<T>(run: &dyn Fn() -> Result<T>) -> Result<(Duration, T)> {
    let once = || {
        let started = Instant::now();
        run().map(|made| (started.elapsed(), made))
    };
    let (mut time, mut made) = once()?;
    for _ in 1..REPETITIONS {
        let (again, other) = once()?;
        (time, made) = (time.min(again), other);
    }
    Ok((time, made))
}

fn scan(program: &Path, rules: &[&str], events: &Path) -> Result<Usage> {
    let once = || -> Result<Usage> {
        let mut command = Command::new(program);
        command.arg("scan").args(rules).args(["--output", "ndjson"]).arg(events);
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().with_context(|| format!("{command:?}"))?;
        let (status, usage) = process::wait(child, started)?;
        ensure!(status.success() || status.code() == Some(FOUND), "{command:?} ended with {status}");
        Ok(usage)
    };
    let runs = (0..REPETITIONS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    runs.into_iter().min_by_key(|usage| usage.processor).context("no run")
}

impl Times {
    fn of(set: RuleSet, events: &[u8]) -> Result<Self> {
        let set = Arc::new(set);
        let lines: Vec<&[u8]> = events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let each = |take: &mut dyn FnMut(u64, &Event<'_>)| {
            (0u64..).zip(&lines).try_for_each(|(index, line)| {
                let event = Event::parse(line).map_err(|error| anyhow::anyhow!("event {index}: {error}"))?;
                take(index, &event);
                Ok(())
            })
        };
        let detect = || {
            let (mut detector, mut findings, mut found) = (Detector::new(Arc::clone(&set)), Vec::new(), 0);
            each(&mut |index, event| {
                detector.observe(&Observed { index, cluster: "lab", received: 0, event }, &mut findings);
                found += findings.len();
                findings.clear();
            })?;
            Ok(found)
        };
        let find = || {
            let (mut matcher, mut matches) = (Matcher::new(Arc::clone(&set)), Vec::new());
            each(&mut |_, event| {
                matcher.matches(event, &mut matches);
                std::hint::black_box(&matches);
            })
        };
        let (detecting, findings) = best(&detect)?;
        Ok(Self { detecting, matching: best(&find)?.0, findings })
    }
}

/// The rules and correlations, and nine copies of each; the copies of a correlation are about copies of its rules.
fn tenfold(loaded: &Loaded, copies: Copies) -> Loaded {
    let mut many = loaded.clone();
    for copy in 1..10 {
        let renamed = |name: &String| format!("{name}-{copy}");
        let rename = |meta: &mut Meta| (meta.id, meta.name) = (renamed(&meta.id), meta.name.as_ref().map(renamed));
        for mut rule in loaded.rules.clone() {
            rename(&mut rule.meta);
            if copies == Copies::OfOtherValues {
                change(&mut rule.condition, Sense::Positive, copy);
            }
            many.rules.push(rule);
        }
        for mut correlation in loaded.correlations.clone() {
            rename(&mut correlation.meta);
            correlation.rules.iter_mut().for_each(|rule| *rule = renamed(rule));
            for of in correlation.aliases.values_mut() {
                *of = of.iter().map(|(rule, field)| (renamed(rule), field.clone())).collect();
            }
            many.correlations.push(correlation);
        }
    }
    many
}

/// Makes every text that is wanted another. What is not wanted stays: exceptions of a rule are those of its copies.
fn change(condition: &mut Condition, sense: Sense, copy: usize) {
    match (condition, sense) {
        (Condition::Always(_), _) => {}
        (Condition::All(parts) | Condition::Any(parts), _) => {
            parts.iter_mut().for_each(|part| change(part, sense, copy));
        }
        (Condition::Not(inner), Sense::Positive) => change(inner, Sense::Negative, copy),
        (Condition::Not(inner), Sense::Negative) => change(inner, Sense::Positive, copy),
        (Condition::Test(predicate), Sense::Positive) if !SHARED.contains(&&*predicate.field.name()) => {
            change_test(&mut predicate.test, copy);
        }
        (Condition::Test(_), _) => {}
    }
}

/// Fields in which the rules of a larger set look for the same few values.
const SHARED: [&str; 4] = ["verb", "stage", "ka.verb", "ka.stage"];

fn change_test(test: &mut Test, copy: usize) {
    let other = |text: &mut Box<str>| *text = format!("{text}{copy}").into();
    match test {
        Test::Text(
            _,
            Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Suffix(text) | Pattern::Contains(text),
        ) => {
            other(text);
        }
        Test::AllWithin(texts) | Test::UnderPath(texts) => texts.iter_mut().for_each(other),
        Test::AnyOf(tests) => tests.iter_mut().for_each(|test| change_test(test, copy)),
        Test::Every(inner) => change_test(inner, copy),
        _ => {}
    }
}
