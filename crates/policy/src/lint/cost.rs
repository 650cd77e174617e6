//! What makes a log large without making it useful.

use super::{COST_HOT_SPOT, Issue, LIST_BODIES, PATCH_LOSS, Subject, nth};
use crate::model::{Level, Stage};
use crate::remedy;
use crate::request::{Request, User};

/// A user and a group of his.
type Sender = (&'static str, &'static str);

/// High-volume requests of every cluster: group, resource, verb, a user who makes them, and who that is.
const HOT: &[(&str, &str, &str, Sender, &str)] = &[
    ("coordination.k8s.io", "leases", "update", NODE, "leader elections and node heartbeats"),
    ("", "events", "create", NODE, "event recorders"),
    ("events.k8s.io", "events", "create", NODE, "event recorders"),
    ("", "nodes/status", "patch", NODE, "kubelets"),
    ("", "pods/status", "patch", NODE, "kubelets"),
    ("discovery.k8s.io", "endpointslices", "update", ENDPOINTS, "the endpoint controllers"),
    ("authorization.k8s.io", "subjectaccessreviews", "create", NODE, "kubelets and aggregated servers"),
];

const NODE: Sender = ("system:node:node-1", "system:nodes");
const ENDPOINTS: Sender =
    ("system:serviceaccount:kube-system:endpointslice-controller", "system:serviceaccounts:kube-system");

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    hot_spots(subject, issues);
    list_bodies(subject, issues);
    patch_loss(subject, issues);
}

fn hot_spots(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, _) in subject.rules() {
        let hot: Vec<String> = HOT
            .iter()
            .filter(|(group, resource, verb, (user, user_group), _)| {
                let groups = vec!["system:authenticated".into(), (*user_group).into()];
                let user = Some(User { name: (*user).into(), groups });
                let request = Request { user, ..subject.ordinary(verb, group, resource) };
                let decision = subject.evaluator.decide(&request);
                decision.rule == Some(i) && decision.level >= Level::Request
            })
            .map(|(_, resource, _, _, who)| format!("{resource} ({who})"))
            .collect();
        if hot.is_empty() {
            continue;
        }
        let message = format!("{} records bodies of {}", nth(i), hot.join(", "));
        let edit = subject.outline.and_then(|outline| outline.insert_rule(i, &remedy::busy()));
        issues.push(subject.issue(&COST_HOT_SPOT, Some(i), message).with_fix("record them at Metadata", edit));
    }
}

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
        let edit = subject.outline.and_then(|outline| outline.insert_rule(i, &remedy::reads()));
        issues.push(subject.issue(&LIST_BODIES, Some(i), message).with_fix("record reads at Metadata", edit));
    }
}

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
        let edit = subject.outline.and_then(|outline| outline.insert_rule(i, &remedy::patches()));
        issues.push(subject.issue(&PATCH_LOSS, Some(i), message).with_fix("record patches at Metadata", edit));
    }
}
