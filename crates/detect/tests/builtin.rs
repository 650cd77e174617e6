//! The built-in rules pass those of their tests that need state: sequences, counts, distinct counts.
//!
//! Each file is run alone, on its own events. First-seen is not tested here: its learning time is longer than a test.

use std::sync::Arc;

use audit::Event;
use detect::{Detector, Observed};
use rule::{Correlation, Expected, Options, RuleSet, RuleTest, Source, builtin, load_sigma};

fn fires(set: &Arc<RuleSet>, correlation: &Correlation, test: &RuleTest) -> bool {
    let mut detector = Detector::new(Arc::clone(set));
    let mut findings = Vec::new();
    for (index, text) in test.events().enumerate() {
        let event = Event::parse(text.as_bytes()).expect("an event of a test");
        let observed = Observed { index: index as u64, cluster: "", received: 0, event: &event };
        detector.observe(&observed, &mut findings);
    }
    detector.finish(&mut findings);
    findings.iter().any(|finding| finding.rule.id == correlation.meta.id)
}

fn failures(source: &Source) -> Vec<String> {
    let set = Arc::new(RuleSet::compile(load_sigma(source), Options::default()));
    let mut failures = Vec::new();
    for correlation in set.correlations() {
        for test in &correlation.meta.extension.tests {
            if fires(&set, correlation, test) != (test.expected == Expected::Match) {
                failures.push(format!(
                    "{}:{}: {:?}: expected {:?}",
                    source.name, test.place.line, test.name, test.expected
                ));
            }
        }
    }
    failures
}

#[test]
fn correlations_pass_their_tests() {
    let failures: Vec<String> = builtin().iter().flat_map(failures).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_correlation_has_tests_of_both_kinds() {
    for source in builtin() {
        for correlation in load_sigma(source).correlations {
            let count = |expected| correlation.meta.extension.tests.iter().filter(|t| t.expected == expected).count();
            let (matches, others) = (count(Expected::Match), count(Expected::NoMatch));
            assert!(matches >= 2 && others >= 2, "{}: {matches} and {others} tests", source.name);
        }
    }
}
