//! Which API groups, resources and subresources exist, by server version.
//!
//! Built in is what Kubernetes itself serves. What a cluster adds (custom resources, aggregated servers) comes
//! from `kubectl api-resources`.

use std::collections::{BTreeMap, BTreeSet};

use crate::version::ServerVersion;

/// Resource, its subresources, first and last minor version that serves it (zero: always).
type Row = (&'static str, &'static [&'static str], u16, u16);

// The rows of 1.36 are compared with the server's own list by `tests/api.rs`; `tests/data/README.md` says how to make
// that list for another version.

const STATUS: &[&str] = &["status"];
const SCALE: &[&str] = &["scale", "status"];

const GROUPS: &[(&str, &[Row])] = &[
    (
        "",
        &[
            ("bindings", &[], 0, 0),
            ("componentstatuses", &[], 0, 0),
            ("configmaps", &[], 0, 0),
            ("endpoints", &[], 0, 0),
            ("events", &[], 0, 0),
            ("limitranges", &[], 0, 0),
            ("namespaces", &["finalize", "status"], 0, 0),
            ("nodes", &["proxy", "status"], 0, 0),
            ("persistentvolumeclaims", STATUS, 0, 0),
            ("persistentvolumes", STATUS, 0, 0),
            (
                "pods",
                &[
                    "attach",
                    "binding",
                    "ephemeralcontainers",
                    "eviction",
                    "exec",
                    "log",
                    "portforward",
                    "proxy",
                    "resize",
                    "status",
                ],
                0,
                0,
            ),
            ("podtemplates", &[], 0, 0),
            ("replicationcontrollers", SCALE, 0, 0),
            ("resourcequotas", STATUS, 0, 0),
            ("secrets", &[], 0, 0),
            ("serviceaccounts", &["token"], 0, 0),
            ("services", &["proxy", "status"], 0, 0),
        ],
    ),
    (
        "admissionregistration.k8s.io",
        &[
            ("mutatingadmissionpolicies", &[], 32, 0),
            ("mutatingadmissionpolicybindings", &[], 32, 0),
            ("mutatingwebhookconfigurations", &[], 0, 0),
            ("validatingadmissionpolicies", STATUS, 26, 0),
            ("validatingadmissionpolicybindings", &[], 26, 0),
            ("validatingwebhookconfigurations", &[], 0, 0),
        ],
    ),
    ("apiextensions.k8s.io", &[("customresourcedefinitions", STATUS, 0, 0)]),
    ("apiregistration.k8s.io", &[("apiservices", STATUS, 0, 0)]),
    (
        "apps",
        &[
            ("controllerrevisions", &[], 0, 0),
            ("daemonsets", STATUS, 0, 0),
            ("deployments", SCALE, 0, 0),
            ("replicasets", SCALE, 0, 0),
            ("statefulsets", SCALE, 0, 0),
        ],
    ),
    ("authentication.k8s.io", &[("selfsubjectreviews", &[], 26, 0), ("tokenreviews", &[], 0, 0)]),
    (
        "authorization.k8s.io",
        &[
            ("localsubjectaccessreviews", &[], 0, 0),
            ("selfsubjectaccessreviews", &[], 0, 0),
            ("selfsubjectrulesreviews", &[], 0, 0),
            ("subjectaccessreviews", &[], 0, 0),
        ],
    ),
    ("autoscaling", &[("horizontalpodautoscalers", STATUS, 0, 0)]),
    ("batch", &[("cronjobs", STATUS, 0, 0), ("jobs", STATUS, 0, 0)]),
    (
        "certificates.k8s.io",
        &[
            ("certificatesigningrequests", &["approval", "status"], 0, 0),
            ("clustertrustbundles", &[], 27, 0),
            ("podcertificaterequests", STATUS, 34, 0),
        ],
    ),
    ("coordination.k8s.io", &[("leasecandidates", &[], 31, 0), ("leases", &[], 0, 0)]),
    ("discovery.k8s.io", &[("endpointslices", &[], 0, 0)]),
    ("events.k8s.io", &[("events", &[], 0, 0)]),
    ("flowcontrol.apiserver.k8s.io", &[("flowschemas", STATUS, 0, 0), ("prioritylevelconfigurations", STATUS, 0, 0)]),
    ("internal.apiserver.k8s.io", &[("storageversions", STATUS, 0, 0)]),
    (
        "networking.k8s.io",
        &[
            ("ingressclasses", &[], 0, 0),
            ("ingresses", STATUS, 0, 0),
            ("ipaddresses", &[], 27, 0),
            ("networkpolicies", &[], 0, 0),
            ("servicecidrs", STATUS, 27, 0),
        ],
    ),
    ("node.k8s.io", &[("runtimeclasses", &[], 0, 0)]),
    ("policy", &[("poddisruptionbudgets", STATUS, 0, 0), ("podsecuritypolicies", &[], 0, 24)]),
    (
        "rbac.authorization.k8s.io",
        &[
            ("clusterrolebindings", &[], 0, 0),
            ("clusterroles", &[], 0, 0),
            ("rolebindings", &[], 0, 0),
            ("roles", &[], 0, 0),
        ],
    ),
    (
        "resource.k8s.io",
        &[
            ("deviceclasses", &[], 31, 0),
            ("devicetaintrules", STATUS, 33, 0),
            ("podschedulingcontexts", STATUS, 27, 31),
            ("resourceclaims", STATUS, 26, 0),
            ("resourceclaimtemplates", &[], 26, 0),
            ("resourceclasses", &[], 26, 30),
            ("resourcepoolstatusrequests", STATUS, 36, 0),
            ("resourceslices", &[], 30, 0),
        ],
    ),
    ("scheduling.k8s.io", &[("podgroups", STATUS, 36, 0), ("priorityclasses", &[], 0, 0), ("workloads", &[], 35, 0)]),
    (
        "storage.k8s.io",
        &[
            ("csidrivers", &[], 0, 0),
            ("csinodes", &[], 0, 0),
            ("csistoragecapacities", &[], 0, 0),
            ("storageclasses", &[], 0, 0),
            ("volumeattachments", STATUS, 0, 0),
            ("volumeattributesclasses", &[], 29, 0),
        ],
    ),
    ("storagemigration.k8s.io", &[("storageversionmigrations", STATUS, 30, 0)]),
];

/// Groups that common add-ons serve; their resources are not known here.
const ADD_ON_GROUPS: &[&str] = &["custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"];

/// What a cluster serves.
#[derive(Debug, Clone, Default)]
pub struct Api {
    groups: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Whether the cluster itself said what it serves, so that everything else does not exist.
    complete: bool,
}

/// The text is not the output of `kubectl api-resources`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: not a line of `kubectl api-resources` output: {text:?}")]
pub struct NotApiResources {
    /// Line, from one.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl Api {
    /// What Kubernetes itself serves in this version.
    pub fn built_in(server: ServerVersion) -> Self {
        let minor = server.minor_number();
        let served = |row: &&Row| row.2 <= minor && (row.3 == 0 || minor <= row.3);
        let resource = |row: &Row| {
            let subresources = row.1.iter().map(|s| (*s).to_owned()).collect();
            (row.0.to_owned(), subresources)
        };
        let group = |(name, rows): &(&str, &[Row])| {
            let resources = rows.iter().filter(served).map(resource).collect();
            ((*name).to_owned(), resources)
        };
        Self { groups: GROUPS.iter().map(group).collect(), complete: false }
    }

    /// Adds what a cluster serves, as `kubectl api-resources` prints it: a table, or `-o name`.
    pub fn with_api_resources(mut self, text: &str) -> Result<Self, NotApiResources> {
        for (i, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (resource, group) = match words[..] {
                [] | ["NAME", ..] => continue,
                [name] => name.split_once('.').unwrap_or((name, "")),
                [name, ..] => match words.iter().position(|w| matches!(*w, "true" | "false")) {
                    Some(at) if at > 1 => (name, group_of(words[at - 1])),
                    _ => return Err(NotApiResources { line: i + 1, text: line.to_owned() }),
                },
            };
            self.groups.entry(group.to_owned()).or_default().entry(resource.to_owned()).or_default();
        }
        self.complete = true;
        Ok(self)
    }

    /// Whether the group exists; none where that cannot be known.
    pub fn has_group(&self, group: &str) -> Option<bool> {
        if self.groups.contains_key(group) || ADD_ON_GROUPS.contains(&group) {
            return Some(true);
        }
        // A name with dots may belong to a custom resource.
        (self.complete || !group.contains('.')).then_some(false)
    }

    /// Whether the group serves the resource; none where that cannot be known.
    pub fn has_resource(&self, group: &str, resource: &str) -> Option<bool> {
        let known = self.groups.get(group).map(|resources| resources.contains_key(resource));
        match known {
            Some(true) => Some(true),
            Some(false) => Some(false),
            None => (self.complete && !ADD_ON_GROUPS.contains(&group)).then_some(false),
        }
    }

    /// Whether a resource has the subresource; none where that cannot be known.
    pub fn has_subresource(&self, group: &str, resource: &str, subresource: &str) -> Option<bool> {
        let built_in = GROUPS.iter().any(|(name, rows)| *name == group && rows.iter().any(|row| row.0 == resource));
        let subresources = self.groups.get(group)?.get(resource)?;
        built_in.then(|| subresources.contains(subresource))
    }

    /// Groups that serve a resource of this name.
    pub fn groups_with(&self, resource: &str) -> Vec<&str> {
        let serving = self.groups.iter().filter(|(_, resources)| resources.contains_key(resource));
        serving.map(|(group, _)| group.as_str()).collect()
    }

    /// Names of all known groups.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The resources of a group, each with its subresources.
    pub fn resources(&self, group: &str) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        let resources = self.groups.get(group).into_iter().flatten();
        resources.map(|(name, subresources)| (name.as_str(), subresources.iter().map(String::as_str)))
    }

    /// Names of the resources of a group.
    pub fn resource_names(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flat_map(|resources| resources.keys().map(String::as_str))
    }
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The candidate nearest to a word, if it is near enough to be what was meant.
pub(crate) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = if word.len() < 5 { 1 } else { 2 };
    let scored = candidates.map(|candidate| (distance(word, candidate), candidate));
    scored.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

/// Edits between two words. Long words are never near anything, which bounds the work.
fn distance(a: &str, b: &str) -> usize {
    const WORD_MAX: usize = 64;
    if a.len() > WORD_MAX || b.len() > WORD_MAX {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
