//! Rules that can never decide, proved over the whole space of requests.

use super::{Issue, NEVER_MATCHES, Subject, TOO_COMPLEX, UNREACHABLE_RULE, nth};
use crate::space::{Region, TooComplex};

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    let Some(map) = &subject.map else {
        issues.push(subject.issue(&TOO_COMPLEX, None, TooComplex.to_string()));
        return;
    };
    for (i, _) in subject.rules() {
        let remove = subject.outline.and_then(|outline| outline.remove_rule(i));
        if map.matched[i].is_empty() {
            let message = format!("{} matches no request", nth(i));
            issues.push(subject.issue(&NEVER_MATCHES, Some(i), message).with_fix("remove the rule", remove));
        } else if map.decided[i].is_empty() {
            let by = shadowing(&map.matched[i], &map.matched[..i]);
            let message = format!("{} decides no request: {} before it", nth(i), matched_by(&by));
            issues.push(subject.issue(&UNREACHABLE_RULE, Some(i), message).with_fix("remove the rule", remove));
        }
    }
}

/// A smallest set of earlier rules that leaves nothing to a rule: none of them can be missed.
pub(crate) fn shadowing(region: &Region, earlier: &[Region]) -> Vec<usize> {
    let mut needed: Vec<usize> = (0..earlier.len()).filter(|&i| region.intersects(&earlier[i])).collect();
    let covered = |rules: &[usize]| {
        let mut rest = region.clone();
        for &rule in rules {
            match rest.minus(&earlier[rule]) {
                Ok(smaller) => rest = smaller,
                Err(TooComplex) => return false,
            }
        }
        rest.is_empty()
    };
    if let Some(&alone) = needed.iter().find(|&&rule| covered(&[rule])) {
        return vec![alone];
    }
    for i in (0..needed.len()).rev() {
        let mut without = needed.clone();
        without.remove(i);
        if covered(&without) {
            needed = without;
        }
    }
    needed
}

fn matched_by(rules: &[usize]) -> String {
    match rules {
        [only] => format!("{} matches everything it matches", nth(*only)),
        several => {
            let names: Vec<String> = several.iter().map(|rule| (rule + 1).to_string()).collect();
            format!("rules {} together match everything it matches", names.join(", "))
        }
    }
}
