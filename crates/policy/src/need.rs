//! What detections need from a policy, and where a policy leaves them blind.

use serde::{Deserialize, Serialize};

use crate::diff::treatment;
use crate::model::{GroupResources, Level, Policy, Rule, Stage};
use crate::request::Request;
use crate::space::{Area, Map, Region, Space, TooComplex};

/// What one detection needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Stable name.
    pub id: String,
    /// What is detected.
    pub title: String,
    /// Goals that ask for it: `security`, `cis`, `pci`, `hipaa`, `gdpr`, `soc2`.
    #[serde(default)]
    pub goals: Vec<String>,
    /// Which requests it looks at.
    pub requests: Vec<Pattern>,
    /// The least level at which it can fire.
    pub level: Level,
    /// Stages of which it needs one.
    pub stages: Vec<Stage>,
    /// Fields of bodies that it reads, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Requests, as a rule selects them. Empty lists do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pattern {
    /// Users.
    pub users: Vec<String>,
    /// Request verbs.
    pub verbs: Vec<String>,
    /// API group.
    pub group: String,
    /// Resources and subresources.
    pub resources: Vec<String>,
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Object names.
    pub names: Vec<String>,
    /// Paths of requests that are not for resources; a pattern has these or the others.
    pub paths: Vec<String>,
}

impl Pattern {
    pub(crate) fn rule(&self, level: Level) -> Rule {
        let entry = GroupResources {
            group: self.group.clone(),
            resources: self.resources.clone(),
            resource_names: self.names.clone(),
        };
        let any = self.resources.is_empty() && self.group.is_empty() || !self.paths.is_empty();
        Rule {
            level,
            users: self.users.clone(),
            verbs: self.verbs.clone(),
            namespaces: self.namespaces.clone(),
            resources: if any { Vec::new() } else { vec![entry] },
            non_resource_urls: self.paths.clone(),
            ..Rule::default()
        }
    }
}

/// Where a policy leaves a detection blind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlindSpot {
    /// The detection.
    pub need: Need,
    /// Whether it can never fire, or only not for some requests.
    pub total: bool,
    /// The rules that cause it, with what they record; none stands for no rule.
    pub causes: Vec<Cause>,
    /// The requests that go unseen.
    pub areas: Vec<Area>,
    /// One of them.
    pub example: Option<Request<'static>>,
    /// The smallest change that lets it fire.
    pub change: String,
}

/// A rule that leaves a detection blind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The rule, from zero.
    pub rule: Option<usize>,
    /// What it records.
    pub level: Level,
    /// Whether it is for lack of a stage.
    pub stage: bool,
}

/// The space of requests, cut along a policy and needs, with what each rule decides.
pub(crate) fn mapped<'n>(
    policy: &Policy,
    needs: impl IntoIterator<Item = &'n Need>,
) -> Result<(Space, Map), TooComplex> {
    let mut space = Space::of(&[policy]);
    for need in needs {
        need.requests.iter().for_each(|pattern| space.name(&pattern.rule(need.level)));
    }
    let map = Map::new(&space, policy)?;
    Ok((space, map))
}

/// The detections that a policy leaves blind.
pub fn blind_spots(policy: &Policy, needs: &[Need]) -> Result<Vec<BlindSpot>, TooComplex> {
    let (space, map) = mapped(policy, needs)?;
    let mut found = Vec::new();
    for need in needs {
        found.extend(blind_spot(policy, need, &space, &map)?);
    }
    Ok(found)
}

/// Whether a treatment shows a detection what it needs, and if not, whether only a stage is missing.
fn shortfall(policy: &Policy, rule: Option<usize>, need: &Need) -> Option<Cause> {
    let treatment = treatment(policy, rule);
    let stage_missing =
        !need.stages.is_empty() && need.stages.iter().all(|stage| treatment.omit_stages.contains(stage));
    let stage = treatment.level >= need.level && stage_missing;
    (treatment.level < need.level || stage).then_some(Cause { rule, level: treatment.level, stage })
}

/// What a policy does not show of what a need asks for.
pub(crate) struct Unseen {
    region: Region,
    pub(crate) causes: Vec<Cause>,
    /// Whether anything else of it is shown.
    seen: bool,
}

impl Unseen {
    pub(crate) fn of(policy: &Policy, need: &Need, space: &Space, map: &Map) -> Self {
        let mut wanted = Region::default();
        for pattern in &need.requests {
            wanted.union(space.rule(&pattern.rule(need.level)));
        }
        let mut unseen = Self { region: Region::default(), causes: Vec::new(), seen: false };
        let rules = map.decided.iter().enumerate().map(|(i, region)| (Some(i), region));
        for (rule, region) in rules.chain([(None, &map.unmatched)]) {
            let share = region.and(&wanted);
            if share.is_empty() {
                continue;
            }
            match shortfall(policy, rule, need) {
                Some(cause) => {
                    unseen.causes.push(cause);
                    unseen.region.union(share);
                }
                None => unseen.seen = true,
            }
        }
        unseen
    }
}

fn blind_spot(policy: &Policy, need: &Need, space: &Space, map: &Map) -> Result<Option<BlindSpot>, TooComplex> {
    let Unseen { region, causes, seen } = Unseen::of(policy, need, space, map);
    if region.is_empty() {
        return Ok(None);
    }
    let unseen = region.simplified(&space.widest())?;
    Ok(Some(BlindSpot {
        total: !seen,
        areas: unseen.cells.iter().map(|cell| space.area(cell)).collect(),
        example: unseen.cells.first().map(|cell| space.example(cell)),
        change: smallest_change(policy, need, &causes),
        need: need.clone(),
        causes,
    }))
}

fn smallest_change(policy: &Policy, need: &Need, causes: &[Cause]) -> String {
    if causes.iter().all(|cause| cause.stage) {
        let stages: Vec<&str> = need.stages.iter().map(|stage| stage.name()).collect();
        let global = need.stages.iter().any(|stage| policy.omit_stages.contains(stage));
        let rules: Vec<String> =
            causes.iter().filter_map(|cause| cause.rule).map(|rule| (rule + 1).to_string()).collect();
        let place = if global { "the policy".to_owned() } else { format!("rule {}", rules.join(", ")) };
        return format!("take {} out of omitStages of {place}", stages.join(" and "));
    }
    let first = causes.iter().filter_map(|cause| cause.rule).min();
    let place = first.map_or("at the end".to_owned(), |rule| format!("before rule {}", rule + 1));
    format!("insert {place}:\n{}", rules_yaml(need))
}

/// The rules that a need asks for, as YAML items.
fn rules_yaml(need: &Need) -> String {
    let rules: Vec<String> =
        need.requests.iter().map(|pattern| crate::format::rule_item(&pattern.rule(need.level), "")).collect();
    rules.concat()
}

/// The needs of the detections that ship with the product.
pub fn built_in_needs() -> Vec<Need> {
    let patterns = |requests: &[(&str, &[&str], &[&str])]| -> Vec<Pattern> {
        let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        requests
            .iter()
            .map(|(group, resources, verbs)| Pattern {
                group: (*group).to_owned(),
                resources: owned(resources),
                verbs: owned(verbs),
                ..Pattern::default()
            })
            .collect()
    };
    let need = |row: &Row| Need {
        id: row.id.to_owned(),
        title: row.title.to_owned(),
        goals: row.goals.iter().map(|goal| (*goal).to_owned()).collect(),
        requests: patterns(row.requests),
        level: row.level,
        stages: row.stages.to_vec(),
        fields: Vec::new(),
    };
    NEEDS.iter().map(need).collect()
}

struct Row {
    id: &'static str,
    title: &'static str,
    goals: &'static [&'static str],
    requests: &'static [(&'static str, &'static [&'static str], &'static [&'static str])],
    level: Level,
    stages: &'static [Stage],
}

const COMPLETE: &[Stage] = &[Stage::ResponseComplete];
const STARTED: &[Stage] = &[Stage::ResponseStarted, Stage::ResponseComplete];
const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const CHANGES: &[&str] = &["create", "update", "patch"];
const READS: &[&str] = &["get", "list", "watch"];
const ALL: &[&str] = &["security", "cis", "pci", "hipaa", "gdpr", "soc2"];

/// Detections and what they look at; the comments name the family.
const NEEDS: &[Row] = &[
    Row {
        id: "exec-into-pod",
        title: "a shell or command in a container",
        goals: ALL,
        requests: &[("", &["pods/exec", "pods/attach"], &["create", "get"])],
        level: Level::Metadata,
        stages: STARTED,
    },
    Row {
        id: "port-forward",
        title: "a tunnel into a pod",
        goals: &["security", "pci", "soc2"],
        requests: &[("", &["pods/portforward"], &["create", "get"])],
        level: Level::Metadata,
        stages: STARTED,
    },
    Row {
        id: "api-server-proxy",
        title: "kubelet, pods or services reached through the API server",
        goals: &["security", "cis"],
        requests: &[("", &["nodes/proxy", "pods/proxy", "services/proxy"], &[])],
        level: Level::Metadata,
        stages: STARTED,
    },
    Row {
        id: "ephemeral-container",
        title: "a debug container added to a pod",
        goals: &["security"],
        requests: &[("", &["pods/ephemeralcontainers"], &["update", "patch"])],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "risky-pod",
        title: "privileged, host access or dangerous capabilities in a pod",
        goals: &["security", "cis"],
        requests: &[("", &["pods"], &["create"])],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "risky-workload",
        title: "workloads, jobs and daemon sets with risky pod templates",
        goals: &["security"],
        requests: &[
            ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"], CHANGES),
            ("batch", &["cronjobs", "jobs"], CHANGES),
        ],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "secret-access",
        title: "secrets read or listed, by whom, how many",
        goals: ALL,
        requests: &[("", &["secrets"], READS)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "secret-change",
        title: "secrets created, changed or deleted",
        goals: ALL,
        requests: &[("", &["secrets"], WRITES)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "configmap-change",
        title: "security-critical ConfigMaps changed (aws-auth, coredns)",
        goals: &["security", "soc2"],
        requests: &[("", &["configmaps"], WRITES)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "token-minted",
        title: "tokens of service accounts requested",
        goals: ALL,
        requests: &[("", &["serviceaccounts/token"], &["create"])],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "service-account-change",
        title: "service accounts created or deleted",
        goals: &["security", "cis", "soc2"],
        requests: &[("", &["serviceaccounts"], WRITES)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "rbac-grant",
        title: "roles and bindings: cluster-admin, wildcards, escalation",
        goals: ALL,
        requests: &[(
            "rbac.authorization.k8s.io",
            &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
            CHANGES,
        )],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "rbac-removal",
        title: "roles and bindings deleted",
        goals: ALL,
        requests: &[(
            "rbac.authorization.k8s.io",
            &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
            &["delete", "deletecollection"],
        )],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "admission-webhook",
        title: "admission webhooks and policies changed",
        goals: &["security", "cis", "pci", "soc2"],
        requests: &[("admissionregistration.k8s.io", &["*"], WRITES)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "certificate-request",
        title: "client certificates requested",
        goals: &["security", "cis", "pci"],
        requests: &[("certificates.k8s.io", &["certificatesigningrequests"], &["create"])],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "certificate-approval",
        title: "certificates approved",
        goals: &["security", "cis", "pci"],
        requests: &[("certificates.k8s.io", &["certificatesigningrequests/approval"], &["update", "patch"])],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "permission-review",
        title: "someone asks what he may do",
        goals: &["security"],
        requests: &[("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"])],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "events-deleted",
        title: "Events deleted to cover tracks",
        goals: &["security"],
        requests: &[
            ("", &["events"], &["delete", "deletecollection"]),
            ("events.k8s.io", &["events"], &["delete", "deletecollection"]),
        ],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "exposed-service",
        title: "services that expose a port (NodePort, LoadBalancer)",
        goals: &["security", "pci"],
        requests: &[("", &["services"], CHANGES)],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "ingress-change",
        title: "ingresses without TLS, network policies changed",
        goals: &["security", "pci"],
        requests: &[("networking.k8s.io", &["ingresses", "networkpolicies"], WRITES)],
        level: Level::Request,
        stages: COMPLETE,
    },
    Row {
        id: "destruction",
        title: "namespaces, volumes and workloads deleted",
        goals: ALL,
        requests: &[
            (
                "",
                &["namespaces", "persistentvolumeclaims", "persistentvolumes", "pods"],
                &["delete", "deletecollection"],
            ),
            ("apps", &["*"], &["delete", "deletecollection"]),
        ],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "node-change",
        title: "nodes joined, labelled or tainted",
        goals: &["security"],
        requests: &[("", &["nodes"], WRITES)],
        level: Level::Metadata,
        stages: COMPLETE,
    },
    Row {
        id: "api-extension",
        title: "custom resources and aggregated APIs hijacked",
        goals: &["security"],
        requests: &[
            ("apiextensions.k8s.io", &["customresourcedefinitions"], WRITES),
            ("apiregistration.k8s.io", &["apiservices"], WRITES),
        ],
        level: Level::Metadata,
        stages: COMPLETE,
    },
];
