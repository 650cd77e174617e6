//! Kinds of requests: what can be asked of an API server.

use std::collections::BTreeSet;

use policy::{Api, VERBS};
use rule::{RuleSet, Test};
use serde_json::json;

use super::field::is;

/// A resource that no rule names: what matches it matches any.
pub(super) const ANY_RESOURCE: (&str, &str) = ("unheard-of.example", "unheardofs");
/// Stands for every group in a policy.
pub(super) const ANY_GROUP: &str = "*";
/// Paths that rules ask for, and one that no rule names.
const PATHS: [&str; 10] =
    ["/api", "/apis", "/debug/pprof", "/healthz", "/livez", "/logs", "/metrics", "/readyz", "/version", ANY_PATH];
pub(super) const ANY_PATH: &str = "/unheard-of";
/// Subresources that stream or forward: they have no body, and an event when they start.
pub(super) const STREAMS: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// A kind of request, and an event that holds what is known of it.
pub(super) struct Kind {
    pub(super) verb: &'static str,
    pub(super) target: Target,
    pub(super) event: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// API group, resource, subresource.
    Resource(String, String, String),
    Path(&'static str),
}

impl Target {
    /// Whether an event of it is also emitted when the answer starts.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Resource(_, _, subresource) if STREAMS.contains(&subresource.as_str()))
    }
}

/// Every kind that a cluster answers, and those that only rules know.
pub(super) fn kinds(set: &RuleSet, api: &Api) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for served in api.served() {
        let target = [served.group, served.resource, served.subresource];
        kinds.extend(served.verbs.iter().map(|verb| resource_kind(verb, target)));
    }
    let (group, resource) = ANY_RESOURCE;
    kinds.extend(VERBS.map(|verb| resource_kind(verb, [group, resource, ""])));
    for (group, resource) in custom_resources(set, api) {
        kinds.extend(VERBS.map(|verb| resource_kind(verb, [&group, &resource, ""])));
    }
    kinds.extend(PATHS.map(|path| {
        let event = json!({"auditID": "", "verb": "get", "requestURI": path});
        Kind { verb: "get", target: Target::Path(path), event: event.to_string() }
    }));
    kinds
}

/// Groups and names of resources that rules name and Kubernetes does not serve.
fn custom_resources(set: &RuleSet, api: &Api) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for rule in set.rules() {
        let (mut groups, mut resources) = (BTreeSet::new(), BTreeSet::new());
        rule.condition.each_test(&mut |predicate, _| {
            let Test::Text(_, rule::Pattern::Exact(text)) = &predicate.test else { return };
            if is(&predicate.field, "objectRef.resource") && api.groups_with(text).is_empty() {
                resources.insert(text.to_string());
            } else if is(&predicate.field, "objectRef.apiGroup") && api.has_group(text) != Some(true) {
                groups.insert(text.to_string());
            }
        });
        if groups.is_empty() {
            groups.insert(ANY_GROUP.to_owned());
        }
        found.extend(resources.iter().flat_map(|name| groups.iter().map(move |group| (group.clone(), name.clone()))));
    }
    found
}

fn resource_kind(verb: &'static str, [group, resource, subresource]: [&str; 3]) -> Kind {
    let root = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
    let mut event = json!({
        "auditID": "", "verb": verb, "objectRef": {"resource": resource},
        "requestURI": format!("{root}/namespaces/default/{resource}/example/{subresource}"),
    });
    for (key, value) in [("apiGroup", group), ("subresource", subresource)] {
        if !value.is_empty() {
            event["objectRef"][key] = json!(value);
        }
    }
    let target = Target::Resource(group.to_owned(), resource.to_owned(), subresource.to_owned());
    Kind { verb, target, event: event.to_string() }
}
