//! What a linter says of rules that load: those that can never match, and where Falco and we differ.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Level, Stage};

use crate::condition::{Case, Condition, Order, Pattern, Predicate, Sense, Test, Truth};
use crate::field::{Field, Part, Root, check_path};
use crate::problem::{Fault, Place, Problem, nearest};
use crate::rule::{Flavour, Rule};
use crate::set::{Matching, RuleRef, RuleSet};

/// Verbs that the API server writes.
const VERBS: [&str; 16] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "post",
    "put",
    "head",
    "options",
    "connect",
    "proxy",
    "trace",
    "apply",
];

/// More Falco rules than this are not compared with each other.
const SHADOW_RULES_MAX: usize = 2_000;

/// Where a Falco rule means something else natively than in Falco.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The rule.
    pub rule: RuleRef,
    /// What differs, and to what effect.
    pub what: String,
}

impl RuleSet {
    /// Rules that can never match are errors: dead verbs, unknown fields, values of the wrong type, combinations that
    /// exclude each other. If a part of a rule can never match, that is a note. So is a Falco rule that an earlier one
    /// always takes the event from, unless the rules are matched so: then it is an error. A rule that says itself that
    /// it never holds is a warning.
    pub fn check(&self) -> Vec<Problem> {
        let evaluated = || self.rules().iter().filter(|rule| rule.is_evaluated());
        let mut problems: Vec<Problem> = evaluated().flat_map(check_rule).collect();
        problems.extend(shadowed(self.rules(), self.options().matching));
        problems
    }

    /// Where the Falco rules mean something else natively than in Falco.
    pub fn differences(&self) -> Vec<Difference> {
        let each = self.rules().iter().enumerate().filter(|(_, rule)| matches!(rule.flavour, Flavour::Falco { .. }));
        each.flat_map(|(at, rule)| {
            let rule_ref = RuleRef(u32::try_from(at).unwrap_or(u32::MAX));
            differences_of(rule).into_iter().map(move |what| Difference { rule: rule_ref, what })
        })
        .collect()
    }
}

fn check_rule(rule: &Rule) -> Vec<Problem> {
    if let Some(reason) = dead(&rule.condition) {
        let what = format!("`{}` can never match: {reason}", rule.meta.title);
        let fault = match is_switched_off(&rule.condition) {
            true => Fault::warning(rule.meta.place, what),
            false => Fault::error(rule.meta.place, what),
        };
        return vec![fault.in_file(&rule.meta.file)];
    }
    let mut faults = BTreeMap::new();
    rule.condition.each_test(&mut |predicate, sense| {
        if sense == Sense::Positive
            && let Some(reason) = dead_test(predicate)
        {
            faults.entry(reason).or_insert(rule.meta.place);
        }
    });
    let notes =
        faults.into_iter().map(|(reason, place)| Fault::note(place, format!("`{}`: {reason}", rule.meta.title)));
    notes.map(|fault| fault.in_file(&rule.meta.file)).collect()
}

/// Whether a rule says itself that it never holds: Falco's own rules are switched off by such a macro.
fn is_switched_off(condition: &Condition) -> bool {
    match condition {
        Condition::Always(truth) => *truth == Truth::False,
        Condition::All(parts) => parts.iter().any(is_switched_off),
        Condition::Not(inner) => matches!(**inner, Condition::Always(Truth::True)),
        Condition::Any(_) | Condition::Test(_) => false,
    }
}

/// Why a condition can never hold, if that shows.
fn dead(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Always(Truth::False) => Some("it is never true".to_owned()),
        Condition::Always(_) => None,
        Condition::All(parts) => parts.iter().find_map(dead).or_else(|| excluding(parts)),
        Condition::Any(parts) => {
            let reasons: Option<Vec<String>> = parts.iter().map(dead).collect();
            reasons.map(|reasons| reasons.into_iter().next().unwrap_or_else(|| "it has no alternatives".to_owned()))
        }
        Condition::Not(inner) => {
            matches!(**inner, Condition::Always(Truth::True)).then(|| "it is never true".to_owned())
        }
        Condition::Test(predicate) => dead_test(predicate),
    }
}

/// Why a test can never hold, if that shows.
fn dead_test(predicate: &Predicate) -> Option<String> {
    if let Field::Path(Root::Event, path) = &predicate.field
        && let Some(fault) = check_path(path, Place::default())
    {
        return Some(fault.what);
    }
    let path = single_path(&predicate.field)?;
    let Test::Text(case, Pattern::Exact(value)) = &predicate.test else { return None };
    let is = |name: &str| if *case == Case::Folded { name.to_lowercase() == **value } else { name == &**value };
    let near = |names: &[&str]| match nearest(value, names.iter().copied()) {
        Some(name) => format!(" (did you mean `{name}`?)"),
        None => String::new(),
    };
    match path.as_str() {
        "verb" if !VERBS.contains(&&**value) => Some(format!("`{value}` is no verb of Kubernetes{}", near(&VERBS))),
        "stage" if !Stage::ALL.iter().any(|stage| is(stage.name())) => {
            Some(format!("`{value}` is no stage{}", near(&Stage::ALL.map(Stage::name))))
        }
        "level" if !Level::ALL.iter().any(|level| is(level.name())) => {
            Some(format!("`{value}` is no audit level{}", near(&Level::ALL.map(Level::name))))
        }
        "responseStatus.code" if value.parse::<u16>().is_err() => {
            Some(format!("`responseStatus.code` is a number, never `{value}`"))
        }
        _ => None,
    }
}

/// The path of a field that has at most one value.
fn single_path(field: &Field) -> Option<String> {
    const SINGLE: [&str; 16] = [
        "verb",
        "stage",
        "level",
        "responseStatus.code",
        "objectRef.resource",
        "objectRef.subresource",
        "objectRef.namespace",
        "objectRef.name",
        "objectRef.apiGroup",
        "objectRef.apiVersion",
        "user.username",
        "impersonatedUser.username",
        "userAgent",
        "requestURI",
        "auditID",
        "responseStatus.reason",
    ];
    let path = match field {
        Field::Path(crate::field::Root::Event, path) => path.to_string(),
        Field::Falco(field) => field.known_path()?.0,
        _ => return None,
    };
    SINGLE.contains(&path.as_str()).then_some(path)
}

/// Why the parts cannot hold together: a field with one value would need two.
fn excluding(parts: &[Condition]) -> Option<String> {
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for part in flattened(parts) {
        let Some((path, values)) = exact_values(part) else { continue };
        let left = match allowed.get(&path) {
            Some(before) => before.intersection(&values).cloned().collect(),
            None => values,
        };
        if left.is_empty() {
            return Some(format!("`{path}` would need two values at once"));
        }
        allowed.insert(path, left);
    }
    None
}

fn flattened(parts: &[Condition]) -> Vec<&Condition> {
    let each = parts.iter().flat_map(|part| match part {
        Condition::All(inner) => flattened(inner),
        other => vec![other],
    });
    each.collect()
}

/// The values, in lower case, one of which a single-valued field must have.
fn exact_values(condition: &Condition) -> Option<(String, BTreeSet<String>)> {
    match condition {
        Condition::Test(Predicate { field, test: Test::Text(_, Pattern::Exact(value)) }) => {
            Some((single_path(field)?, BTreeSet::from([value.to_lowercase()])))
        }
        Condition::Any(parts) => {
            let mut each = parts.iter().map(exact_values);
            let (path, mut values) = each.next()??;
            for other in each {
                let (other_path, other_values) = other?;
                if other_path != path {
                    return None;
                }
                values.extend(other_values);
            }
            Some((path, values))
        }
        _ => None,
    }
}

/// Falco rules all of whose events an earlier rule takes.
fn shadowed(rules: &[Rule], matching: Matching) -> Vec<Problem> {
    let falco: Vec<(&Rule, Vec<&Condition>)> = rules
        .iter()
        .filter(|rule| rule.is_evaluated() && rule.priority().is_some())
        .map(|rule| (rule, flattened(std::slice::from_ref(&rule.condition))))
        .collect();
    if falco.len() > SHADOW_RULES_MAX {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (at, (rule, needs)) in falco.iter().enumerate() {
        let wider = falco[..at].iter().find(|(_, earlier)| earlier.iter().all(|part| needs.contains(part)));
        if let Some((earlier, _)) = wider {
            let (title, place) = (&rule.meta.title, rule.meta.place);
            let why = format!("`{}` stands before it and matches all that it does", earlier.meta.title);
            let fault = match matching {
                Matching::First => Fault::error(place, format!("`{title}` never reports: {why}")),
                Matching::All => {
                    Fault::note(place, format!("`{title}` never reports where the first match counts: {why}"))
                }
            };
            problems.push(fault.hint("match all rules, or move it up").in_file(&rule.meta.file));
        }
    }
    problems
}

fn differences_of(rule: &Rule) -> Vec<String> {
    let mut found = BTreeSet::new();
    rule.condition.each_test(&mut |predicate, sense| {
        if let Field::Falco(field) = &predicate.field
            && let Some(defect) = field.defect()
        {
            found.insert(format!("`{}`: {defect}", field.name()));
        }
        let ordered = |order: &Order| !matches!(order, Order::Equal | Order::NotEqual);
        if matches!(&predicate.test, Test::TextOrder(order, _) | Test::Number(order, _) if ordered(order)) {
            found.insert(format!("`{}`: Falco compares numbers as text", predicate.field.name()));
        }
        if sense == Sense::Negative && matches!(predicate.field.part(), Part::Request | Part::Response) {
            let name = predicate.field.name();
            found.insert(format!("`not {name} …`: Falco takes a body that was not recorded for one without the field"));
        }
    });
    found.into_iter().collect()
}
