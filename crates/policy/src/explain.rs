//! Why a policy decides as it does.

use serde::Serialize;

use crate::evaluate::{Evaluator, path_matches, resource_matches};
use crate::model::{GroupResources, Level, Policy, Rule, Stage};
use crate::request::Request;

/// The decision about one request, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The rule that decided, from zero.
    pub rule: Option<usize>,
    /// What is recorded.
    pub level: Level,
    /// Why each rule before it did not match.
    pub passed: Vec<Passed>,
    /// Stages for which an event is emitted.
    pub stages: Vec<Stage>,
    /// Stages that the request has but the policy omits.
    pub omitted_stages: Vec<Stage>,
    /// Whether `managedFields` are removed from bodies.
    pub omit_managed_fields: bool,
    /// What the events hold.
    pub holds: Vec<&'static str>,
    /// What they lack.
    pub lacks: Vec<&'static str>,
}

/// A rule that did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// The rule, from zero.
    pub rule: usize,
    /// The first of its conditions that the request does not meet.
    pub because: String,
}

/// Explains what a policy does with a request.
pub fn explain(policy: &Policy, request: &Request<'_>) -> Explanation {
    let evaluator = Evaluator::new(policy);
    let decision = evaluator.decide(request);
    let before = decision.rule.unwrap_or(policy.rules.len());
    let passed = |(rule, found): (usize, &Rule)| Some(Passed { rule, because: mismatch(found, request)? });
    let (stages, omitted_stages) = possible_stages(request)
        .into_iter()
        .partition(|stage| decision.level > Level::None && !decision.omit_stages.contains(stage));
    let (holds, lacks) = contents(decision.level, request);
    Explanation {
        rule: decision.rule,
        level: decision.level,
        passed: policy.rules[..before].iter().enumerate().filter_map(passed).collect(),
        stages,
        omitted_stages,
        omit_managed_fields: decision.omit_managed_fields,
        holds,
        lacks,
    }
}

/// The stages such a request goes through; a panic apart.
fn possible_stages(request: &Request<'_>) -> Vec<Stage> {
    if request.user.is_none() {
        return vec![Stage::ResponseStarted];
    }
    let mut stages = vec![Stage::RequestReceived];
    if request.is_long_running() {
        stages.push(Stage::ResponseStarted);
    }
    stages.push(Stage::ResponseComplete);
    stages
}

fn contents(level: Level, request: &Request<'_>) -> (Vec<&'static str>, Vec<&'static str>) {
    let streams = matches!(&*request.subresource, "exec" | "attach" | "portforward" | "proxy" | "log");
    let writes = matches!(&*request.verb, "create" | "update" | "patch" | "delete" | "deletecollection");
    let (mut holds, mut lacks) = (Vec::new(), Vec::new());
    let mut put = |there: bool, what| if there { holds.push(what) } else { lacks.push(what) };
    let some = level > Level::None;
    put(some, "user, groups, source addresses, user agent");
    put(some, "verb, request URI, object reference, outcome, annotations");
    if streams {
        if matches!(&*request.subresource, "exec" | "attach") {
            put(some, "the command, in the request URI");
        }
        lacks.push("what is typed and shown: streams have no bodies");
    } else {
        if writes && request.resource_request {
            put(level >= Level::Request, "the request body");
        }
        if request.verb == "watch" {
            lacks.push("the watched events: they are never recorded");
        } else {
            put(level >= Level::RequestResponse, "the response body");
        }
    }
    (holds, lacks)
}

/// The first condition of a rule that a request does not meet; none where it matches.
pub(crate) fn mismatch(rule: &Rule, request: &Request<'_>) -> Option<String> {
    user_mismatch(rule, request)
        .or_else(|| {
            let missed = !rule.verbs.is_empty() && !rule.verbs.iter().any(|verb| *verb == request.verb);
            missed.then(|| format!("verb {} is not in {}", request.verb, list(&rule.verbs)))
        })
        .or_else(|| target_mismatch(rule, request))
}

fn user_mismatch(rule: &Rule, request: &Request<'_>) -> Option<String> {
    let by_identity = !rule.users.is_empty() || !rule.user_groups.is_empty();
    let Some(user) = &request.user else {
        return by_identity.then(|| "the request has no user".to_owned());
    };
    if !rule.users.is_empty() && !rule.users.iter().any(|name| *name == user.name) {
        return Some(format!("user {} is not in {}", user.name, list(&rule.users)));
    }
    let in_group = |group: &String| user.groups.iter().any(|own| own == group);
    if !rule.user_groups.is_empty() && !rule.user_groups.iter().any(in_group) {
        return Some(format!("the user is in none of {}", list(&rule.user_groups)));
    }
    None
}

fn target_mismatch(rule: &Rule, request: &Request<'_>) -> Option<String> {
    if rule.selects_resources() {
        if !request.resource_request {
            return Some("it is for resources, the request for a path".to_owned());
        }
        if !rule.namespaces.is_empty() && !rule.namespaces.iter().any(|name| *name == request.namespace) {
            return Some(format!("namespace {:?} is not in {}", request.namespace, list(&rule.namespaces)));
        }
        return resource_mismatch(rule, request);
    }
    if rule.non_resource_urls.is_empty() {
        return None;
    }
    if request.resource_request {
        return Some("it is for paths, the request for a resource".to_owned());
    }
    let hit = rule.non_resource_urls.iter().any(|pattern| path_matches(pattern, &request.path));
    (!hit).then(|| format!("path {} is not in {}", request.path, list(&rule.non_resource_urls)))
}

fn resource_mismatch(rule: &Rule, request: &Request<'_>) -> Option<String> {
    if rule.resources.is_empty() {
        return None;
    }
    let of_group = |entry: &&GroupResources| entry.group == "*" || entry.group == request.api_group;
    let entries: Vec<&GroupResources> = rule.resources.iter().filter(of_group).collect();
    let group = if request.api_group.is_empty() { "core" } else { &request.api_group };
    if entries.is_empty() {
        return Some(format!("it does not name API group {group}"));
    }
    let pattern_hit = |entry: &&&GroupResources| {
        entry.resources.is_empty()
            || entry.resources.iter().any(|p| resource_matches(p, &request.resource, &request.subresource))
    };
    let hits: Vec<&&GroupResources> = entries.iter().filter(pattern_hit).collect();
    if hits.is_empty() {
        return Some(format!("it does not name {} of group {group}", request.combined_resource()));
    }
    let named = |entry: &&&GroupResources| {
        entry.resources.is_empty()
            || entry.resource_names.is_empty()
            || entry.resource_names.iter().any(|name| *name == request.name)
    };
    (!hits.iter().any(named)).then(|| format!("object name {:?} is not among its resourceNames", request.name))
}

/// A list as people read it, cut where it gets long.
fn list(values: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> =
        values.iter().take(SHOWN).map(|v| if v.is_empty() { "\"\"".into() } else { v.clone() }).collect();
    let more = if values.len() > SHOWN { format!(" and {} more", values.len() - SHOWN) } else { String::new() };
    format!("[{}{more}]", shown.join(", "))
}
