//! What detections and standards need from a policy, as data: which requests, and how deep they must be recorded.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{GroupResources, Level, Policy, Rule, Stage};
use crate::remedy;
use crate::space::{Region, Space, TooComplex};
use crate::version::ServerVersion;

/// What one detection, or one requirement of a standard, needs. A detection that needs different levels for different
/// requests has several needs of the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Stable name.
    pub id: String,
    /// What is detected.
    pub title: String,
    /// Goals that ask for it, of [`GOALS`](crate::GOALS).
    #[serde(default)]
    pub goals: Vec<String>,
    /// Detections that it is only a part of, by name; empty for one that stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<String>,
    /// Which requests it looks at.
    pub requests: Vec<Pattern>,
    /// Users whose requests it never fires for, among those that a policy may name.
    #[serde(default, skip_serializing_if = "Identities::is_empty")]
    pub never: Identities,
    /// The least level at which it can fire.
    pub level: Level,
    /// Stages of which it needs one.
    pub stages: Vec<Stage>,
    /// Fields of bodies that it reads, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Users by name and by group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identities {
    /// Names.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
}

impl Identities {
    /// Those that a policy names, and those whose requests generated policies treat apart.
    pub fn of(policy: &Policy) -> Self {
        let (noise, reads) = (remedy::noise(), remedy::reads_by());
        let own = || noise.iter().chain(&reads).map(|(rule, _)| rule);
        let rules = || policy.rules.iter().chain(own());
        let distinct = |list: fn(&Rule) -> &Vec<String>| {
            let names: BTreeSet<String> = rules().flat_map(list).cloned().collect();
            names.into_iter().collect()
        };
        Self { users: distinct(|rule| &rule.users), groups: distinct(|rule| &rule.user_groups) }
    }

    /// Whether it is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// A rule for each way to be one of them.
    fn rules(&self) -> impl Iterator<Item = Rule> {
        let users = (!self.users.is_empty()).then(|| Rule { users: self.users.clone(), ..Rule::default() });
        let groups = (!self.groups.is_empty()).then(|| Rule { user_groups: self.groups.clone(), ..Rule::default() });
        users.into_iter().chain(groups)
    }
}

/// Requests, as a rule selects them. Empty lists do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pattern {
    /// Users.
    pub users: Vec<String>,
    /// Groups of which the user is in one.
    pub groups: Vec<String>,
    /// Request verbs.
    pub verbs: Vec<String>,
    /// API group, `*` for every one.
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
    /// Whether it names no resource and no path: the detection looks at everything that is done in some way.
    pub fn is_general(&self) -> bool {
        if self.paths.is_empty() { self.group == "*" && self.resources.is_empty() } else { self.paths == ["*"] }
    }

    /// Whether a rule of this version's policies can name the same requests.
    pub(crate) fn is_named(&self, server: ServerVersion) -> bool {
        !self.is_general() && (self.group != "*" || !self.paths.is_empty() || server.has_any_group())
    }

    /// Whether it names the status of a resource only beside the resource itself: a detection that does not ask for the
    /// subresource looks at both.
    pub(crate) fn is_incidental(&self, resource: &str) -> bool {
        resource.strip_suffix("/status").is_some_and(|whole| self.resources.iter().any(|known| known == whole))
    }

    /// What it names, and what it is only incidentally about.
    fn split(&self) -> (Self, Option<Self>) {
        let (incidental, named): (Vec<String>, Vec<String>) =
            self.resources.iter().cloned().partition(|resource| self.is_incidental(resource));
        let rest = (!incidental.is_empty()).then(|| Self { resources: incidental, ..self.clone() });
        (Self { resources: named, ..self.clone() }, rest)
    }

    /// A rule of a policy for these requests. `group: "*"` loads from 1.36 on only, so that every group is no group.
    pub(crate) fn rule(&self, level: Level) -> Rule {
        let rule = self.exact(level);
        let is_any = self.group == "*" && self.resources.is_empty();
        Rule { resources: if is_any { Vec::new() } else { rule.resources }, ..rule }
    }

    /// The same as a rule of the newest version, which does not match more than the pattern.
    fn exact(&self, level: Level) -> Rule {
        let entry = GroupResources {
            group: self.group.clone(),
            resources: self.resources.clone(),
            resource_names: self.names.clone(),
        };
        Rule {
            level,
            users: self.users.clone(),
            user_groups: self.groups.clone(),
            verbs: self.verbs.clone(),
            namespaces: self.namespaces.clone(),
            resources: if self.paths.is_empty() { vec![entry] } else { Vec::new() },
            non_resource_urls: self.paths.clone(),
            ..Rule::default()
        }
    }
}

/// The requests that a need is about.
pub(crate) struct Wanted {
    /// Those that it names.
    pub(crate) named: Region,
    /// Those that it looks at because it looks at everything; some are also named.
    pub(crate) general: Region,
}

impl Wanted {
    /// The space must hold the atoms of the need, see [`Need::name_in`].
    pub(crate) fn of(need: &Need, space: &Space) -> Result<Self, TooComplex> {
        let mut wanted = Self { named: Region::default(), general: Region::default() };
        for pattern in &need.requests {
            let region = |pattern: &Pattern| space.rule(&pattern.exact(need.level));
            if pattern.is_general() {
                wanted.general.union(region(pattern));
                continue;
            }
            let (named, incidental) = pattern.split();
            wanted.named.union(region(&named));
            incidental.iter().for_each(|pattern| wanted.general.union(region(pattern)));
        }
        for rule in need.never.rules() {
            let region = space.rule(&rule);
            wanted.named = wanted.named.minus(&region)?;
            wanted.general = wanted.general.minus(&region)?;
        }
        Ok(wanted)
    }

    pub(crate) fn all(&self) -> Region {
        let mut all = self.named.clone();
        all.union(self.general.clone());
        all
    }
}

impl Need {
    /// Makes atoms of everything it names.
    pub(crate) fn name_in(&self, space: &mut Space) {
        self.requests.iter().for_each(|pattern| space.name(&pattern.exact(self.level)));
        self.never.rules().for_each(|rule| space.name(&rule));
    }

    /// The detections that ask for it, by name.
    pub fn detections(&self) -> &[String] {
        if self.part_of.is_empty() { std::slice::from_ref(&self.id) } else { &self.part_of }
    }
}
