//! Every built-in rule loads without a problem and passes the tests that it carries.
//!
//! Tests of several events need state and are run where the state is kept.

use std::sync::Arc;

use audit::Event;
use rule::{Expected, Matcher, Options, Problem, RuleSet, Severity, load_builtin};

fn grave(problems: &[Problem]) -> Vec<String> {
    problems.iter().filter(|problem| problem.severity > Severity::Note).map(ToString::to_string).collect()
}

#[test]
fn builtin_rules_load_without_problems() {
    let set = RuleSet::compile(load_builtin(), Options::default());
    let problems = grave(set.problems());
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn builtin_rules_pass_their_tests() {
    let set = Arc::new(RuleSet::compile(load_builtin(), Options::default()));
    let mut matcher = Matcher::new(Arc::clone(&set));
    let (mut failures, mut matches) = (Vec::new(), Vec::new());
    for rule in set.rules() {
        for test in rule.meta.extension.tests.iter().filter(|test| test.events().len() == 1) {
            let at = format!("{}:{}: {}: {:?}", rule.meta.file, test.place.line, rule.meta.title, test.name);
            let text: String = test.events().collect();
            let event = match Event::parse(text.as_bytes()) {
                Ok(event) => event,
                Err(error) => {
                    failures.push(format!("{at}: {error}"));
                    continue;
                }
            };
            matcher.matches(&event, &mut matches);
            let found = matches.iter().any(|found| std::ptr::eq(set.rule(found.rule), rule));
            if found != (test.expected == Expected::Match) {
                failures.push(format!("{at}: expected {:?}\n  {text}", test.expected));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
