//! What makes a log large without making it useful.

use super::{COST_HOT_SPOT, Issue, LIST_BODIES, PATCH_LOSS, Subject, nth};
use crate::model::{Level, Stage};

/// High-volume requests of every cluster, with who makes them.
const HOT: &[(&str, &str, &str, &str)] = &[
    ("coordination.k8s.io", "leases", "update", "leader elections and node heartbeats"),
    ("", "events", "create", "event recorders"),
    ("events.k8s.io", "events", "create", "event recorders"),
    ("", "nodes/status", "patch", "kubelets"),
    ("", "pods/status", "patch", "kubelets"),
    ("discovery.k8s.io", "endpointslices", "update", "the endpoint controllers"),
    ("authorization.k8s.io", "subjectaccessreviews", "create", "kubelets and aggregated servers"),
];

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    hot_spots(subject, issues);
    list_bodies(subject, issues);
    patch_loss(subject, issues);
}

fn hot_spots(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, _) in subject.rules() {
        let hot: Vec<String> = HOT
            .iter()
            .filter(|(group, resource, verb, _)| {
                let decision = subject.evaluator.decide(&subject.ordinary(verb, group, resource));
                decision.rule == Some(i) && decision.level >= Level::Request
            })
            .map(|(_, resource, _, who)| format!("{resource} ({who})"))
            .collect();
        if hot.is_empty() {
            continue;
        }
        let message = format!("{} records bodies of {}", nth(i), hot.join(", "));
        let edit = subject.outline.and_then(|outline| outline.insert_rule(i, HOT_RULE));
        issues.push(subject.issue(&COST_HOT_SPOT, Some(i), message).with_fix("record them at Metadata", edit));
    }
}

const HOT_RULE: &str = "level: Metadata
resources:
  - group: \"\"
    resources: [\"events\", \"nodes/status\", \"pods/status\"]
  - group: authorization.k8s.io
    resources: [\"subjectaccessreviews\"]
  - group: coordination.k8s.io
    resources: [\"leases\"]
  - group: discovery.k8s.io
    resources: [\"endpointslices\"]
  - group: events.k8s.io
    resources: [\"events\"]";

fn list_bodies(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, rule) in subject.rules() {
        if rule.level != Level::RequestResponse {
            continue;
        }
        let reads = ["get", "list"].into_iter().filter(|verb| {
            let decides = |group: &'static str, resource: &'static str| {
                subject.evaluator.decide(&subject.ordinary(verb, group, resource)).rule == Some(i)
            };
            decides("", "pods") || decides("", "configmaps") || decides("apps", "deployments")
        });
        if reads.clone().next().is_none() {
            continue;
        }
        let verbs: Vec<&str> = reads.collect();
        let message = format!("{} writes the whole answer of {} into the log", nth(i), verbs.join(" and "));
        let edit = subject.outline.and_then(|outline| outline.insert_rule(i, READS_RULE));
        issues.push(subject.issue(&LIST_BODIES, Some(i), message).with_fix("record reads at Metadata", edit));
    }
}

const READS_RULE: &str = "level: Metadata
verbs: [\"get\", \"list\", \"watch\"]";

fn patch_loss(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    if subject.options.server.checks_patch_bodies() {
        return;
    }
    for (i, _) in subject.rules() {
        let probes =
            [("", "configmaps"), ("", "pods"), ("apps", "deployments"), ("rbac.authorization.k8s.io", "roles")];
        let loses = probes.into_iter().find(|(group, resource)| {
            let decision = subject.evaluator.decide(&subject.ordinary("patch", group, resource));
            decision.rule == Some(i) && decision.level >= Level::Request && !decision.records(Stage::RequestReceived)
        });
        let Some((_, resource)) = loses else { continue };
        let message = format!(
            "{} records patch bodies (of {resource}, for one) and drops RequestReceived: \
             a patch that is not JSON leaves no trace before 1.37",
            nth(i)
        );
        let globally = subject.policy.omit_stages.contains(&Stage::RequestReceived);
        let edit = subject.outline.filter(|_| globally).and_then(|outline| outline.insert_rule(i, PATCH_RULE));
        let edit = edit.or_else(|| subject.outline.filter(|_| !globally).and_then(|o| o.insert_rule(i, PATCH_RULE)));
        issues.push(subject.issue(&PATCH_LOSS, Some(i), message).with_fix("record patches at Metadata", edit));
    }
}

const PATCH_RULE: &str = "level: Metadata
verbs: [\"patch\"]";
