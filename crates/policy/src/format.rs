//! Policies as YAML in one layout; the JSON schema for editors.

use std::fmt::Write as _;

use crate::model::{GroupResources, Level, Policy, Rule, Stage};
use crate::outline::plain_or_quoted;

/// A policy as YAML: fixed field order, flow lists, one blank line between rules. Comments are not part of a
/// policy; [`crate::format_text`] keeps those of a document.
pub fn to_yaml(policy: &Policy) -> String {
    to_yaml_with(policy, |_| String::new())
}

/// A policy as YAML with a comment in front of each rule.
pub(crate) fn to_yaml_with(policy: &Policy, comment: impl Fn(usize) -> String) -> String {
    let mut out = "apiVersion: audit.k8s.io/v1\nkind: Policy\n".to_owned();
    if !policy.metadata.is_empty() && policy.metadata != "{}" {
        let _ = writeln!(out, "metadata: {}", policy.metadata);
    }
    if !policy.omit_stages.is_empty() {
        let _ = writeln!(out, "omitStages: {}", stages(&policy.omit_stages));
    }
    if policy.omit_managed_fields {
        out.push_str("omitManagedFields: true\n");
    }
    out.push_str("rules:\n");
    for (i, rule) in policy.rules.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for line in comment(i).lines() {
            let _ = writeln!(out, "{}", format!("  # {line}").trim_end());
        }
        out.push_str(&rule_item(rule, "  "));
    }
    out
}

/// A rule as an item of a block list.
pub(crate) fn rule_item(rule: &Rule, indent: &str) -> String {
    let mut lines = vec![format!("level: {}", rule.level)];
    let mut put = |name: &str, values: &[String]| {
        if !values.is_empty() {
            lines.push(format!("{name}: {}", list(values)));
        }
    };
    put("users", &rule.users);
    put("userGroups", &rule.user_groups);
    put("verbs", &rule.verbs);
    put("namespaces", &rule.namespaces);
    put("nonResourceURLs", &rule.non_resource_urls);
    if !rule.resources.is_empty() {
        lines.push("resources:".to_owned());
        lines.extend(rule.resources.iter().flat_map(entry_lines));
    }
    if !rule.omit_stages.is_empty() {
        lines.push(format!("omitStages: {}", stages(&rule.omit_stages)));
    }
    if let Some(omit) = rule.omit_managed_fields {
        lines.push(format!("omitManagedFields: {omit}"));
    }
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        let lead = if i == 0 { "- " } else { "  " };
        let _ = writeln!(out, "{indent}{lead}{line}");
    }
    out
}

fn entry_lines(entry: &GroupResources) -> Vec<String> {
    let group = if entry.group.is_empty() { "\"\"".to_owned() } else { plain_or_quoted(&entry.group) };
    let mut lines = vec![format!("  - group: {group}")];
    if !entry.resources.is_empty() {
        lines.push(format!("    resources: {}", list(&entry.resources)));
    }
    if !entry.resource_names.is_empty() {
        lines.push(format!("    resourceNames: {}", list(&entry.resource_names)));
    }
    lines
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| crate::golang::json_string(value)).collect();
    format!("[{}]", values.join(", "))
}

fn stages(stages: &[Stage]) -> String {
    let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
    format!("[{}]", names.join(", "))
}

/// The document of a policy in the one layout, with its comments: those in front of a rule stay in front of
/// it, those before the first field stay at the top.
pub fn format_text(text: &str, policy: &Policy) -> String {
    let Some(outline) = crate::outline::Outline::parse(text) else { return to_yaml(policy) };
    let line_of = |rule: usize| outline.rule(rule).map(|node| outline.span(node).line);
    let starts: Vec<usize> = (0..policy.rules.len()).map_while(line_of).collect();
    let rules_line = outline.top("rules").map_or(1, |field| outline.span(field.key).line);
    let comments = crate::yaml::comments(text);
    let mut head = String::new();
    let mut of_rule = vec![String::new(); policy.rules.len()];
    for (line, comment) in &comments {
        // A comment belongs to the rule it precedes, or to the one whose lines it stands in.
        let next = starts.iter().position(|start| start >= line);
        let own_line = text.lines().nth(line - 1).is_some_and(|l| l.trim_start().starts_with('#'));
        let rule = match next {
            Some(next) if own_line || starts[next] == *line => Some(next),
            Some(0) => None,
            Some(next) => Some(next - 1),
            None => starts.len().checked_sub(1),
        };
        let slot = match rule {
            Some(rule) if *line > rules_line => &mut of_rule[rule],
            _ => &mut head,
        };
        let _ = writeln!(slot, "{comment}");
    }
    let head: String = head.lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect();
    head + &to_yaml_with(policy, |rule| of_rule[rule].clone())
}

/// The JSON schema of a policy, for editors.
pub fn schema() -> serde_json::Value {
    let strings = serde_json::json!({"type": "array", "items": {"type": "string"}});
    let levels: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
    let stage_names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    let stages = serde_json::json!({"type": "array", "items": {"enum": stage_names}});
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Kubernetes audit policy",
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "rules"],
        "properties": {
            "apiVersion": {"const": "audit.k8s.io/v1"},
            "kind": {"const": "Policy"},
            "metadata": {"type": "object"},
            "omitStages": stages,
            "omitManagedFields": {"type": "boolean"},
            "rules": {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["level"],
                "properties": {
                    "level": {"enum": levels},
                    "users": strings,
                    "userGroups": strings,
                    "verbs": strings,
                    "namespaces": strings,
                    "nonResourceURLs": {"type": "array", "items": {"type": "string", "pattern": r"^(\*|/[^*]*\*?)$"}},
                    "omitStages": stages,
                    "omitManagedFields": {"type": "boolean"},
                    "resources": {"type": "array", "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {"group": {"type": "string"}, "resources": strings, "resourceNames": strings},
                    }},
                },
            }},
        },
    })
}
