//! `rules test`: the tests that rules carry.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use audit::Event;
use detect::{Detector, Observed};
use rule::{Expected, Matcher, RuleSet, RuleTest};

use super::{Entry, Kind, compile, entries};
use crate::exit;
use crate::rulesets::Choice;

/// Exit codes: 0 every test passed, 1 a test failed, 3 a file cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    #[command(flatten)]
    rules: Choice,
    /// Name every test
    #[arg(short, long)]
    verbose: bool,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let (mut passed, mut failed) = (0, 0);
        let mut out = anstream::stdout().lock();
        for entry in entries(&set) {
            for test in &entry.meta.extension.tests {
                let outcome = run_one(&set, &entry, test);
                match &outcome {
                    Ok(()) => passed += 1,
                    Err(_) => failed += 1,
                }
                if let Err(reason) = outcome {
                    writeln!(
                        out,
                        "FAIL {}:{}: {}: {}: {reason}",
                        entry.meta.file, test.place.line, entry.title, test.name
                    )?;
                } else if self.verbose {
                    writeln!(out, "ok   {}: {}", entry.title, test.name)?;
                }
            }
        }
        writeln!(out, "{passed} passed, {failed} failed")?;
        Ok(exit::found(failed == 0))
    }
}

/// Runs one test; the error says what went wrong.
pub(super) fn run_one(set: &Arc<RuleSet>, entry: &Entry<'_>, test: &RuleTest) -> Result<(), String> {
    let texts: Vec<String> = test.events().collect();
    let events: Vec<Event<'_>> = texts
        .iter()
        .map(|text| Event::parse(text.as_bytes()).map_err(|error| format!("the event does not read: {error}")))
        .collect::<Result<_, _>>()?;
    let found = match (entry.kind, events.as_slice()) {
        // One event shows whether the condition holds; whether it is news takes several.
        (Kind::Rule(rule), [event]) => matches(set, rule, event),
        _ => detects(set, &entry.meta.id, &events),
    };
    match (test.expected, found) {
        (Expected::Match, false) => Err("it should match and does not".to_owned()),
        (Expected::NoMatch, true) => Err("it should not match and does".to_owned()),
        _ => Ok(()),
    }
}

fn matches(set: &Arc<RuleSet>, rule: &rule::Rule, event: &Event<'_>) -> bool {
    let mut found = Vec::new();
    Matcher::new(Arc::clone(set)).matches(event, &mut found);
    found.iter().any(|found| std::ptr::eq(set.rule(found.rule), rule))
}

/// Runs the events in order, a second apart where they tell no time.
fn detects(set: &Arc<RuleSet>, id: &str, events: &[Event<'_>]) -> bool {
    let (mut detector, mut findings) = (Detector::new(Arc::clone(set)), Vec::new());
    for (index, event) in events.iter().enumerate() {
        let received = (index as i64 + 1) * 1_000_000;
        detector.observe(&Observed { index: index as u64, cluster: "", received, event }, &mut findings);
    }
    detector.finish(&mut findings);
    findings.iter().any(|finding| finding.rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_rules_pass_the_tests_they_carry() {
        let set = Arc::new(RuleSet::compile(rule::load_builtin(), rule::Options::default()));
        let mut failures = Vec::new();
        for entry in entries(&set) {
            for test in &entry.meta.extension.tests {
                if let Err(reason) = run_one(&set, &entry, test) {
                    failures.push(format!("{}: {}: {reason}", entry.title, test.name));
                }
            }
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }
}
