//! Goals that a policy can have, and what standards ask an audit log to hold. What detections need comes from their
//! rules, see [`Need`].

use crate::model::{Level, Stage};
use crate::need::{Identities, Need, Pattern};

/// Goals that can be asked for.
pub const GOALS: &[(&str, &str)] = &[
    ("security", "detections of the product can fire"),
    ("cis", "CIS Kubernetes Benchmark 3.2"),
    ("pci", "PCI DSS 10.2: access and administration are recorded"),
    ("hipaa", "HIPAA 164.312(b): access to protected data is recorded"),
    ("gdpr", "GDPR article 32: access can be traced, secrets are not copied"),
    ("soc2", "SOC 2 CC7.2: changes and access are monitored"),
];

/// What the standards among the [`GOALS`] ask for. They are about what can be looked up afterwards, not about detections.
pub fn standards() -> Vec<Need> {
    REQUIREMENTS.iter().map(Requirement::need).collect()
}

/// Kinds of requests: API group, resources, verbs.
type Requests = (&'static str, &'static [&'static str], &'static [&'static str]);

/// One requirement, of the goals that make it.
struct Requirement {
    id: &'static str,
    title: &'static str,
    goals: &'static [&'static str],
    requests: &'static [Requests],
    level: Level,
}

impl Requirement {
    fn need(&self) -> Need {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let pattern = |(group, resources, verbs): &Requests| Pattern {
            group: (*group).to_owned(),
            resources: owned(resources),
            verbs: owned(verbs),
            ..Pattern::default()
        };
        Need {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            goals: owned(self.goals),
            part_of: Vec::new(),
            requests: self.requests.iter().map(pattern).collect(),
            never: Identities::default(),
            level: self.level,
            stages: vec![Stage::ResponseStarted, Stage::ResponseComplete],
            fields: Vec::new(),
        }
    }
}

const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const CHANGES: &[&str] = &["create", "update", "patch"];
const DELETIONS: &[&str] = &["delete", "deletecollection"];
const STANDARDS: &[&str] = &["cis", "pci", "hipaa", "gdpr", "soc2"];

const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        id: "access-to-secrets",
        title: "access to secrets and their change (CIS 3.2.2, PCI DSS 10.2.1.1 and 10.2.1.5)",
        goals: STANDARDS,
        requests: &[("", &["secrets"], &[])],
        level: Level::Metadata,
    },
    Requirement {
        id: "configuration-change",
        title: "change of configuration (CIS 3.2.2, SOC 2 CC8.1)",
        goals: &["cis", "soc2"],
        requests: &[("", &["configmaps"], WRITES)],
        level: Level::Metadata,
    },
    Requirement {
        id: "credentials-issued",
        title: "credentials made and reviewed (CIS 3.2.2, PCI DSS 10.2.1.5)",
        goals: STANDARDS,
        requests: &[
            ("", &["serviceaccounts/token"], &["create"]),
            ("authentication.k8s.io", &["tokenreviews"], &["create"]),
            ("certificates.k8s.io", &["certificatesigningrequests", "certificatesigningrequests/approval"], WRITES),
        ],
        level: Level::Metadata,
    },
    Requirement {
        id: "accounts-changed",
        title: "accounts of programs created and deleted (PCI DSS 10.2.1.5)",
        goals: &["cis", "pci", "soc2"],
        requests: &[("", &["serviceaccounts"], WRITES)],
        level: Level::Metadata,
    },
    Requirement {
        id: "powers-granted",
        title: "roles and bindings, with what they grant (PCI DSS 10.2.1.5, SOC 2 CC6.3)",
        goals: STANDARDS,
        requests: &[(
            "rbac.authorization.k8s.io",
            &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
            CHANGES,
        )],
        level: Level::Request,
    },
    Requirement {
        id: "powers-removed",
        title: "roles and bindings deleted (PCI DSS 10.2.1.5)",
        goals: STANDARDS,
        requests: &[(
            "rbac.authorization.k8s.io",
            &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
            DELETIONS,
        )],
        level: Level::Metadata,
    },
    Requirement {
        id: "workloads-changed",
        title: "change of Pods and workloads, with what was asked for (CIS 3.2.2)",
        goals: &["cis"],
        requests: &[
            ("", &["pods"], CHANGES),
            ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"], CHANGES),
            ("batch", &["cronjobs", "jobs"], CHANGES),
        ],
        level: Level::Request,
    },
    Requirement {
        id: "hands-on-workloads",
        title: "commands run in containers (CIS 3.2.2, PCI DSS 10.2.1.2)",
        goals: STANDARDS,
        requests: &[("", &["pods/attach", "pods/exec"], &["create", "get"])],
        level: Level::Metadata,
    },
    Requirement {
        id: "tunnels",
        title: "tunnels and proxies through the API server (CIS 3.2.2, PCI DSS 10.2.1.2)",
        goals: &["cis", "pci", "soc2"],
        requests: &[
            ("", &["pods/portforward"], &["create", "get"]),
            ("", &["nodes/proxy", "pods/proxy", "services/proxy"], &[]),
        ],
        level: Level::Metadata,
    },
    Requirement {
        id: "guards-changed",
        title: "admission webhooks and policies changed (PCI DSS 10.2.1.2, SOC 2 CC8.1)",
        goals: &["cis", "pci", "soc2"],
        requests: &[("admissionregistration.k8s.io", &["*"], WRITES)],
        level: Level::Metadata,
    },
    Requirement {
        id: "exposure-changed",
        title: "services, ingresses and network policies, with what they open (PCI DSS 1.2.2)",
        goals: &["pci"],
        requests: &[("", &["services"], CHANGES), ("networking.k8s.io", &["ingresses", "networkpolicies"], CHANGES)],
        level: Level::Request,
    },
    Requirement {
        id: "system-objects-made-and-deleted",
        title: "namespaces, volumes and workloads created and deleted (PCI DSS 10.2.1.7)",
        goals: STANDARDS,
        requests: &[
            (
                "",
                &["namespaces", "persistentvolumeclaims", "persistentvolumes", "pods"],
                &["create", "delete", "deletecollection"],
            ),
            ("apps", &["*"], &["create", "delete", "deletecollection"]),
        ],
        level: Level::Metadata,
    },
];
