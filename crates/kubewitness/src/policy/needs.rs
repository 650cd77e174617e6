//! What detection rules need from an audit policy, worked out from their conditions.
//!
//! For every kind of request the condition is evaluated with what is known of such a request (verb, resource, API group,
//! path) and everything else left open. The least level at which it can still hold is the level that the rule needs for
//! that kind of request.

mod field;
mod kind;
mod possible;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use audit::{Event, Level, Stage};
use policy::{Api, Identities, Need, Pattern, VERBS};
use rule::{Emission, FieldPath, Part, Rule, RuleSet};
use serde_json::json;

use super::correlation;
use field::values;
use kind::{ANY_GROUP, ANY_PATH, ANY_RESOURCE, Kind, Target, kinds};
use possible::{About, Facts};

/// Least level first; at `None` nothing is seen.
const LEVELS: [Level; 3] = [Level::Metadata, Level::Request, Level::RequestResponse];

/// What every evaluated rule of a set needs. One that needs different levels for different requests has several needs.
/// Each says which of `identities` it never fires for.
pub(super) fn needs(set: &RuleSet, api: &Api, identities: &Identities) -> Vec<Need> {
    let kinds = kinds(set, api);
    let parsed: Vec<(&Kind, Event<'_>)> =
        kinds.iter().filter_map(|kind| Some((kind, Event::parse(kind.event.as_bytes()).ok()?))).collect();
    let part_of = parts(set);
    let mut needs = Vec::new();
    for (rule, part_of) in set.rules().iter().zip(part_of).filter(|(rule, _)| rule.is_evaluated()) {
        let never = never(rule, identities);
        let of_rule = needs_of(rule, &parsed);
        needs.extend(of_rule.into_iter().map(|need| Need { part_of: part_of.clone(), never: never.clone(), ..need }));
    }
    needs
}

/// For each rule the correlations that it only feeds.
fn parts(set: &RuleSet) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new(); set.rules().len()];
    for at in correlation::all(set) {
        for rule in correlation::rules_of(set, at) {
            if set.emission(rule) == Emission::CorrelationOnly {
                parts[rule.0 as usize].push(correlation::name(set, at).to_owned());
            }
        }
    }
    parts
}

/// Verbs by level and target.
type Wanted<'k> = BTreeMap<Level, BTreeMap<&'k Target, Vec<&'static str>>>;

fn needs_of(rule: &Rule, kinds: &[(&Kind, Event<'_>)]) -> Vec<Need> {
    let mut wanted = Wanted::new();
    for (kind, event) in kinds {
        let facts = Facts { event, about: About::Request };
        let may_match = |level| facts.may_hold(&rule.condition, level).can_be_true;
        // Most rules are about few kinds of requests.
        if !may_match(Level::RequestResponse) {
            continue;
        }
        if let Some(level) = LEVELS.into_iter().find(|level| may_match(*level)) {
            wanted.entry(level).or_default().entry(&kind.target).or_default().push(kind.verb);
        }
    }
    wanted.into_iter().map(|(level, targets)| need(rule, level, &targets)).collect()
}

fn need(rule: &Rule, level: Level, targets: &BTreeMap<&Target, Vec<&'static str>>) -> Need {
    let stages = match rule.needs.stages.as_slice() {
        [] if targets.keys().all(|target| target.is_long()) => vec![Stage::ResponseStarted, Stage::ResponseComplete],
        [] => vec![Stage::ResponseComplete],
        stages => stages.to_vec(),
    };
    let in_body = |name: &String| FieldPath::new(name).field().part() >= Part::Request;
    let fields = rule.needs.fields.iter().filter(|name| level > Level::Metadata && in_body(name)).cloned().collect();
    let requests = patterns(targets).into_iter().map(|pattern| Pattern {
        users: values(&rule.condition, "user.username"),
        groups: values(&rule.condition, "user.groups"),
        namespaces: if pattern.paths.is_empty() { values(&rule.condition, "objectRef.namespace") } else { Vec::new() },
        ..pattern
    });
    Need {
        id: name(rule).to_owned(),
        title: rule.meta.title.clone(),
        goals: vec!["security".to_owned()],
        part_of: Vec::new(),
        requests: requests.collect(),
        never: Identities::default(),
        level,
        stages,
        fields,
    }
}

/// The targets as a policy writes them: those of a group that have the same verbs together.
fn patterns(targets: &BTreeMap<&Target, Vec<&'static str>>) -> Vec<Pattern> {
    let (any_group, any_resource) = ANY_RESOURCE;
    let any = targets.get(&Target::Resource(any_group.to_owned(), any_resource.to_owned(), String::new()));
    let mut shapes: BTreeMap<(&str, &[&str]), Vec<String>> = BTreeMap::new();
    let mut paths = Vec::new();
    for (target, verbs) in targets {
        match target {
            Target::Path(path) => paths.push(*path),
            Target::Resource(..) if any.is_some_and(|any| verbs.iter().all(|verb| any.contains(verb))) => {}
            Target::Resource(group, resource, subresource) => {
                let slash = if subresource.is_empty() { "" } else { "/" };
                shapes.entry((group, verbs)).or_default().push(format!("{resource}{slash}{subresource}"));
            }
        }
    }
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let verbs_of = |verbs: &[&str]| if verbs.len() == VERBS.len() { Vec::new() } else { owned(verbs) };
    let mut patterns: Vec<Pattern> = shapes
        .into_iter()
        .map(|((group, verbs), resources)| Pattern {
            verbs: verbs_of(verbs),
            group: group.to_owned(),
            resources,
            ..Pattern::default()
        })
        .collect();
    if let Some(verbs) = any {
        patterns.push(Pattern { verbs: verbs_of(verbs), group: ANY_GROUP.to_owned(), ..Pattern::default() });
    }
    if !paths.is_empty() {
        let paths = if paths.contains(&ANY_PATH) { owned(&["*"]) } else { owned(&paths) };
        patterns.push(Pattern { verbs: owned(&["get"]), paths, ..Pattern::default() });
    }
    patterns
}

/// Those of some identities that a rule cannot match, whatever else the event holds.
fn never(rule: &Rule, identities: &Identities) -> Identities {
    let without = |names: &[String], may_match: &dyn Fn(&str) -> bool| {
        names.iter().filter(|name| !may_match(name)).cloned().collect()
    };
    Identities {
        users: without(&identities.users, &|user| may_match(rule, user, group_of(user), About::User)),
        groups: without(&identities.groups, &|group| {
            let users = users_in(group);
            users.is_empty() || users.iter().any(|(user, group)| may_match(rule, user, group, About::Users))
        }),
    }
}

const NODES: &str = "system:nodes";

/// The group that tells the sort of a user.
fn group_of(user: &str) -> &'static str {
    if user.starts_with("system:node:") { NODES } else { "system:authenticated" }
}

/// A user, with a group that tells his sort, for every sort that a group has; none where that cannot be known.
fn users_in(group: &str) -> Vec<(String, &'static str)> {
    let of_namespace = |namespace: &str| (format!("system:serviceaccount:{namespace}:any"), "system:authenticated");
    match group {
        NODES => vec![("system:node:any".to_owned(), NODES)],
        "system:unauthenticated" => vec![("system:anonymous".to_owned(), "system:unauthenticated")],
        "system:serviceaccounts" => vec![of_namespace("any")],
        "system:authenticated" => {
            let others = ["anyone", "system:kube-scheduler", "system:any"];
            let others = others.map(|user| (user.to_owned(), "system:authenticated"));
            [of_namespace("any"), ("system:node:any".to_owned(), NODES)].into_iter().chain(others).collect()
        }
        _ => group.strip_prefix("system:serviceaccounts:").map(of_namespace).into_iter().collect(),
    }
}

fn may_match(rule: &Rule, user: &str, group: &str, about: About) -> bool {
    let text = json!({"auditID": "", "requestURI": "", "user": {"username": user, "groups": [group]}}).to_string();
    let Ok(event) = Event::parse(text.as_bytes()) else { return true };
    Facts { event: &event, about }.may_hold(&rule.condition, Level::RequestResponse).can_be_true
}

/// By what a rule is called in commands.
pub(super) fn name(rule: &Rule) -> &str {
    rule.meta.name.as_deref().unwrap_or(&rule.meta.id)
}
