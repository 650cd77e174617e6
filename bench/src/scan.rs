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
use rule::{Condition, Loaded, Matcher, Options, Pattern, RuleSet, Test};

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
/// Exit code of a scan that found something grave.
const FOUND: i32 = 2;

/// Figures of one run.
pub(crate) struct Scan {
    rules: usize,
    bytes: u64,
    without: Usage,
    with: Usage,
    load: Duration,
    compile: Duration,
    /// Times of the whole detector, and of matching alone, over the recording.
    once: Times,
    /// The same with ten times the rules, which also find ten times as much.
    tenfold: Times,
}

/// Times over events in memory.
struct Times {
    /// Matching, correlating and telling.
    detecting: Duration,
    /// Matching alone.
    matching: Duration,
}

impl Scan {
    /// Runs `program` on `corpus` with the built-in rules and those below `paths`, and measures `loaded` (the same
    /// rules, which `load` makes) on `events`.
    pub(crate) fn measure(
        program: &Path,
        corpus: &Corpus,
        paths: &[PathBuf],
        load: &dyn Fn() -> Result<Loaded>,
        events: &[u8],
    ) -> Result<Self> {
        let with: Vec<&str> = paths.iter().flat_map(|path| [Some("--rules"), path.to_str()]).flatten().collect();
        let (loading, loaded) = best(load)?;
        let (compiling, set) = best(&|| Ok(RuleSet::compile(loaded.clone(), Options::default())))?;
        // Copying what was loaded is not compiling it.
        let (copying, _) = best(&|| Ok(loaded.clone()))?;
        let many = RuleSet::compile(tenfold(loaded), Options::default());
        Ok(Self {
            rules: set.rules().len() + set.correlations().len(),
            bytes: corpus.bytes,
            without: scan(program, &["--no-builtin"], &corpus.file)?,
            with: scan(program, &with, &corpus.file)?,
            load: loading,
            compile: compiling.saturating_sub(copying),
            once: Times::of(set, events)?,
            tenfold: Times::of(many, events)?,
        })
    }

    fn rate(&self, usage: &Usage) -> f64 {
        self.bytes as f64 / usage.processor.as_secs_f64()
    }

    fn rules_cost(&self) -> f64 {
        self.with.processor.as_secs_f64() / self.without.processor.as_secs_f64()
    }

    fn tenfold_cost(&self) -> f64 {
        self.tenfold.detecting.as_secs_f64() / self.once.detecting.as_secs_f64()
    }

    fn tenfold_matching_cost(&self) -> f64 {
        self.tenfold.matching.as_secs_f64() / self.once.matching.as_secs_f64()
    }

    /// The figures as a table.
    pub(crate) fn table(&self) -> String {
        let rate = |usage: &Usage| format!("{:.0} MB/s", self.rate(usage) / 1e6);
        let memory = |usage: &Usage| format!("{} MB", usage.memory_peak / 1_000_000);
        let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let rows = [
            ("scan without rules", rate(&self.without), "–".to_owned()),
            ("scan with all rules", rate(&self.with), format!("≥ {:.0} MB/s", RATE_MIN / 1e6)),
            ("time with rules / without", format!("{:.2}", self.rules_cost()), format!("≤ {RULES_COST_MAX}")),
            (
                "time with ten times the rules / with them",
                format!("{:.2}", self.tenfold_cost()),
                format!("≤ {TENFOLD_COST_MAX}"),
            ),
            ("the same, matching alone", format!("{:.2}", self.tenfold_matching_cost()), "–".to_owned()),
            ("load all rules", millis(self.load), "–".to_owned()),
            ("compile all rules", millis(self.compile), format!("≤ {} together", millis(LOAD_MAX))),
            ("peak memory without rules", memory(&self.without), "–".to_owned()),
            ("peak memory with all rules", memory(&self.with), format!("≤ {} MB", MEMORY_MAX / 1_000_000)),
        ];
        let rows: String =
            rows.iter().map(|(what, figure, must)| format!("| {what} | {figure} | {must} |\n")).collect();
        format!(
            "{} rules and correlations, {} MB of events, processor time of one process.\n\n| what | measured | must |\n|---|---|---|\n{rows}",
            self.rules,
            self.bytes / 1_000_000
        )
    }

    /// Fails if a figure is not as it must be.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.rate(&self.with) >= RATE_MIN, "scanning with all rules is too slow");
        ensure!(self.rules_cost() <= RULES_COST_MAX, "rules cost too much");
        ensure!(self.tenfold_cost() <= TENFOLD_COST_MAX, "ten times the rules cost too much");
        ensure!(self.load + self.compile <= LOAD_MAX, "loading and compiling the rules takes too long");
        ensure!(self.with.memory_peak <= MEMORY_MAX, "scanning takes too much memory");
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
            let (mut detector, mut findings) = (Detector::new(Arc::clone(&set)), Vec::new());
            each(&mut |index, event| {
                detector.observe(&Observed { index, cluster: "lab", received: 0, event }, &mut findings);
                findings.clear();
            })
        };
        let find = || {
            let (mut matcher, mut matches) = (Matcher::new(Arc::clone(&set)), Vec::new());
            each(&mut |_, event| {
                matcher.matches(event, &mut matches);
                std::hint::black_box(&matches);
            })
        };
        Ok(Self { detecting: best(&detect)?.0, matching: best(&find)?.0 })
    }
}

/// The rules, and nine copies of each in which every text that is looked for is another.
fn tenfold(loaded: Loaded) -> Loaded {
    let mut many = loaded.clone();
    for copy in 1..10 {
        for mut rule in loaded.rules.clone() {
            rule.id = format!("{}-{copy}", rule.id);
            change(&mut rule.condition, copy);
            many.rules.push(rule);
        }
    }
    many
}

fn change(condition: &mut Condition, copy: usize) {
    match condition {
        Condition::Always(_) => {}
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(|part| change(part, copy)),
        Condition::Not(inner) => change(inner, copy),
        Condition::Test(predicate) => {
            if let Test::Text(
                _,
                Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Suffix(text) | Pattern::Contains(text),
            ) = &mut predicate.test
            {
                *text = format!("{text}{copy}").into();
            }
        }
    }
}
