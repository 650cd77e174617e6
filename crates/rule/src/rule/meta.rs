//! What rules and correlations say about themselves.

/// Where a rule comes from.
pub use finding::Source as Origin;

/// How grave a match is: Sigma's levels. Falco's priorities are put on the same scale.
pub use finding::Severity as Level;

use crate::extension::Extension;
use crate::problem::Place;

/// What a rule or a correlation says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// Stable id: Sigma's `id`, else its `name`, else its title; a Falco rule's name.
    pub id: String,
    /// Sigma's `name`, by which correlations may refer to it.
    pub name: Option<String>,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Where it comes from.
    pub origin: Origin,
    /// File and place of its definition.
    pub file: String,
    /// Where in the file it starts.
    pub place: Place,
    /// How grave a match is.
    pub level: Level,
    /// Sigma's `status`, empty if not given.
    pub status: String,
    /// Author, empty if not given.
    pub author: String,
    /// Licence, empty if not given.
    pub license: String,
    /// Tags as written.
    pub tags: Vec<String>,
    /// ATT&CK techniques among the tags: `T1609`.
    pub techniques: Vec<String>,
    /// ATT&CK tactics among the tags: `credential-access`.
    pub tactics: Vec<String>,
    /// References.
    pub references: Vec<String>,
    /// What makes it a false alarm.
    pub false_positives: Vec<String>,
    /// Our extension block; empty for other rules.
    pub extension: Extension,
}

impl Meta {
    /// Whether `reference` (of a correlation or filter) means this one.
    pub(super) fn answers_to(&self, reference: &str) -> bool {
        self.id.eq_ignore_ascii_case(reference) || self.name.as_deref() == Some(reference)
    }
}

/// ATT&CK techniques (`T1552.007`) and tactics among Sigma tags.
pub(crate) fn attack_tags(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let attack = || tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let is_technique = |tag: &str| tag.starts_with('t') && tag[1..].starts_with(|c: char| c.is_ascii_digit());
    let techniques = attack().filter(|tag| is_technique(tag)).map(str::to_uppercase).collect();
    let is_tactic = |tag: &&str| !is_technique(tag) && !tag.starts_with(['g', 's']) || tag.contains(['-', '_']);
    let tactics =
        attack().filter(|tag| !is_technique(tag)).filter(is_tactic).map(|tag| tag.replace('_', "-")).collect();
    (techniques, tactics)
}
