//! Bodies that should not be in a log.

use super::{Issue, SECRET_BODIES, Subject, nth};
use crate::model::{GroupResources, Level, Policy, Rule};
use crate::remedy;
use crate::space::Region;

/// Resources whose bodies hold secrets, with the reason.
const SENSITIVE: &[(&str, &[&str], &str)] = &[
    ("", &["secrets"], "secret values"),
    ("", &["serviceaccounts/token"], "usable tokens"),
    ("authentication.k8s.io", &["tokenreviews"], "the token under review"),
];

/// A rule for each of them, so that the space has their atoms.
pub(super) fn sensitive_policy() -> Policy {
    let mut policy = Policy::new(SENSITIVE.iter().map(|(group, resources, _)| selector(group, resources)).collect());
    // Everyday users and verbs that several checks ask about.
    policy
        .rules
        .push(Rule { verbs: ["get", "list", "watch", "patch", "create"].map(String::from).into(), ..Rule::default() });
    policy
}

fn selector(group: &str, resources: &[&str]) -> Rule {
    let resources = resources.iter().map(|r| (*r).to_owned()).collect();
    let entry = GroupResources { group: group.to_owned(), resources, ..GroupResources::default() };
    Rule { level: Level::Metadata, resources: vec![entry], ..Rule::default() }
}

/// Whether a rule decides any request for secrets or tokens; assumed where the rules are too tangled to say.
pub(super) fn decides_sensitive(subject: &Subject<'_>, rule: usize) -> bool {
    let Some(map) = &subject.map else { return true };
    let region = |(group, resources, _): &(&str, &[&str], &str)| subject.space.rule(&selector(group, resources));
    SENSITIVE.iter().any(|row| map.decided[rule].intersects(&region(row)))
}

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    let Some(map) = &subject.map else { return };
    let mut first = None;
    for (i, rule) in subject.rules() {
        if rule.level < Level::Request {
            continue;
        }
        let leaks = |region: &Region| map.decided[i].intersects(region);
        let leaking: Vec<_> = SENSITIVE
            .iter()
            .filter(|(group, resources, _)| leaks(&subject.space.rule(&selector(group, resources))))
            .collect();
        if leaking.is_empty() {
            continue;
        }
        first.get_or_insert(i);
        let names: Vec<String> =
            leaking.iter().map(|(_, resources, what)| format!("{} ({what})", resources.join(", "))).collect();
        let message = format!("{} records bodies of {}", nth(i), names.join(" and "));
        let found = subject.issue(&SECRET_BODIES, Some(i), message);
        let edit = subject.outline.filter(|_| first == Some(i)).and_then(|o| o.insert_rule(i, &remedy::secrets()));
        issues.push(found.with_fix("record secrets and tokens at Metadata first", edit));
    }
}
