//! How many of the recorded attacks the rules find, and how often they cry wolf.
//!
//! The recording has labelled attacks after ten peaceful minutes. An attack counts as found only if a rule that names
//! its cause (`bench/detection/causes.json`) speaks of the right actor within the time of the attack. The same is asked
//! of the built-in rules, of SigmaHQ's alone and of Falco's alone.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use audit::Event;
use detect::{Detector, Observed};
use finding::{Finding, Severity};
use jiff::{SignedDuration, Timestamp};
use rule::{Loaded, Options, Origin, RuleSet, Source, load_builtin, load_falco, load_sigma};
use serde::Deserialize;

use crate::corpus::Corpus;
use crate::scan::{self, Runs, Scan};

/// Attacks that the built-in rules must find.
const FOUND_MIN: usize = 36;
/// Findings of severity medium or higher that the built-in rules may make in the peaceful minutes.
const FALSE_ALARMS_MAX: usize = 5;
/// Length of the peaceful part at the start of the recording.
const PEACE: SignedDuration = SignedDuration::from_mins(10);
/// How far the clock of who wrote the labels may differ from that of the API server.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_millis(20);

/// A labelled attack.
#[derive(Deserialize)]
struct Attack {
    attack: String,
    user: String,
    start: Timestamp,
    end: Timestamp,
}

impl Attack {
    /// Whether a finding speaks of who did it, when it was done.
    fn holds(&self, finding: &Finding) -> bool {
        let within = finding.time >= self.start - CLOCK_SLACK && finding.time <= self.end + CLOCK_SLACK;
        within && finding.actor.user == self.user
    }
}

/// Rules that name the cause of an attack: file names of built-in and Sigma rules, names of Falco's.
#[derive(Deserialize)]
struct Causes {
    builtin: Vec<String>,
    sigma: Vec<String>,
    falco: Vec<String>,
}

impl Causes {
    fn of(&self, origin: Origin) -> &[String] {
        match origin {
            Origin::Builtin => &self.builtin,
            Origin::Sigma => &self.sigma,
            Origin::Falco => &self.falco,
        }
    }
}

/// What one set of rules made of the recording.
struct Outcome {
    origin: Origin,
    rules: usize,
    /// Per attack, the gravest finding of a rule that names the cause.
    found: Vec<Option<(Severity, String)>>,
    /// Findings of severity medium or higher.
    loud: usize,
    /// Those of them that speak of an attack.
    loud_of_attacks: usize,
    /// Those of them in the peaceful minutes.
    false_alarms: Vec<String>,
    /// All findings of the peaceful minutes.
    quiet_findings: usize,
}

impl Outcome {
    fn found(&self) -> usize {
        self.found.iter().flatten().count()
    }

    fn found_loudly(&self) -> usize {
        self.found.iter().flatten().filter(|(severity, _)| *severity >= Severity::Medium).count()
    }
}

const SIGMA_RULES: &str = "crates/rule/tests/data/sigma/rules";
const SIGMA_AUDIT_RULES: &str = "crates/rule/tests/data/sigma/rules/application/kubernetes/audit";
const FALCO_RULES: &str = "crates/rule/tests/data/falco/rules/k8s_audit_rules.yaml";
const PAGE: &str = "bench/detection/results.md";

const INTRODUCTION: &str = "# Detection on the recorded cluster

`cargo run --release -p bench -- detection` writes this page.

An attack counts as found only if a rule that names its cause (`causes.json`) speaks of the right actor within the time of the attack. The two that the built-in rules miss left no trace of their cause in the log: the policy records no ConfigMap bodies, and the other client gave up before it sent its exec.

";

/// Prints and writes the tables, and fails if the built-in rules or the speed of a scan do not keep their promise.
pub(crate) fn run(program: Option<&Path>) -> Result<()> {
    let runs = run_scans(program)?;
    let lab = Lab::read()?;
    let outcomes = [builtin(), sigma()?, falco()?].map(|(origin, loaded)| lab.play(origin, loaded));
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    let scan = Scan::measure(runs, &everything, &lab.events)?;
    let mut page = INTRODUCTION.to_owned();
    write_summary(&mut page, &lab, &outcomes)?;
    write_attacks(&mut page, &lab, &outcomes)?;
    write!(page, "\n## Speed of a scan\n\n{}", scan.table())?;
    println!("{page}");
    fs::write(root().join(PAGE), page)?;
    let builtin = &outcomes[0];
    builtin.false_alarms.iter().for_each(|alarm| println!("peaceful part: {alarm}"));
    ensure!(builtin.found() >= FOUND_MIN, "the built-in rules must find {FOUND_MIN} attacks");
    ensure!(builtin.false_alarms.len() <= FALSE_ALARMS_MAX, "more than {FALSE_ALARMS_MAX} false alarms");
    scan.check()
}

fn run_scans(program: Option<&Path>) -> Result<Runs> {
    let (root, cache) = (root(), root().join("bench/.cache"));
    fs::create_dir_all(&cache)?;
    let program = crate::program(&root, program)?;
    let corpus = Corpus::of(&root, &cache, scan::COPIES)?;
    let paths = [root.join(SIGMA_RULES), root.join(FALCO_RULES)];
    Runs::of(&program, &corpus, &paths)
}

/// Every rule there is: our own, Sigma's of any cloud, Falco's.
fn everything() -> Result<Loaded> {
    let mut loaded = load_builtin();
    for source in sources(SIGMA_RULES)? {
        loaded.extend(load_sigma(&source));
    }
    loaded.extend(falco()?.1);
    Ok(loaded)
}

fn builtin() -> (Origin, Loaded) {
    (Origin::Builtin, load_builtin())
}

fn sigma() -> Result<(Origin, Loaded)> {
    let mut loaded = Loaded::default();
    for source in sources(SIGMA_AUDIT_RULES)? {
        loaded.extend(load_sigma(&source));
    }
    Ok((Origin::Sigma, loaded))
}

fn falco() -> Result<(Origin, Loaded)> {
    Ok((Origin::Falco, load_falco(&[source(&root().join(FALCO_RULES))?])))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rule files below a folder.
fn sources(folder: &str) -> Result<Vec<Source>> {
    let (mut open, mut sources) = (vec![root().join(folder)], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            sources.push(source(&path)?);
        }
    }
    Ok(sources)
}

fn source(path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// The recording and its labels.
struct Lab {
    events: Vec<u8>,
    attacks: Vec<Attack>,
    causes: HashMap<String, Causes>,
}

impl Lab {
    fn read() -> Result<Self> {
        let lab = root().join("testdata/lab");
        let events = fs::File::open(lab.join("events.jsonl.zst")).context("opening the recording")?;
        let labels = fs::read_to_string(lab.join("truth.jsonl")).context("reading the labels")?;
        let causes = fs::read(root().join("bench/detection/causes.json")).context("reading the causes")?;
        let lab = Self {
            events: zstd::decode_all(events)?,
            attacks: labels.lines().map(serde_json::from_str).collect::<Result<_, _>>()?,
            causes: serde_json::from_slice(&causes)?,
        };
        for attack in &lab.attacks {
            ensure!(lab.causes.contains_key(&attack.attack), "no causes are named for {}", attack.attack);
        }
        Ok(lab)
    }

    fn play(&self, origin: Origin, loaded: Loaded) -> Result<Outcome> {
        let set = Arc::new(RuleSet::compile(loaded, Options::default()));
        let names = names(&set);
        let (findings, began) = self.findings(Arc::clone(&set))?;
        let mut outcome = Outcome {
            origin,
            rules: set.rules().len() + set.correlations().len(),
            found: self.attacks.iter().map(|attack| self.cause_found(attack, origin, &names, &findings)).collect(),
            loud: 0,
            loud_of_attacks: 0,
            false_alarms: Vec::new(),
            quiet_findings: 0,
        };
        for finding in &findings {
            let (peaceful, loud) = (finding.time < began + PEACE, finding.severity >= Severity::Medium);
            outcome.quiet_findings += usize::from(peaceful);
            outcome.loud += usize::from(loud);
            outcome.loud_of_attacks += usize::from(loud && self.attacks.iter().any(|attack| attack.holds(finding)));
            if peaceful && loud {
                outcome.false_alarms.push(format!("{}: {}", finding.rule.title, finding.story));
            }
        }
        Ok(outcome)
    }

    /// All findings, and the time of the first event.
    fn findings(&self, set: Arc<RuleSet>) -> Result<(Vec<Finding>, Timestamp)> {
        let mut detector = Detector::new(set);
        let mut findings = Vec::new();
        let mut began = None;
        let lines = self.events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            let event = Event::parse(line).map_err(|error| anyhow::anyhow!("event {index}: {error}"))?;
            let observed = Observed { index: index as u64, cluster: "lab", received: 0, event: &event };
            began.get_or_insert(observed.time());
            detector.observe(&observed, &mut findings);
        }
        detector.finish(&mut findings);
        Ok((findings, Timestamp::from_microsecond(began.unwrap_or_default())?))
    }

    fn cause_found(
        &self,
        attack: &Attack,
        origin: Origin,
        names: &BTreeMap<String, String>,
        findings: &[Finding],
    ) -> Option<(Severity, String)> {
        let causes = self.causes.get(&attack.attack)?.of(origin);
        let name = |finding: &Finding| names.get(&finding.rule.id).unwrap_or(&finding.rule.id).clone();
        findings
            .iter()
            .filter(|finding| attack.holds(finding))
            .map(|finding| (finding.severity, name(finding)))
            .filter(|(_, name)| causes.contains(name))
            .max_by_key(|(severity, _)| *severity)
    }
}

/// The name by which the causes know a rule, by rule id: its file's, or its own for a Falco rule.
fn names(set: &RuleSet) -> BTreeMap<String, String> {
    let stem = |file: &str| Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let rules = set.rules().iter().filter(|rule| rule.meta.origin != Origin::Falco);
    let rules = rules.map(|rule| (rule.meta.id.clone(), stem(&rule.meta.file)));
    rules.chain(set.correlations().iter().map(|c| (c.meta.id.clone(), stem(&c.meta.file)))).collect()
}

fn write_summary(page: &mut String, lab: &Lab, outcomes: &[Outcome]) -> Result<()> {
    writeln!(
        page,
        "| rules | loaded | attacks found | at medium or higher | findings ≥ medium | of attacks | precision | peaceful 10 min: ≥ medium | all |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|---|")?;
    for outcome in outcomes {
        writeln!(
            page,
            "| {} | {} | {} of {} | {} | {} | {} | {} | {} | {} |",
            outcome.origin.name(),
            outcome.rules,
            outcome.found(),
            lab.attacks.len(),
            outcome.found_loudly(),
            outcome.loud,
            outcome.loud_of_attacks,
            percent(outcome.loud_of_attacks, outcome.loud),
            outcome.false_alarms.len(),
            outcome.quiet_findings,
        )?;
    }
    Ok(())
}

fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{} %", part * 100 / whole),
    }
}

fn write_attacks(page: &mut String, lab: &Lab, outcomes: &[Outcome]) -> Result<()> {
    let header: Vec<&str> = outcomes.iter().map(|outcome| outcome.origin.name()).collect();
    writeln!(page, "\n| attack | {} |\n|---|{}", header.join(" | "), "---|".repeat(header.len()))?;
    for (i, attack) in lab.attacks.iter().enumerate() {
        let cell = |outcome: &Outcome| match &outcome.found[i] {
            Some((severity, rule)) => format!("{rule} ({})", severity.name()),
            None => "–".to_owned(),
        };
        writeln!(page, "| {} | {} |", attack.attack, outcomes.iter().map(cell).collect::<Vec<_>>().join(" | "))?;
    }
    Ok(())
}
