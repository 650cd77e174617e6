//! The policy as the server holds it after loading.

pub use audit::{Level, Stage};

use crate::golang;

/// A loaded audit policy: an ordered list of rules of which the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Object metadata as compact JSON; the server keeps and ignores it.
    pub(crate) metadata: String,
    /// The rules, first match wins.
    pub rules: Vec<Rule>,
    /// Stages that no rule emits.
    pub omit_stages: Vec<Stage>,
    /// Whether `managedFields` are removed from bodies where a rule does not say.
    pub omit_managed_fields: bool,
}

/// One rule. An empty list does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// What is recorded of a request that matches.
    pub level: Level,
    /// Names of authenticated users.
    pub users: Vec<String>,
    /// Groups of which the user must be in one.
    pub user_groups: Vec<String>,
    /// Request verbs.
    pub verbs: Vec<String>,
    /// Kinds of resources.
    pub resources: Vec<GroupResources>,
    /// Namespaces; the empty string stands for none.
    pub namespaces: Vec<String>,
    /// Paths of requests that are not for resources; a final `*` matches any rest.
    pub non_resource_urls: Vec<String>,
    /// Stages not emitted, besides the policy's.
    pub omit_stages: Vec<Stage>,
    /// Overrides the policy's setting.
    pub omit_managed_fields: Option<bool>,
}

/// Resources of one API group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct GroupResources {
    /// API group without version; empty for the core group, `*` for all.
    pub group: String,
    /// Resources and subresources; empty for all of the group.
    pub resources: Vec<String>,
    /// Object names; the empty string stands for requests without one.
    pub resource_names: Vec<String>,
}

impl Policy {
    /// A policy of these rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { metadata: "{}".to_owned(), rules, ..Self::default() }
    }

    /// The policy as the server encodes it: `audit.k8s.io/v1` JSON on one line.
    pub fn to_json(&self) -> String {
        let mut object = Object::default();
        object.put("kind", "\"Policy\"");
        object.put("apiVersion", "\"audit.k8s.io/v1\"");
        object.put("metadata", if self.metadata.is_empty() { "{}" } else { &self.metadata });
        let rules: Vec<String> = self.rules.iter().map(Rule::to_json).collect();
        object.put("rules", &format!("[{}]", rules.join(",")));
        object.put_stages(&self.omit_stages);
        if self.omit_managed_fields {
            object.put("omitManagedFields", "true");
        }
        object.finish()
    }
}

impl Rule {
    /// Whether the rule can match requests for resources.
    pub fn selects_resources(&self) -> bool {
        !self.resources.is_empty() || !self.namespaces.is_empty()
    }

    fn to_json(&self) -> String {
        let mut object = Object::default();
        object.put("level", &format!("\"{}\"", self.level));
        object.put_list("users", &self.users);
        object.put_list("userGroups", &self.user_groups);
        object.put_list("verbs", &self.verbs);
        if !self.resources.is_empty() {
            let entries: Vec<String> = self.resources.iter().map(GroupResources::to_json).collect();
            object.put("resources", &format!("[{}]", entries.join(",")));
        }
        object.put_list("namespaces", &self.namespaces);
        object.put_list("nonResourceURLs", &self.non_resource_urls);
        object.put_stages(&self.omit_stages);
        if let Some(omit) = self.omit_managed_fields {
            object.put("omitManagedFields", if omit { "true" } else { "false" });
        }
        object.finish()
    }
}

impl GroupResources {
    fn to_json(&self) -> String {
        let mut object = Object::default();
        if !self.group.is_empty() {
            object.put("group", &golang::json_string(&self.group));
        }
        object.put_list("resources", &self.resources);
        object.put_list("resourceNames", &self.resource_names);
        object.finish()
    }
}

/// A JSON object in the order of its fields.
#[derive(Default)]
struct Object {
    fields: Vec<String>,
}

impl Object {
    fn put(&mut self, name: &str, value: &str) {
        self.fields.push(format!("\"{name}\":{value}"));
    }

    fn put_list(&mut self, name: &str, items: &[String]) {
        if !items.is_empty() {
            self.put(name, &golang::json_list(items));
        }
    }

    fn put_stages(&mut self, stages: &[Stage]) {
        let names: Vec<String> = stages.iter().map(ToString::to_string).collect();
        self.put_list("omitStages", &names);
    }

    fn finish(self) -> String {
        format!("{{{}}}", self.fields.join(","))
    }
}
