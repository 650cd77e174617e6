//! Values that no request has: verbs, wildcards, namespaces, paths; values without effect.

use std::collections::HashSet;

use super::{
    DEAD_PATH, DUPLICATE_ITEM, IMPOSSIBLE_NAME, Issue, LITERAL_WILDCARD, POINTLESS_OPTION, Subject, UNKNOWN_VERB, nth,
};
use crate::api::nearest;
use crate::model::{Level, Rule};

/// Verbs of requests for resources.
pub(crate) const RESOURCE_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
/// Verbs of other requests: methods in lower case.
const PATH_VERBS: &[&str] = &["connect", "delete", "get", "head", "options", "patch", "post", "put", "trace"];

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, rule) in subject.rules() {
        verbs(subject, i, rule, issues);
        wildcards(subject, i, rule, issues);
        namespaces(subject, i, rule, issues);
        paths(subject, i, rule, issues);
        duplicates(subject, i, rule, issues);
        if rule.level == Level::None && (!rule.omit_stages.is_empty() || rule.omit_managed_fields.is_some()) {
            let message = format!("{} records nothing, so its stages and managed fields do not matter", nth(i));
            let fields = ["omitStages", "omitManagedFields"].into_iter();
            let edits = fields.filter_map(|name| {
                let outline = subject.outline?;
                outline.remove_field(outline.rule_field(i, name)?)
            });
            issues.push(subject.issue(&POINTLESS_OPTION, Some(i), message).with_fix("remove the option", edits));
        }
    }
}

/// Verbs that the rule's kind of request can have.
fn possible_verbs(rule: &Rule) -> Vec<&'static str> {
    let mut verbs = Vec::new();
    if rule.selects_resources() || rule.non_resource_urls.is_empty() {
        verbs.extend(RESOURCE_VERBS);
    }
    if !rule.selects_resources() {
        verbs.extend(PATH_VERBS);
    }
    verbs
}

fn verbs(subject: &Subject<'_>, i: usize, rule: &Rule, issues: &mut Vec<Issue>) {
    let possible = possible_verbs(rule);
    for (j, verb) in rule.verbs.iter().enumerate() {
        // The empty verb belongs to methods such as OPTIONS on a resource.
        if possible.contains(&verb.as_str()) || verb == "*" || (verb.is_empty() && rule.selects_resources()) {
            continue;
        }
        let why = match verb.as_str() {
            "impersonate" => "impersonation is checked before the request and never is its verb".to_owned(),
            "bind" | "escalate" | "use" | "approve" | "sign" => "it is a permission, not a request verb".to_owned(),
            "exec" | "attach" | "portforward" | "log" => format!("write the subresource pods/{verb} instead"),
            "replace" => "requests that replace have the verb update".to_owned(),
            _ if RESOURCE_VERBS.contains(&verb.as_str()) => "requests for paths have HTTP methods as verbs".to_owned(),
            _ => "verbs are the lower-case request verbs".to_owned(),
        };
        let message = format!("no request that {} can match has the verb {verb:?}: {why}", nth(i));
        let found = subject.item_issue(&UNKNOWN_VERB, i, "verbs", j, message);
        let lower = verb.trim().to_ascii_lowercase();
        let method = match lower.as_str() {
            "post" if rule.selects_resources() => Some("create"),
            "put" | "replace" => Some("update"),
            "create" | "update" if !rule.selects_resources() => Some(if lower == "create" { "post" } else { "put" }),
            _ => None,
        };
        let meant = method.or_else(|| nearest(&lower, possible.iter().copied()));
        issues.push(replace_or_remove(subject, found, i, "verbs", j, meant, &rule.verbs));
    }
}

/// Fixes an item of a list: put the right value in its place, or remove it.
fn replace_or_remove(
    subject: &Subject<'_>,
    issue: Issue,
    rule: usize,
    list: &str,
    item: usize,
    meant: Option<&str>,
    values: &[String],
) -> Issue {
    let Some(outline) = subject.outline else { return issue };
    let replacement = meant.filter(|meant| !values.iter().any(|value| value == meant));
    if let (Some(meant), Some(node)) = (replacement, outline.rule_item(rule, list, item)) {
        return issue.with_fix(format!("write {meant}"), outline.replace(node, meant));
    }
    let edit = outline.rule_field(rule, list).and_then(|field| outline.remove_item(field.value, item));
    issue.with_fix("remove the value", edit)
}

fn wildcards(subject: &Subject<'_>, i: usize, rule: &Rule, issues: &mut Vec<Issue>) {
    let lists = [
        ("users", &rule.users),
        ("userGroups", &rule.user_groups),
        ("verbs", &rule.verbs),
        ("namespaces", &rule.namespaces),
    ];
    for (list, values) in lists {
        for (j, value) in values.iter().enumerate().filter(|(_, value)| value.contains('*')) {
            let message = format!("{value:?} in {list} of {} is not a pattern and matches nothing", nth(i));
            let found = subject.item_issue(&LITERAL_WILDCARD, i, list, j, message);
            let alone = value == "*" && values.len() == 1;
            let edit = subject.outline.and_then(|outline| {
                let field = outline.rule_field(i, list)?;
                if alone { outline.remove_field(field) } else { outline.remove_item(field.value, j) }
            });
            let title =
                if alone { format!("leave {list} out, which matches all") } else { "remove the value".to_owned() };
            issues.push(found.with_fix(title, edit));
        }
    }
    for (e, entry) in rule.resources.iter().enumerate() {
        for (j, name) in entry.resource_names.iter().enumerate().filter(|(_, name)| name.contains('*')) {
            let message = format!("{name:?} in resourceNames of {} is not a pattern and matches nothing", nth(i));
            let found = subject.entry_issue(&LITERAL_WILDCARD, (i, e), Some(("resourceNames", j)), message);
            let alone = name == "*" && entry.resource_names.len() == 1;
            let edit = subject.outline.and_then(|outline| {
                let field = outline.field(outline.entry(i, e)?, "resourceNames")?;
                if alone { outline.remove_field(field) } else { outline.remove_item(field.value, j) }
            });
            issues.push(found.with_fix("remove it", edit));
        }
    }
}

/// Whether a namespace can have this name: a lower-case DNS label.
fn is_label(name: &str) -> bool {
    let inner = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    inner && name.len() <= 63 && !name.starts_with('-') && !name.ends_with('-')
}

fn namespaces(subject: &Subject<'_>, i: usize, rule: &Rule, issues: &mut Vec<Issue>) {
    for (j, name) in rule.namespaces.iter().enumerate() {
        if is_label(name) || name.contains('*') {
            continue;
        }
        let message = format!("no namespace can be called {name:?}");
        let found = subject.item_issue(&IMPOSSIBLE_NAME, i, "namespaces", j, message);
        let lower = name.trim().to_ascii_lowercase();
        let meant = is_label(&lower).then_some(lower.as_str());
        issues.push(replace_or_remove(subject, found, i, "namespaces", j, meant, &rule.namespaces));
    }
}

/// Whether only requests for resources have such paths.
fn is_resource_path(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["api", _, ref rest @ ..] => !rest.is_empty() && rest != ["*"],
        ["apis", _, _, ref rest @ ..] => !rest.is_empty() && rest != ["*"],
        _ => false,
    }
}

fn paths(subject: &Subject<'_>, i: usize, rule: &Rule, issues: &mut Vec<Issue>) {
    for (j, path) in rule.non_resource_urls.iter().enumerate() {
        let (why, meant) = if let Some((before, _)) = path.split_once('?') {
            ("paths are compared without the query", Some(before))
        } else if is_resource_path(path) {
            ("it is the path of a resource; use resources", None)
        } else if path.contains(char::is_whitespace) {
            ("it holds white space", Some(path.trim()))
        } else {
            continue;
        };
        let message = format!("{path:?} matches no path request: {why}");
        let found = subject.item_issue(&DEAD_PATH, i, "nonResourceURLs", j, message);
        let meant = meant.filter(|meant| meant.starts_with('/') && !meant.contains(char::is_whitespace));
        issues.push(replace_or_remove(subject, found, i, "nonResourceURLs", j, meant, &rule.non_resource_urls));
    }
}

fn duplicates(subject: &Subject<'_>, i: usize, rule: &Rule, issues: &mut Vec<Issue>) {
    let lists = [
        ("users", &rule.users),
        ("userGroups", &rule.user_groups),
        ("verbs", &rule.verbs),
        ("namespaces", &rule.namespaces),
        ("nonResourceURLs", &rule.non_resource_urls),
    ];
    for (list, values) in lists {
        let mut seen = HashSet::new();
        for (j, value) in values.iter().enumerate().filter(|(_, value)| !seen.insert(value.as_str())) {
            let found = subject.item_issue(&DUPLICATE_ITEM, i, list, j, format!("{value:?} stands twice in {list}"));
            let edit = subject.outline.and_then(|o| o.remove_item(o.rule_field(i, list)?.value, j));
            issues.push(found.with_fix("remove the second", edit));
        }
    }
    let mut seen = HashSet::new();
    for (e, entry) in rule.resources.iter().enumerate() {
        if !seen.insert(entry) {
            let group = if entry.group.is_empty() { "core" } else { &entry.group };
            let message = format!("the entry for group {group} stands twice");
            let found = subject.entry_issue(&DUPLICATE_ITEM, (i, e), None, message);
            let edit = subject.outline.and_then(|o| o.remove_item(o.rule_field(i, "resources")?.value, e));
            issues.push(found.with_fix("remove the second", edit));
        }
        let mut seen = HashSet::new();
        for (j, value) in entry.resources.iter().enumerate().filter(|(_, value)| !seen.insert(value.as_str())) {
            let message = format!("{value:?} stands twice in resources");
            let found = subject.entry_issue(&DUPLICATE_ITEM, (i, e), Some(("resources", j)), message);
            let edit = subject.outline.and_then(|o| o.remove_item(o.field(o.entry(i, e)?, "resources")?.value, j));
            issues.push(found.with_fix("remove the second", edit));
        }
    }
}
