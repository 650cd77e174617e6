//! The server's field validation, in its order.

use super::decode::{RawPolicy, RawRule};
use crate::golang::{json_list, json_string, quote};
use crate::model::{Level, Stage};
use crate::version::ServerVersion;

/// Longest group name, in bytes.
const SUBDOMAIN_MAX: usize = 253;

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Every field error once, in the order in which they are found.
pub(super) fn policy(policy: &RawPolicy, server: ServerVersion) -> Vec<String> {
    let mut errors = Vec::new();
    stages(&policy.omit_stages, "omitStages", &mut errors);
    for (i, rule) in policy.rules.iter().enumerate() {
        validate_rule(rule, &format!("rules[{i}]"), server, &mut errors);
    }
    let mut seen = std::collections::HashSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    errors
}

fn stages(stages: &[String], path: &str, errors: &mut Vec<String>) {
    for (i, stage) in stages.iter().enumerate() {
        if Stage::from_name(stage).is_none() {
            let allowed = "allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic";
            errors.push(format!("{path}[{i}]: Invalid value: {}: {allowed}", quote(stage)));
        }
    }
}

fn validate_rule(raw: &RawRule, path: &str, server: ServerVersion, errors: &mut Vec<String>) {
    level(&raw.level, path, errors);
    for (i, url) in raw.rule.non_resource_urls.iter().enumerate() {
        non_resource_url(url, &format!("{path}.nonResourceURLs[{i}]"), errors);
    }
    for entry in &raw.rule.resources {
        let any = entry.group == "*" && server.has_any_group();
        if !entry.group.is_empty() && !any {
            group(&entry.group, path, errors);
        }
        if !entry.resource_names.is_empty() && entry.resources.is_empty() {
            let names = json_list(&entry.resource_names);
            let detail = "using resourceNames requires at least one resource";
            errors.push(format!("{path}.resources.resourceNames: Invalid value: {names}: {detail}"));
        }
    }
    stages(&raw.omit_stages, &format!("{path}.omitStages"), errors);
    let rule = &raw.rule;
    let selects_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
    if !rule.non_resource_urls.is_empty() && selects_resources {
        let urls = json_list(&rule.non_resource_urls);
        let detail = "rules cannot apply to both regular resources and non-resource URLs";
        errors.push(format!("{path}.nonResourceURLs: Invalid value: {urls}: {detail}"));
    }
}

fn level(level: &str, path: &str, errors: &mut Vec<String>) {
    if level.is_empty() {
        errors.push(format!("{path}.level: Required value"));
    } else if Level::from_name(level).is_none() {
        let supported = r#"supported values: "None", "Metadata", "Request", "RequestResponse""#;
        errors.push(format!("{path}.level: Unsupported value: {}: {supported}", json_string(level)));
    }
}

fn non_resource_url(url: &str, path: &str, errors: &mut Vec<String>) {
    if url == "*" {
        return;
    }
    let shown = quote(url);
    if !url.starts_with('/') {
        let detail = "non-resource URL rules must begin with a '/' character";
        errors.push(format!("{path}: Invalid value: {shown}: {detail}"));
    }
    if url.find('*').is_some_and(|at| at + 1 < url.len()) {
        let detail = "non-resource URL wildcards '*' must be the final character of the rule";
        errors.push(format!("{path}: Invalid value: {shown}: {detail}"));
    }
}

fn group(group: &str, path: &str, errors: &mut Vec<String>) {
    let mut details = Vec::new();
    if group.len() > SUBDOMAIN_MAX {
        details.push(format!("must be no more than {SUBDOMAIN_MAX} characters"));
    }
    if !is_subdomain(group) {
        details.push(SUBDOMAIN_RULE.to_owned());
    }
    if !details.is_empty() {
        let (shown, details) = (quote(group), details.join(","));
        errors.push(format!("{path}.resources.group: Invalid value: {shown}: {details}"));
    }
}

pub(crate) fn is_subdomain(name: &str) -> bool {
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().copied().is_some_and(is_alphanumeric)
            && bytes.last().copied().is_some_and(is_alphanumeric)
            && bytes.iter().all(|&b| is_alphanumeric(b) || b == b'-')
    };
    name.split('.').all(is_label)
}
