//! Traffic of clusters of a few sizes, for when none was recorded.
//!
//! Sizes of events and bodies are the means of a recorded Kubernetes 1.36 cluster with four nodes. Rates are those that
//! the components state (a kubelet renews its lease every 10 s, a leader every 2 s, a watch lasts 5 to 10 minutes, a
//! Pod's token 48 minutes), multiplied by the number of nodes and Pods. How often Pods are replaced and what programs
//! ask for differs most from cluster to cluster: those rows are assumptions, so totals may be off by a factor of three.

use std::borrow::Cow;

use crate::model::{Level, Stage};
use crate::request::{Request, User};
use crate::tally::Recorded;

/// A cluster of some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// Nodes.
    pub nodes: u32,
    /// Pods.
    pub pods: u32,
}

/// The presets, the smallest first.
pub const PRESETS: [Preset; 3] = [
    Preset { name: "small", nodes: 3, pods: 60 },
    Preset { name: "medium", nodes: 20, pods: 350 },
    Preset { name: "large", nodes: 200, pods: 5_000 },
];

/// What a rate is multiplied by.
#[derive(Debug, Clone, Copy)]
enum Per {
    Cluster,
    Node,
    Pod,
    /// A Pod that is started: every Pod is replaced this often.
    Start,
}

/// Starts of each Pod in a day, roll-outs, Jobs and restarts together.
const STARTS_A_DAY: f64 = 4.0;

/// Requests of one kind.
struct Row {
    per: Per,
    /// Requests an hour.
    hourly: f64,
    user: &'static str,
    verb: &'static str,
    /// `resource[/subresource][.group]`, or a path.
    target: &'static str,
    namespace: &'static str,
    /// Bytes of the event without bodies, of the request body and of the response body.
    bytes: [u64; 3],
}

const fn row(
    per: Per,
    hourly: f64,
    user: &'static str,
    verb: &'static str,
    target: &'static str,
    namespace: &'static str,
    bytes: [u64; 3],
) -> Row {
    Row { per, hourly, user, verb, target, namespace, bytes }
}

const NODE: &str = "system:node:worker-1";
const SCHEDULER: &str = "system:kube-scheduler";
const MANAGER: &str = "system:kube-controller-manager";
const API_SERVER: &str = "system:apiserver";
const DEPLOYMENTS: &str = "system:serviceaccount:kube-system:deployment-controller";
const REPLICAS: &str = "system:serviceaccount:kube-system:replicaset-controller";
const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
const SLICES: &str = "system:serviceaccount:kube-system:endpointslice-controller";
const JOBS: &str = "system:serviceaccount:kube-system:job-controller";
const METRICS: &str = "system:serviceaccount:monitoring:prometheus";
const OPERATOR: &str = "system:serviceaccount:cert-manager:cert-manager";
const INGRESS: &str = "system:serviceaccount:ingress-nginx:ingress-nginx";
const GIT_OPS: &str = "system:serviceaccount:argocd:argocd-application-controller";
const PROGRAM: &str = "system:serviceaccount:web:program";
const PERSON: &str = "alice@example.com";
const NOBODY: &str = "";

use Per::{Cluster, Node, Pod, Start};

const ROWS: &[Row] = &[
    // Nodes.
    row(Node, 360.0, NODE, "update", "leases.coordination.k8s.io", "kube-node-lease", [968, 420, 560]),
    row(Node, 20.0, NODE, "patch", "nodes/status", "", [875, 733, 9_000]),
    row(Node, 10.0, NODE, "get", "nodes", "", [880, 0, 9_000]),
    row(Node, 40.0, NODE, "watch", "pods", "", [896, 0, 0]),
    row(Node, 8.0, NODE, "watch", "services", "", [860, 0, 0]),
    row(Node, 8.0, NODE, "watch", "nodes", "", [916, 0, 0]),
    row(Node, 8.0, NODE, "watch", "csidrivers.storage.k8s.io", "", [908, 0, 0]),
    row(Node, 8.0, NODE, "watch", "runtimeclasses.node.k8s.io", "", [910, 0, 0]),
    // Pods that live: watches of their ConfigMaps and Secrets, their tokens.
    row(Pod, 8.0, NODE, "watch", "configmaps", "web", [920, 0, 0]),
    row(Pod, 4.0, NODE, "watch", "secrets", "web", [920, 0, 0]),
    row(Pod, 1.25, NODE, "create", "serviceaccounts/token", "web", [1196, 320, 1_600]),
    row(Pod, 0.5, NODE, "patch", "pods/status", "web", [929, 602, 4_200]),
    // Pods that start and stop.
    row(Start, 1.0, REPLICAS, "create", "pods", "web", [1729, 981, 3_400]),
    row(Start, 1.0, SCHEDULER, "create", "pods/binding", "web", [1135, 190, 60]),
    row(Start, 4.0, NODE, "patch", "pods/status", "web", [929, 602, 4_200]),
    row(Start, 2.0, NODE, "get", "pods", "web", [863, 0, 4_200]),
    row(Start, 1.0, NODE, "delete", "pods", "web", [901, 148, 4_200]),
    row(Start, 1.0, REPLICAS, "delete", "pods", "web", [1259, 62, 4_200]),
    row(Start, 5.0, NODE, "create", "events", "web", [895, 538, 900]),
    row(Start, 1.0, SCHEDULER, "create", "events.events.k8s.io", "web", [1061, 560, 900]),
    row(Start, 1.0, REPLICAS, "create", "events", "web", [1248, 609, 900]),
    row(Start, 3.0, REPLICAS, "update", "replicasets/status.apps", "web", [1399, 1621, 1_900]),
    row(Start, 3.0, DEPLOYMENTS, "update", "deployments/status.apps", "web", [1406, 1914, 2_300]),
    row(Start, 0.5, DEPLOYMENTS, "update", "replicasets.apps", "web", [1436, 1618, 1_900]),
    row(Start, 2.0, SLICES, "update", "endpointslices.discovery.k8s.io", "web", [1366, 1_100, 1_300]),
    row(Start, 2.0, SLICES, "update", "endpoints", "web", [1314, 1325, 1_500]),
    row(Start, 0.3, JOBS, "update", "jobs/status.batch", "web", [1337, 1856, 2_100]),
    row(Start, 0.3, COLLECTOR, "delete", "pods", "web", [1278, 183, 4_200]),
    row(Start, 0.3, COLLECTOR, "get", "jobs.batch", "web", [1273, 0, 2_100]),
    // The control plane.
    row(Cluster, 1_800.0, SCHEDULER, "update", "leases.coordination.k8s.io", "kube-system", [990, 430, 570]),
    row(Cluster, 1_800.0, MANAGER, "update", "leases.coordination.k8s.io", "kube-system", [990, 430, 570]),
    row(Cluster, 360.0, API_SERVER, "update", "leases.coordination.k8s.io", "kube-system", [964, 430, 570]),
    row(Cluster, 960.0, MANAGER, "watch", "deployments.apps", "", [1212, 0, 0]),
    row(Cluster, 160.0, SCHEDULER, "watch", "pods", "", [1000, 0, 0]),
    row(Cluster, 240.0, MANAGER, "get", "/apis", "", [887, 0, 12_000]),
    row(Cluster, 120.0, COLLECTOR, "get", "/api", "", [1026, 0, 300]),
    row(Cluster, 2_000.0, "system:anonymous", "get", "/livez", "", [700, 0, 2]),
    row(Cluster, 2_000.0, "system:anonymous", "get", "/readyz", "", [700, 0, 2]),
    row(Cluster, 240.0, METRICS, "get", "/metrics", "", [938, 0, 0]),
    row(Cluster, 480.0, METRICS, "watch", "pods", "", [963, 0, 0]),
    // What is installed in it: operators elect leaders too, and reconcile.
    row(Cluster, 5.0 * 1_800.0, OPERATOR, "update", "leases.coordination.k8s.io", "cert-manager", [1185, 440, 580]),
    row(Cluster, 5.0 * 1_800.0, OPERATOR, "get", "leases.coordination.k8s.io", "cert-manager", [1157, 0, 580]),
    row(Cluster, 1_800.0, INGRESS, "update", "leases.coordination.k8s.io", "ingress-nginx", [1197, 440, 580]),
    row(Cluster, 270.0, OPERATOR, "get", "secrets", "web", [1084, 0, 3_800]),
    row(Cluster, 480.0, OPERATOR, "watch", "secrets", "", [1090, 0, 0]),
    row(Pod, 2.0, GIT_OPS, "get", "deployments.apps", "web", [1119, 0, 2_300]),
    row(Pod, 1.0, GIT_OPS, "patch", "deployments.apps", "web", [1333, 108, 2_300]),
    row(Cluster, 35.0, GIT_OPS, "list", "secrets", "", [1054, 0, 150_000]),
    row(Pod, 60.0, PROGRAM, "get", "configmaps", "web", [1184, 0, 1_500]),
    row(Pod, 30.0, PROGRAM, "list", "pods", "web", [1020, 0, 60_000]),
    // People.
    row(Cluster, 60.0, PERSON, "list", "pods", "web", [949, 0, 60_000]),
    row(Cluster, 30.0, PERSON, "get", "deployments.apps", "web", [978, 0, 2_300]),
    row(Cluster, 20.0, PERSON, "get", "pods/log", "web", [980, 0, 0]),
    row(Cluster, 3.0, PERSON, "get", "pods/exec", "web", [1_050, 0, 0]),
    row(Cluster, 3.0, PERSON, "patch", "deployments.apps", "web", [1_100, 400, 2_300]),
    row(Cluster, 5.0, NOBODY, "list", "namespaces", "", [523, 0, 0]),
];

/// What the event of the first stage lacks: status, annotations.
const STATUS_BYTES: u64 = 190;

impl Preset {
    /// The preset of a name.
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// The events of one day, those of a kind together, at all stages and with all bodies.
    pub fn day(self) -> impl Iterator<Item = Recorded<'static>> {
        ROWS.iter().flat_map(move |row| {
            let request = request(row);
            let stages = stages(&request);
            stages.into_iter().map(move |stage| recorded(row, request.clone(), stage, self.daily(row)))
        })
    }

    /// What was assumed, in a sentence.
    pub fn assumption(self) -> String {
        let Self { name, nodes, pods } = self;
        format!(
            "no traffic was named, so these are the figures of the preset {name}: {nodes} nodes, {pods} Pods, each \
             started {STARTS_A_DAY} times a day; they may be off by a factor of three: name a recording with --from or \
             --since before you rely on them"
        )
    }

    fn daily(self, row: &Row) -> u64 {
        let units = match row.per {
            Cluster => 24.0,
            Node => 24.0 * f64::from(self.nodes),
            Pod => 24.0 * f64::from(self.pods),
            Start => STARTS_A_DAY * f64::from(self.pods),
        };
        (units * row.hourly).round() as u64
    }
}

fn recorded(row: &Row, request: Request<'static>, stage: Stage, count: u64) -> Recorded<'static> {
    let [metadata, request_body, response_body] = row.bytes;
    let (metadata, request_body, response_body) = match stage {
        Stage::RequestReceived => (metadata - STATUS_BYTES, 0, 0),
        Stage::ResponseStarted => (metadata, 0, 0),
        _ => (metadata, request_body, response_body),
    };
    let bytes = metadata + request_body + response_body;
    Recorded { request, level: Level::RequestResponse, stage, bytes, request_body, response_body, time: None, count }
}

fn stages(request: &Request<'_>) -> Vec<Stage> {
    if request.user.is_none() {
        return vec![Stage::ResponseStarted];
    }
    match request.is_long_running() {
        true => vec![Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete],
        false => vec![Stage::RequestReceived, Stage::ResponseComplete],
    }
}

fn request(row: &Row) -> Request<'static> {
    let user = (!row.user.is_empty()).then(|| User { name: Cow::Borrowed(row.user), groups: groups(row.user) });
    let verb = Cow::Borrowed(row.verb);
    if row.target.starts_with('/') {
        return Request { user, verb, path: Cow::Borrowed(row.target), ..Request::default() };
    }
    let (combined, group) = row.target.split_once('.').unwrap_or((row.target, ""));
    let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
    let is_named = !matches!(row.verb, "list" | "watch" | "create") || !subresource.is_empty();
    Request {
        user,
        verb,
        namespace: Cow::Borrowed(row.namespace),
        api_group: Cow::Borrowed(group),
        resource: Cow::Borrowed(resource),
        subresource: Cow::Borrowed(subresource),
        name: Cow::Borrowed(if is_named { "example" } else { "" }),
        resource_request: true,
        ..Request::default()
    }
}

/// The groups that such a user is in.
fn groups(user: &'static str) -> Vec<Cow<'static, str>> {
    let mut groups = Vec::new();
    if user == "system:anonymous" {
        return vec![Cow::Borrowed("system:unauthenticated")];
    }
    if let Some(account) = user.strip_prefix("system:serviceaccount:") {
        let namespace = account.split(':').next().unwrap_or_default();
        groups.push(Cow::Borrowed("system:serviceaccounts"));
        groups.push(Cow::Owned(format!("system:serviceaccounts:{namespace}")));
    }
    if user == API_SERVER {
        groups.push(Cow::Borrowed("system:masters"));
    }
    if user.starts_with("system:node:") {
        groups.push(Cow::Borrowed("system:nodes"));
    }
    groups.push(Cow::Borrowed("system:authenticated"));
    groups
}
