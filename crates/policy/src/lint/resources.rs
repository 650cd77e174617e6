//! Groups, resources and subresources against what the cluster serves.

use super::{DEAD_PATTERN, Issue, Subject, UNKNOWN_GROUP, UNKNOWN_RESOURCE, UNKNOWN_SUBRESOURCE, nth};
use crate::api::nearest;
use crate::model::GroupResources;
use crate::space::Pattern;

pub(super) fn check(subject: &Subject<'_>, issues: &mut Vec<Issue>) {
    for (i, rule) in subject.rules() {
        for (e, entry) in rule.resources.iter().enumerate() {
            let check = Check { subject, place: (i, e), entry };
            if entry.group != "*" && subject.options.api.has_group(&entry.group) == Some(false) {
                issues.push(check.unknown_group());
            }
            let known = entry.group == "*" || subject.options.api.has_group(&entry.group) == Some(true);
            for j in 0..entry.resources.len() {
                issues.extend(check.pattern(j, known));
            }
        }
    }
}

struct Check<'c> {
    subject: &'c Subject<'c>,
    place: (usize, usize),
    entry: &'c GroupResources,
}

impl Check<'_> {
    fn unknown_group(&self) -> Issue {
        let group = self.entry.group.as_str();
        let api = &self.subject.options.api;
        let (why, meant) = match group {
            "core" | "v1" | "legacy" => ("the core group is the empty string".to_owned(), Some("")),
            "extensions" => ("the group was removed in Kubernetes 1.22".to_owned(), self.home()),
            _ => match nearest(group, api.group_names()).or_else(|| self.suffixed()) {
                Some(meant) => (format!("did you mean {meant:?}?"), Some(meant)),
                None => ("no such group is served".to_owned(), self.home()),
            },
        };
        let message = format!("{} names the API group {group:?}: {why}", nth(self.place.0));
        let found = self.subject.entry_issue(&UNKNOWN_GROUP, self.place, None, message);
        self.with_group(found, meant)
    }

    fn with_group(&self, issue: Issue, meant: Option<&str>) -> Issue {
        let edit = meant.and_then(|meant| {
            let outline = self.subject.outline?;
            let field = outline.field(outline.entry(self.place.0, self.place.1)?, "group")?;
            outline.replace(field.value, meant)
        });
        match meant {
            Some(meant) => issue.with_fix(format!("write group {meant:?}"), edit),
            None => issue,
        }
    }

    /// `rbac` for `rbac.authorization.k8s.io`.
    fn suffixed(&self) -> Option<&str> {
        let prefix = format!("{}.", self.entry.group);
        self.subject.options.api.group_names().find(|name| name.starts_with(&prefix))
    }

    /// The one group that serves every resource of the entry.
    fn home(&self) -> Option<&str> {
        let api = &self.subject.options.api;
        let of = |pattern: &String| api.groups_with(pattern.split('/').next().unwrap_or_default());
        let first = of(self.entry.resources.first()?);
        first.into_iter().find(|group| self.entry.resources.iter().all(|pattern| of(pattern).contains(group)))
    }

    fn pattern(&self, j: usize, known: bool) -> Option<Issue> {
        let text = self.entry.resources[j].as_str();
        let shape = Pattern::parse(text);
        let lower = text.trim().to_ascii_lowercase();
        let (why, meant) = match shape {
            Pattern::StarOnly => ("`*` alone covers everything, subresources too".to_owned(), Some("*".to_owned())),
            Pattern::Nothing if text.ends_with('/') => {
                ("it ends with a slash".to_owned(), Some(text.trim_end_matches('/').to_owned()))
            }
            Pattern::Nothing => ("a pattern has at most one slash".to_owned(), None),
            _ if text.is_empty() => ("no resource has an empty name".to_owned(), None),
            _ if text.contains('*') && !matches!(shape, Pattern::Everything) && !is_wildcard_shape(text) => {
                let meant = text.replace('*', "");
                ("a * inside a name is an ordinary character".to_owned(), Some(meant))
            }
            _ if lower != text => ("resource names are lower case without blanks".to_owned(), Some(lower)),
            _ => return if known { self.served(j, shape) } else { None },
        };
        let message = format!("{text:?} matches nothing: {why}");
        let found = self.subject.entry_issue(&DEAD_PATTERN, self.place, Some(("resources", j)), message);
        Some(self.with_pattern(found, j, meant.as_deref()))
    }

    fn with_pattern(&self, issue: Issue, j: usize, meant: Option<&str>) -> Issue {
        let Some(outline) = self.subject.outline else { return issue };
        let node = outline.entry_item(self.place.0, self.place.1, "resources", j);
        let taken = |meant: &str| self.entry.resources.iter().any(|other| other == meant);
        if let (Some(meant), Some(node)) = (meant.filter(|meant| !meant.is_empty() && !taken(meant)), node) {
            return issue.with_fix(format!("write {meant}"), outline.replace(node, meant));
        }
        let entry = outline.entry(self.place.0, self.place.1);
        let list = entry.and_then(|entry| outline.field(entry, "resources"));
        issue.with_fix("remove the pattern", list.and_then(|list| outline.remove_item(list.value, j)))
    }

    /// Whether the group serves what the pattern names.
    fn served(&self, j: usize, shape: Pattern<'_>) -> Option<Issue> {
        let (resource, subresource) = match shape {
            Pattern::Exact(resource, subresource) => (resource, subresource),
            Pattern::WithSubresources(resource) => (resource, ""),
            _ => return None,
        };
        let api = &self.subject.options.api;
        let group = self.entry.group.as_str();
        if group == "*" {
            return None;
        }
        if api.has_resource(group, resource) == Some(false) {
            return Some(self.unknown_resource(j, resource));
        }
        let missing = !subresource.is_empty() && api.has_subresource(group, resource, subresource) == Some(false);
        missing.then(|| {
            let message = format!("{resource} has no subresource {subresource:?}");
            let found = self.subject.entry_issue(&UNKNOWN_SUBRESOURCE, self.place, Some(("resources", j)), message);
            let known = ["exec", "attach", "portforward", "log", "status", "scale", "proxy", "token", "approval"];
            let near = nearest(subresource, known.into_iter());
            let near = near.filter(|near| api.has_subresource(group, resource, near) == Some(true));
            self.with_pattern(found, j, near.map(|near| format!("{resource}/{near}")).as_deref())
        })
    }

    fn unknown_resource(&self, j: usize, resource: &str) -> Issue {
        let api = &self.subject.options.api;
        let group = if self.entry.group.is_empty() { "core" } else { &self.entry.group };
        let homes: Vec<&str> =
            api.groups_with(resource).into_iter().map(|g| if g.is_empty() { "\"\"" } else { g }).collect();
        let near = nearest(resource, api.resource_names(&self.entry.group));
        let plural = api.resource_names(&self.entry.group).find(|name| *name == format!("{resource}s"));
        let meant = near.or(plural);
        let hint = match (homes.is_empty(), meant) {
            (false, _) => format!("; it belongs to {}", homes.join(" and ")),
            (true, Some(meant)) => format!("; did you mean {meant:?}?"),
            (true, None) => String::new(),
        };
        let message = format!("group {group} has no resource {resource:?}{hint}");
        let found = self.subject.entry_issue(&UNKNOWN_RESOURCE, self.place, Some(("resources", j)), message);
        if !homes.is_empty() {
            return match self.home() {
                Some(home) => self.with_group(found, Some(home)),
                None => found,
            };
        }
        self.with_pattern(found, j, meant)
    }
}

/// `pods/*` and `*/scale`.
fn is_wildcard_shape(text: &str) -> bool {
    match text.split_once('/') {
        Some(("*", rest)) => !rest.contains('*'),
        Some((resource, "*")) => !resource.contains('*'),
        _ => false,
    }
}
