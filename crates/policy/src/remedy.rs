//! Rules that many policies lack: what the linter inserts to repair a policy, and what generated policies are made of.

use crate::model::{GroupResources, Level, Rule};

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn entry(group: &str, resources: &[&str]) -> GroupResources {
    GroupResources { group: group.to_owned(), resources: strings(resources), ..GroupResources::default() }
}

fn at_metadata(resources: Vec<GroupResources>) -> Rule {
    Rule { level: Level::Metadata, resources, ..Rule::default() }
}

/// Secrets and tokens, whose bodies would be copied into the log: before every rule that records bodies.
pub(crate) fn secrets() -> Rule {
    at_metadata(vec![
        entry("", &["secrets", "serviceaccounts/token"]),
        entry("authentication.k8s.io", &["tokenreviews"]),
    ])
}

/// What every cluster has most of, and whose bodies say little.
pub(crate) fn busy() -> Rule {
    at_metadata(vec![
        entry("", &["events", "nodes/status", "pods/status"]),
        entry("authorization.k8s.io", &["subjectaccessreviews"]),
        entry("coordination.k8s.io", &["leases"]),
        entry("discovery.k8s.io", &["endpointslices"]),
        entry("events.k8s.io", &["events"]),
    ])
}

/// Ways into pods, nodes and tokens that a pattern without subresource does not cover.
pub(crate) fn ways_in() -> Rule {
    let streams = ["pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"];
    let proxies = ["pods/proxy", "nodes/proxy", "services/proxy", "serviceaccounts/token"];
    at_metadata(vec![
        entry("", &[streams, proxies].concat()),
        entry("certificates.k8s.io", &["certificatesigningrequests/approval"]),
    ])
}

/// All reads.
pub(crate) fn reads() -> Rule {
    Rule { verbs: strings(&["get", "list", "watch"]), ..everything() }
}

/// Reads by those who make most of them, and by everyone with an identity: all but anonymous requests and failed
/// authentications.
pub(crate) fn reads_by() -> [(Rule, &'static str); 3] {
    let by = |group: &str| Rule { user_groups: strings(&[group]), ..reads() };
    [
        (by("system:nodes"), "Other reads by nodes."),
        (by("system:serviceaccounts"), "Other reads by programs."),
        (by(EVERYONE), "All other reads: who looked at what."),
    ]
}

/// Leases: those of the control plane, and those by which programs elect a leader.
pub(crate) fn elections() -> [(Rule, &'static str); 2] {
    let leases = at_metadata(vec![entry("coordination.k8s.io", &["leases"])]);
    let by_programs = Rule {
        user_groups: strings(&["system:serviceaccounts"]),
        verbs: strings(&["get", "update"]),
        ..leases.clone()
    };
    let of_control_plane = Rule { namespaces: strings(&["kube-system"]), ..leases };
    [
        (of_control_plane, "Leases of the control plane."),
        (by_programs, "Elections of programs: many requests a second."),
    ]
}

/// The group of all who have an identity.
pub(crate) const EVERYONE: &str = "system:authenticated";

/// All patches.
pub(crate) fn patches() -> Rule {
    Rule { verbs: strings(&["patch"]), ..everything() }
}

/// Everything, also APIs that do not exist yet, and failed authentications.
pub(crate) fn everything() -> Rule {
    at_metadata(Vec::new())
}

/// Chatter of every cluster that nobody reads, each with what it is. Those who send it are named as closely as rules can.
pub(crate) fn noise() -> [(Rule, &'static str); 5] {
    let none = |rule: Rule| Rule { level: Level::None, ..rule };
    let control_plane = strings(&["system:kube-controller-manager", "system:kube-scheduler"]);
    let leases = vec![entry("coordination.k8s.io", &["leases"])];
    let events = vec![entry("", &["events"]), entry("events.k8s.io", &["events"])];
    let recording = strings(&["create", "patch", "update"]);
    let health = Rule {
        user_groups: strings(&["system:authenticated", "system:unauthenticated"]),
        verbs: strings(&["get"]),
        non_resource_urls: strings(&["/healthz*", "/livez*", "/readyz*", "/version"]),
        ..Rule::default()
    };
    let election = Rule {
        users: control_plane.clone(),
        verbs: strings(&["get", "update"]),
        namespaces: strings(&["kube-system"]),
        resources: leases.clone(),
        ..Rule::default()
    };
    let heartbeats = Rule {
        user_groups: strings(&["system:nodes"]),
        verbs: strings(&["get", "update", "patch"]),
        namespaces: strings(&["kube-node-lease"]),
        resources: leases,
        ..Rule::default()
    };
    let of_nodes = Rule {
        user_groups: strings(&["system:nodes"]),
        verbs: recording.clone(),
        resources: events.clone(),
        ..Rule::default()
    };
    let of_control_plane = Rule { users: control_plane, verbs: recording, resources: events, ..Rule::default() };
    [
        (none(health), "Health checks. Asking for a group keeps failed authentications (401) on these paths visible."),
        (none(election), "Leader election of the control plane: many requests a second, nothing to see."),
        (none(heartbeats), "Heartbeats of nodes."),
        (none(of_nodes), "Events that nodes record."),
        (none(of_control_plane), "Events that the control plane records."),
    ]
}
