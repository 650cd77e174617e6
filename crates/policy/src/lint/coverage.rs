//! Requests that escape: what the policy does not record although an attack would show in it.

use super::{
    EXEC_WITHOUT_GET, HIDDEN_401, Issue, NO_CATCH_ALL, NONE_FOR_IDENTITY, PATHS_HIDE_401, Subject,
    UNRECORDED_SUBRESOURCE, nth,
};
use crate::model::{Level, Stage};
use crate::remedy;
use crate::request::Request;
use crate::space::Pattern;

/// Streams into pods: a GET over WebSocket, a POST over SPDY.
const STREAMS: &[&str] = &["attach", "exec", "portforward"];

/// Ways in that a pattern for the resource alone does not cover.
const WAYS_IN: &[(&str, &str, &str)] = &[
    ("", "pods/exec", "get"),
    ("", "pods/exec", "create"),
    ("", "pods/attach", "get"),
    ("", "pods/portforward", "get"),
    ("", "pods/ephemeralcontainers", "patch"),
    ("", "pods/proxy", "get"),
    ("", "nodes/proxy", "get"),
    ("", "services/proxy", "get"),
    ("", "serviceaccounts/token", "create"),
    ("certificates.k8s.io", "certificatesigningrequests/approval", "update"),
];

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    hidden_401(subject, issues);
    no_catch_all(subject, issues);
    exec_without_get(subject, issues);
    ways_in(subject, issues);
    none_rules(subject, issues);
}

fn hidden_401(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    let request = Request { user: None, ..subject.ordinary("list", "", "pods") };
    let decision = subject.evaluator.decide(&request);
    if decision.records(Stage::ResponseStarted) {
        return;
    }
    let global = subject.policy.omit_stages.iter().position(|stage| *stage == Stage::ResponseStarted);
    let place = |field: &str, rule: Option<usize>, item| {
        let outline = subject.outline?;
        let list = match rule {
            Some(rule) => outline.rule_field(rule, field)?,
            None => outline.top(field)?,
        };
        Some((outline.span(*outline.items(list.value).get(item)?), outline.remove_item(list.value, item)))
    };
    let (what, rule, found) = if let Some(item) = global {
        ("omitStages of the policy drops ResponseStarted".to_owned(), None, place("omitStages", None, item))
    } else if let Some(rule) = decision.rule {
        let stages = &subject.policy.rules[rule].omit_stages;
        match stages.iter().position(|stage| *stage == Stage::ResponseStarted) {
            Some(item) if decision.level > Level::None => {
                (format!("{} drops ResponseStarted", nth(rule)), Some(rule), place("omitStages", Some(rule), item))
            }
            _ => (format!("{} matches requests without a user at level None", nth(rule)), Some(rule), None),
        }
    } else {
        ("every rule asks for a user or no rule matches".to_owned(), None, None)
    };
    let message = format!("a failed authentication (401) leaves no event: {what}");
    let issue = subject.issue(&HIDDEN_401, rule, message);
    issues.push(match found {
        Some((span, edit)) => Issue { span: Some(span), ..issue }.with_fix("keep ResponseStarted", edit),
        None => issue,
    });
}

fn no_catch_all(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    let mut request = subject.ordinary("update", "unheard-of.example.com", "unheardofs");
    request.namespace = "unheard-of".into();
    let rule = subject.evaluator.decide(&request).rule;
    // A last rule that says None for all is a decision, not an omission.
    if rule.is_some() {
        return;
    }
    let message = "requests that no rule matches are not recorded; end with a rule without selectors".to_owned();
    let edit = subject.outline.and_then(|outline| outline.append_rule(&remedy::everything()));
    issues.push(subject.issue(&NO_CATCH_ALL, None, message).with_fix("append a rule at level Metadata", edit));
}

fn exec_without_get(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, rule) in subject.rules() {
        let has = |verb: &str| rule.verbs.iter().any(|v| v == verb);
        if !has("create") || has("get") || rule.level == Level::None {
            continue;
        }
        let patterns = rule.resources.iter().flat_map(|entry| &entry.resources);
        let stream = patterns.filter(|text| {
            matches!(Pattern::parse(text), Pattern::Exact("pods", sub) | Pattern::OfEveryResource(sub) if STREAMS.contains(&sub))
        });
        let Some(stream) = stream.clone().next() else { continue };
        // Fine where another rule records the GET as well.
        let subresource = STREAMS.iter().find(|s| stream.ends_with(*s)).copied().unwrap_or("exec");
        let mut request = subject.ordinary("get", "", "pods");
        request.subresource = subresource.into();
        if subject.evaluator.decide(&request).level >= rule.level {
            continue;
        }
        let message = format!("{} sees {stream} only as create; kubectl sends get", nth(i));
        let edit = subject.outline.and_then(|o| o.add_items(o.rule_field(i, "verbs")?.value, &["get"]));
        issues.push(subject.issue(&EXEC_WITHOUT_GET, Some(i), message).with_fix("add the verb get", edit));
    }
}

fn ways_in(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    let unseen = WAYS_IN.iter().filter(|(group, resource, verb)| {
        let request = subject.ordinary(verb, group, resource);
        subject.evaluator.decide(&request).level == Level::None
    });
    let mut names: Vec<&str> = unseen.map(|(_, resource, _)| *resource).collect();
    names.dedup();
    if names.is_empty() {
        return;
    }
    let message = format!("not recorded for ordinary users: {}", names.join(", "));
    let edit = subject.outline.and_then(|outline| outline.insert_rule(0, &remedy::ways_in()));
    issues.push(subject.issue(&UNRECORDED_SUBRESOURCE, None, message).with_fix("record them at Metadata", edit));
}

fn none_rules(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, rule) in subject.rules() {
        if rule.level != Level::None {
            continue;
        }
        let by_identity = !rule.users.is_empty() || !rule.user_groups.is_empty();
        let narrow = rule.selects_resources() || !rule.non_resource_urls.is_empty();
        if by_identity && !narrow && super::secrecy::decides_sensitive(subject, i) {
            let who: Vec<&str> = rule.users.iter().chain(&rule.user_groups).map(String::as_str).take(3).collect();
            let verbs =
                if rule.verbs.is_empty() { "nothing".to_owned() } else { format!("no {}", rule.verbs.join(", ")) };
            let message =
                format!("{}: {verbs} of {} is recorded, not even of secrets or tokens", nth(i), who.join(", "));
            issues.push(subject.issue(&NONE_FOR_IDENTITY, Some(i), message));
        }
        if !by_identity && !rule.non_resource_urls.is_empty() {
            let message = format!("{} also hides failed authentications on its paths", nth(i));
            let edit = subject.outline.and_then(|outline| {
                let level = outline.rule_field(i, "level")?;
                let (key, value) = (outline.span(level.key), outline.span(level.value));
                let lead = " ".repeat(key.column - 1);
                let line = format!("\n{lead}userGroups: [\"system:authenticated\", \"system:unauthenticated\"]");
                let block =
                    outline.text[..key.start].ends_with(['-', ' ']) && !outline.text[..key.start].ends_with("{ ");
                block.then_some(crate::outline::Edit { start: value.end, end: value.end, text: line })
            });
            issues.push(subject.issue(&PATHS_HIDE_401, Some(i), message).with_fix("ask for any user group", edit));
        }
    }
}
