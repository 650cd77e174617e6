//! Which API groups, resources and subresources exist, by server version.
//!
//! Built in is what Kubernetes itself serves. What a cluster adds (custom resources, aggregated servers) comes
//! from `kubectl api-resources`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::version::ServerVersion;

/// What each version serves: `FIRST-LAST GROUP RESOURCE[/SUBRESOURCE] VERBS`, see `api/README.md`.
const RESOURCES: &str = include_str!("api/resources.txt");

/// Verbs of requests for resources.
pub const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Groups that common add-ons serve; their resources are not known here.
const ADD_ON_GROUPS: &[&str] = &["custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"];

/// What a cluster serves.
#[derive(Debug, Clone, Default)]
pub struct Api {
    groups: BTreeMap<String, BTreeMap<String, Resource>>,
    /// Whether the cluster itself said what it serves, so that everything else does not exist.
    complete: bool,
}

/// Verbs by subresource, the resource itself under the empty name.
#[derive(Debug, Clone, Default)]
struct Resource {
    verbs: BTreeMap<String, Vec<&'static str>>,
    /// Whether Kubernetes itself serves it, so that all its subresources are known.
    is_built_in: bool,
}

/// Something that a cluster serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served<'a> {
    /// API group, empty for core.
    pub group: &'a str,
    /// Resource.
    pub resource: &'a str,
    /// Subresource, empty for the resource itself.
    pub subresource: &'a str,
    /// Request verbs that it answers.
    pub verbs: &'a [&'static str],
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
        let mut api = Self::default();
        for row in rows().flatten().filter(|row| row.versions.contains(&server.minor_number())) {
            let resource = api.groups.entry(row.group.to_owned()).or_default().entry(row.resource.to_owned());
            let resource = resource.or_insert(Resource { is_built_in: true, ..Resource::default() });
            resource.verbs.insert(row.subresource.to_owned(), row.verbs);
        }
        api
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
            let known = self.groups.entry(group.to_owned()).or_default().entry(resource.to_owned()).or_default();
            known.verbs.entry(String::new()).or_insert_with(|| VERBS.to_vec());
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
        let known = self.groups.get(group)?.get(resource)?;
        known.is_built_in.then(|| known.verbs.contains_key(subresource))
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

    /// Everything that is known to be served, resources and subresources.
    pub fn served(&self) -> impl Iterator<Item = Served<'_>> {
        let resources = self.groups.iter().flat_map(|(group, resources)| {
            resources.iter().map(move |(resource, served)| (group.as_str(), resource.as_str(), served))
        });
        resources.flat_map(|(group, resource, served)| {
            let row = move |(subresource, verbs)| Served { group, resource, subresource, verbs };
            served.verbs.iter().map(|(subresource, verbs)| (subresource.as_str(), verbs.as_slice())).map(row)
        })
    }

    /// Names of the resources of a group.
    pub fn resource_names(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flat_map(|resources| resources.keys().map(String::as_str))
    }
}

/// The table; none for a line that is not a row of it.
fn rows() -> impl Iterator<Item = Option<Row>> {
    RESOURCES.lines().filter(|line| !line.starts_with('#')).map(Row::parse)
}

/// A line of [`RESOURCES`].
struct Row {
    versions: RangeInclusive<u16>,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verbs: Vec<&'static str>,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let (first, last) = words.next()?.split_once('-')?;
        let group = words.next().map(|group| if group == "core" { "" } else { group })?;
        let name = words.next()?;
        let (resource, subresource) = name.split_once('/').unwrap_or((name, ""));
        let verbs = match words.next()? {
            "*" => VERBS.to_vec(),
            verbs => verbs.split(',').collect(),
        };
        Some(Self { versions: first.parse().ok()?..=last.parse().ok()?, group, resource, subresource, verbs })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_for_known_versions() {
        let known = ServerVersion::OLDEST.minor_number()..=ServerVersion::NEWEST.minor_number();
        let mut seen = std::collections::HashSet::new();
        for row in rows() {
            let row = row.expect("a row");
            assert!(row.verbs.iter().all(|verb| VERBS.contains(verb)), "{}", row.resource);
            assert!(!row.versions.is_empty(), "{}", row.resource);
            for minor in row.versions {
                assert!(known.contains(&minor), "{} in 1.{minor}", row.resource);
                assert!(seen.insert((minor, row.group, row.resource, row.subresource)), "{} twice", row.resource);
            }
        }
    }
}
