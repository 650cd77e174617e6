//! Another Sigma engine is asked the same: published and random rules over recorded events must match the same events.
//!
//! Where the two differ on purpose, the question is not asked:
//!
//! - a body that the audit level left out is *not recorded* for us and absent for the other, so random rules look at
//!   bodies only in events that have both;
//! - `neq` of a field that is not there holds for us, as where pySigma translates it to `not`; the other says it does not;
//! - a wildcard in a value of `startswith` or `endswith` does not anchor the other end for us, nor in pySigma; for the
//!   other it does;
//! - our pseudo-fields `hostPath`, `capabilities` and `privileged` reach every container list and every template, and a
//!   key with dots in it is found below its parent, which the other does not know;
//! - we judge a request by one of its events, so the events are last stages of short requests.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::random_rules::{Bodies, RandomRules};
use crate::readers::said;
use crate::repository;
use crate::verdicts::Verdicts;

/// Every so manieth event of the recording that can be asked about.
const STRIDE: usize = 16;
/// Events with bodies that are asked about.
const WHOLE_MAX: usize = 400;
const RANDOM_RULES: usize = 200;
/// Disagreements that are shown.
const SHOWN: usize = 5;

/// Line of an event, id of a rule.
type Match = (u64, String);

pub(crate) fn run(kubewitness: &Path, dir: &Path, verdicts: &mut Verdicts) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let peer = Peer::build()?;
    let (bare, whole) = recorded_events()?;
    let random = |events: &[Value], bodies| RandomRules::new(events, bodies).take(RANDOM_RULES).collect();
    let cases = [
        ("published", published_rules()?, [bare.as_slice(), &whole].concat()),
        ("random", random(&bare, Bodies::Out), bare),
        ("random-bodies", random(&whole, Bodies::In), whole),
    ];
    for (name, rules, events) in cases {
        let events: Vec<String> = events.iter().map(Value::to_string).collect();
        let (rules_file, events_file) = (dir.join(format!("{name}.yml")), dir.join(format!("{name}.ndjson")));
        std::fs::write(&rules_file, rules.join("---\n"))?;
        std::fs::write(&events_file, events.join("\n") + "\n")?;
        let ours = our_matches(kubewitness, &rules_file, &events_file)?;
        let theirs = peer.matches(&rules_file, &events_file)?;
        let (count, of, found) = (rules.len(), events.len(), ours.len());
        let check = format!("{name}: rsigma finds the {found} matches that we find of {count} rules in {of} events");
        verdicts.note(&check, equal(&ours, &theirs, &rules, &events));
    }
    Ok(())
}

fn equal(ours: &BTreeSet<Match>, theirs: &BTreeSet<Match>, rules: &[String], events: &[String]) -> Result<()> {
    ensure!(!ours.is_empty(), "nothing matched");
    let mut shown = String::new();
    let mut told = BTreeSet::new();
    for (line, id) in ours.symmetric_difference(theirs) {
        let who = if ours.contains(&(*line, id.clone())) { "only ours" } else { "only theirs" };
        if told.len() < SHOWN && told.insert((id, who)) {
            let rule = rules.iter().find(|rule| rule.contains(id)).map_or("", String::as_str);
            let event = usize::try_from(*line).ok().and_then(|line| events.get(line)).map_or("", String::as_str);
            shown.push_str(&format!("\n{who}:\n{rule}{event}\n"));
        }
    }
    let (count, of) = (ours.symmetric_difference(theirs).count(), ours.union(theirs).count());
    ensure!(count == 0, "{count} of {of} differ{shown}");
    Ok(())
}

/// Last stages of requests that are not long-running, so that each is one request: those without bodies, and those with
/// both.
fn recorded_events() -> Result<(Vec<Value>, Vec<Value>)> {
    let recording = std::fs::File::open(repository().join("testdata/lab/events.jsonl.zst"))?;
    let text = String::from_utf8(zstd::decode_all(recording)?)?;
    let events = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let is_short = |event: &Value| {
        event["stage"] == "ResponseComplete" && event["verb"] != "watch" && event["objectRef"]["subresource"].is_null()
    };
    let (whole, bare): (Vec<Value>, Vec<Value>) = events
        .into_iter()
        .filter(is_short)
        .partition(|event| event["requestObject"].is_object() && event["responseObject"].is_object());
    Ok((bare.into_iter().step_by(STRIDE).collect(), whole.into_iter().take(WHOLE_MAX).collect()))
}

/// The rules of SigmaHQ for audit events, but those about pseudo-fields.
fn published_rules() -> Result<Vec<String>> {
    let directory = repository().join("crates/rule/tests/data/sigma/rules/application/kubernetes/audit");
    let mut rules = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let text = std::fs::read_to_string(entry?.path())?;
        if !["hostPath:", "capabilities:", "privileged:"].iter().any(|field| text.contains(field)) {
            rules.push(text.trim_end().to_owned() + "\n");
        }
    }
    rules.sort();
    Ok(rules)
}

fn our_matches(kubewitness: &Path, rules: &Path, events: &Path) -> Result<BTreeSet<Match>> {
    let mut scan = Command::new(kubewitness);
    scan.args(["scan", "--no-builtin", "-o", "ndjson", "--rules"]).arg(rules).arg(events);
    let output = scan.output().with_context(|| format!("{scan:?}"))?;
    std::io::stderr().write_all(&output.stderr)?;
    ensure!(output.status.code() != Some(3) && output.stderr.is_empty(), "{scan:?}: {}", output.status);
    let finding = |line: &str| -> Result<Match> {
        let finding: Value = serde_json::from_str(line)?;
        let index = finding["events"][0]["index"].as_u64().context("a finding has an event")?;
        Ok((index, finding["rule"]["id"].as_str().context("a finding has a rule")?.to_owned()))
    };
    String::from_utf8(output.stdout)?.lines().map(finding).collect()
}

/// The other engine, built from `e2e/peer`.
struct Peer(PathBuf);

impl Peer {
    fn build() -> Result<Self> {
        let (home, target) = (repository().join("e2e/peer"), repository().join("e2e/.cache/peer"));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        said(
            Command::new(cargo)
                .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
                .arg(&target)
                .current_dir(home),
        )?;
        Ok(Self(target.join("release/sigma-peer")))
    }

    fn matches(&self, rules: &Path, events: &Path) -> Result<BTreeSet<Match>> {
        let fields = repository().join("e2e/peer/fields.yml");
        let told = said(Command::new(&self.0).args([rules, fields.as_path(), events]))?;
        let found = |line: &str| -> Result<Match> {
            let (line, id) = line.split_once('\t').context("a line and an id")?;
            Ok((line.parse()?, id.to_owned()))
        };
        told.lines().map(found).collect()
    }
}
