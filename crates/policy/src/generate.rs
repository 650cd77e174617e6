//! A policy from goals: every rule says which detections need it and what it costs.

use std::collections::BTreeMap;

use crate::format::to_yaml_with;
use crate::model::{GroupResources, Level, Policy, Rule};
use crate::need::{Need, Pattern};
use crate::outline::Outline;
use crate::tally::{Tally, Volume};

/// Goals that can be asked for.
pub const GOALS: &[(&str, &str)] = &[
    ("security", "detections of the product can fire"),
    ("cis", "CIS Kubernetes Benchmark 3.2"),
    ("pci", "PCI DSS 10.2: access and administration are recorded"),
    ("hipaa", "HIPAA 164.312(b): access to protected data is recorded"),
    ("gdpr", "GDPR article 32: access can be traced, secrets are not copied"),
    ("soc2", "SOC 2 CC7.2: changes and access are monitored"),
];

/// A rule with its reasons.
#[derive(Debug, Clone)]
pub(crate) struct Reasoned {
    pub(crate) rule: Rule,
    pub(crate) why: String,
    /// The rule may be lowered to this level, or dropped at `None`, to keep within a budget.
    pub(crate) least: Level,
}

/// A generated policy.
#[derive(Debug, Clone)]
pub struct Generated {
    /// What a policy says besides its rules.
    pub(crate) frame: Policy,
    pub(crate) rules: Vec<Reasoned>,
    /// Bytes a day that each rule keeps at each level; empty while no traffic is known.
    pub(crate) costs: Vec<[f64; 4]>,
}

impl Generated {
    /// The policy.
    pub fn policy(&self) -> Policy {
        let rules = self.rules.iter().map(|reasoned| reasoned.rule.clone()).collect();
        Policy { rules, ..self.frame.clone() }
    }

    /// Writes down what each rule keeps of some traffic, and lowers rules until all of it is within the budget in
    /// bytes a day, as far as the goals allow. Returns the bytes a day, where the traffic spans any time.
    ///
    /// The tally must be one under [`Generated::policy`]: which rule decides a request does not change by lowering.
    pub fn fit(&mut self, tally: &Tally, budget: Option<f64>) -> Option<f64> {
        let per_day = |volume: Volume| tally.per_day(volume);
        per_day(tally.kept)?;
        let shares = || tally.rules.iter().map(|share| share.at.map(|volume| per_day(volume).unwrap_or(0.0)));
        self.costs = shares().take(self.rules.len()).collect();
        while budget.is_some_and(|budget| self.bytes_a_day() > budget) && self.economise() {}
        Some(self.bytes_a_day())
    }

    /// What it keeps of the traffic that it was fitted to.
    fn bytes_a_day(&self) -> f64 {
        (0..self.rules.len()).filter_map(|i| self.cost(i)).sum()
    }

    fn cost(&self, rule: usize) -> Option<f64> {
        self.costs.get(rule).map(|at| at[self.rules[rule].rule.level as usize])
    }

    /// Lowers the most expensive rule that its goals allow to lower; false where none is left.
    fn economise(&mut self) -> bool {
        let lowerable = (0..self.rules.len()).filter(|&i| self.rules[i].rule.level > self.rules[i].least);
        let costly = lowerable.filter_map(|i| Some((i, self.cost(i).filter(|cost| *cost > 0.0)?)));
        let Some((most, _)) = costly.max_by(|a, b| a.1.total_cmp(&b.1)) else { return false };
        let chosen = &mut self.rules[most];
        chosen.rule.level = match chosen.rule.level {
            Level::RequestResponse => Level::Request,
            Level::Request => Level::Metadata,
            _ => Level::None,
        }
        .max(chosen.least);
        chosen.why.push_str("\nLowered to keep within the budget.");
        true
    }

    /// The policy as YAML, with its reasons.
    pub fn to_yaml(&self, head: &str) -> String {
        let head: String = head.lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect();
        let comment = |i: usize| {
            let cost =
                self.cost(i).map_or(String::new(), |bytes| format!("\nCosts about {} a day.", bytes_text(bytes)));
            format!("{}{cost}", self.rules[i].why)
        };
        let yaml = to_yaml_with(&self.policy(), comment);
        debug_assert!(Outline::parse(&yaml).is_some());
        head + &yaml
    }
}

/// A size as people read it.
pub fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut bytes, mut unit) = (bytes, 0);
    while bytes >= 1000.0 && unit + 1 < UNITS.len() {
        bytes /= 1000.0;
        unit += 1;
    }
    format!("{bytes:.1} {}", UNITS[unit])
}

/// Generates a policy for goals from what their detections need.
pub fn generate(goals: &[String], needs: &[Need]) -> Generated {
    let chosen = needed_for(goals, needs);
    let mut rules = noise();
    rules.push(secrets(&chosen));
    rules.extend(wanted(&chosen));
    rules.push(ways_in());
    rules.push(Reasoned {
        rule: Rule {
            level: Level::Metadata,
            user_groups: strings(&["system:authenticated"]),
            verbs: strings(&["get", "list", "watch"]),
            ..Rule::default()
        },
        why: "All other reads: who looked at what. The first to go when the budget is short; anonymous requests and \
              failed authentications are not among them."
            .to_owned(),
        least: Level::None,
    });
    rules.push(everything_else());
    Generated { frame: Policy::new(Vec::new()), rules, costs: Vec::new() }
}

/// The needs of the goals.
pub(crate) fn needed_for<'n>(goals: &[String], needs: &'n [Need]) -> Vec<&'n Need> {
    needs.iter().filter(|need| need.goals.iter().any(|goal| goals.contains(goal))).collect()
}

pub(crate) fn everything_else() -> Reasoned {
    Reasoned {
        rule: Rule { level: Level::Metadata, ..Rule::default() },
        why: "Everything else, also APIs that do not exist yet, and failed authentications.".to_owned(),
        least: Level::Metadata,
    }
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn entry(group: &str, resources: &[&str]) -> GroupResources {
    GroupResources { group: group.to_owned(), resources: strings(resources), ..GroupResources::default() }
}

/// Requests of every cluster that no detection looks at.
fn noise() -> Vec<Reasoned> {
    let health = Rule {
        level: Level::None,
        user_groups: strings(&["system:authenticated", "system:unauthenticated"]),
        verbs: strings(&["get"]),
        non_resource_urls: strings(&["/healthz*", "/livez*", "/readyz*", "/version"]),
        ..Rule::default()
    };
    let leases = Rule {
        level: Level::None,
        users: strings(&["system:kube-controller-manager", "system:kube-scheduler"]),
        verbs: strings(&["get", "update"]),
        namespaces: strings(&["kube-system"]),
        resources: vec![entry("coordination.k8s.io", &["leases"])],
        ..Rule::default()
    };
    let heartbeats = Rule {
        level: Level::None,
        user_groups: strings(&["system:nodes"]),
        verbs: strings(&["get", "update", "patch"]),
        namespaces: strings(&["kube-node-lease"]),
        resources: vec![entry("coordination.k8s.io", &["leases"])],
        ..Rule::default()
    };
    let events = Rule {
        level: Level::None,
        verbs: strings(&["create", "patch", "update"]),
        resources: vec![entry("", &["events"]), entry("events.k8s.io", &["events"])],
        user_groups: strings(&["system:authenticated"]),
        ..Rule::default()
    };
    let why = [
        (health, "Health checks. Asking for a group keeps failed authentications (401) on these paths visible."),
        (leases, "Leader election of the control plane: many requests a second, nothing to see."),
        (heartbeats, "Heartbeats of nodes."),
        (events, "Event recorders. Deleted Events are still recorded: deleting them covers tracks."),
    ];
    why.into_iter().map(|(rule, why)| Reasoned { rule, why: why.to_owned(), least: Level::None }).collect()
}

/// Secrets and tokens come before every rule that records bodies.
pub(crate) fn secrets(chosen: &[&Need]) -> Reasoned {
    let rule = Rule {
        level: Level::Metadata,
        resources: vec![
            entry("", &["secrets", "serviceaccounts/token"]),
            entry("authentication.k8s.io", &["tokenreviews"]),
        ],
        ..Rule::default()
    };
    let ids = ["secret-access", "secret-change", "token-minted"];
    let needed: Vec<&str> = chosen.iter().map(|need| need.id.as_str()).filter(|id| ids.contains(id)).collect();
    let mut why = "Never bodies: they would copy secrets and tokens into the log.".to_owned();
    if !needed.is_empty() {
        why.push_str(&format!("\nNeeded by {}.", needed.join(", ")));
    }
    Reasoned { rule, why, least: Level::Metadata }
}

/// Ways into pods, nodes and credentials: recorded whatever the goals and the budget are.
pub(crate) fn ways_in() -> Reasoned {
    let streams = ["nodes/proxy", "pods/attach", "pods/ephemeralcontainers", "pods/exec", "pods/portforward"];
    let core = [&streams[..], &["pods/proxy", "services/proxy"]].concat();
    let approvals = entry("certificates.k8s.io", &["certificatesigningrequests/approval"]);
    let rule = Rule { level: Level::Metadata, resources: vec![entry("", &core), approvals], ..Rule::default() };
    let why = "Ways into pods, nodes and credentials: few requests, and every one matters.";
    Reasoned { rule, why: why.to_owned(), least: Level::Metadata }
}

/// Whether a pattern is for what [`secrets`] records, and nothing else.
pub(crate) fn is_secret(pattern: &Pattern) -> bool {
    let secret = |resource: &String| matches!(resource.as_str(), "secrets" | "serviceaccounts/token");
    pattern.group.is_empty() && !pattern.resources.is_empty() && pattern.resources.iter().all(secret)
}

/// One rule for every level, set of verbs and kind of request that detections ask for, deepest first.
pub(crate) fn wanted(chosen: &[&Need]) -> Vec<Reasoned> {
    /// Level, deepest first, and verbs.
    type Shape = (std::cmp::Reverse<Level>, Vec<String>);
    /// Resources by group, and the detections that need them.
    type Wants = (BTreeMap<String, Vec<String>>, Vec<String>);
    let mut shapes: BTreeMap<Shape, Wants> = BTreeMap::new();
    for need in chosen {
        for pattern in &need.requests {
            if is_secret(pattern) {
                continue;
            }
            let shape = (std::cmp::Reverse(need.level), pattern.verbs.clone());
            let (groups, ids) = shapes.entry(shape).or_default();
            let resources = groups.entry(pattern.group.clone()).or_default();
            resources.extend(pattern.resources.iter().filter(|r| !resources.contains(r)).cloned().collect::<Vec<_>>());
            if !ids.contains(&need.id) {
                ids.push(need.id.clone());
            }
        }
    }
    let reasoned = |((std::cmp::Reverse(level), verbs), (groups, ids)): (Shape, Wants)| {
        let entries = groups.into_iter().map(|(group, resources)| GroupResources {
            group,
            resources,
            ..GroupResources::default()
        });
        let rule = Rule { level, verbs, resources: entries.collect(), ..Rule::default() };
        Reasoned { rule, why: format!("Needed by {}.", ids.join(", ")), least: level }
    };
    shapes.into_iter().map(reasoned).collect()
}
