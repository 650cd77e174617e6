//! What a change of a policy means: exactly which requests are recorded differently.

use serde::Serialize;

use crate::model::{Level, Policy, Stage};
use crate::request::Request;
use crate::space::{Area, Map, Region, Space, TooComplex};

/// What a policy does with the requests of a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Treatment {
    /// What is recorded.
    pub level: Level,
    /// Stages that are not emitted, in alphabetical order; empty where nothing is recorded anyway.
    pub omit_stages: Vec<Stage>,
    /// Whether `managedFields` are removed from bodies; false where there are none.
    pub omit_managed_fields: bool,
}

/// Requests that one policy treats in one way and the other in another.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Under the old policy.
    pub before: Treatment,
    /// Under the new one.
    pub after: Treatment,
    /// The rules of the old policy that decided them; none stands for no rule.
    #[serde(rename = "oldRules")]
    pub old_rules: Vec<Option<usize>>,
    /// The rules of the new policy that decide them.
    #[serde(rename = "newRules")]
    pub new_rules: Vec<Option<usize>>,
    /// Which requests, in few words. Areas may overlap.
    pub areas: Vec<Area>,
    /// A request of each area.
    pub examples: Vec<Request<'static>>,
    #[serde(skip)]
    region: Region,
}

/// Every difference between two policies.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The changes; requests outside all of them are treated alike.
    pub changes: Vec<Change>,
    space: Space,
}

impl Difference {
    /// The change that a request falls under.
    pub fn change_of(&self, request: &Request<'_>) -> Option<usize> {
        let holds = |change: &Change| change.region.cells.iter().any(|cell| self.space.holds(cell, request));
        self.changes.iter().position(holds)
    }
}

/// The requests of each rule, and then those of none.
fn decided(map: &Map) -> impl Iterator<Item = (Option<usize>, &Region)> {
    let rules = map.decided.iter().enumerate().map(|(i, region)| (Some(i), region));
    rules.chain([(None, &map.unmatched)])
}

pub(crate) fn treatment(policy: &Policy, rule: Option<usize>) -> Treatment {
    let rule = rule.and_then(|rule| policy.rules.get(rule));
    let level = rule.map_or(Level::None, |rule| rule.level);
    if level == Level::None {
        return Treatment { level, omit_stages: Vec::new(), omit_managed_fields: false };
    }
    let own = rule.map(|rule| rule.omit_stages.as_slice()).unwrap_or_default();
    let mut omit_stages: Vec<Stage> = policy.omit_stages.iter().chain(own).copied().collect();
    omit_stages.sort_unstable_by_key(|stage| stage.name());
    omit_stages.dedup();
    let asked = rule.and_then(|rule| rule.omit_managed_fields).unwrap_or(policy.omit_managed_fields);
    Treatment { level, omit_stages, omit_managed_fields: asked && level >= Level::Request }
}

/// Compares two policies over the whole space of requests.
pub fn diff(old: &Policy, new: &Policy) -> Result<Difference, TooComplex> {
    let space = Space::of(&[old, new]);
    let (old_map, new_map) = (Map::new(&space, old)?, Map::new(&space, new)?);
    let mut changes: Vec<Change> = Vec::new();
    for (old_rule, before) in decided(&old_map) {
        for (new_rule, after) in decided(&new_map) {
            let (was, is) = (treatment(old, old_rule), treatment(new, new_rule));
            if was == is {
                continue;
            }
            let region = before.and(after);
            if !region.is_empty() {
                add(&mut changes, was, is, (old_rule, new_rule), region);
            }
        }
    }
    for change in &mut changes {
        change.region = change.region.simplified(&space.widest())?;
        change.areas = change.region.cells.iter().map(|cell| space.area(cell)).collect();
        change.examples = change.region.cells.iter().map(|cell| space.example(cell)).collect();
    }
    changes.sort_by(|a, b| (&a.before, &a.after).cmp(&(&b.before, &b.after)));
    Ok(Difference { changes, space })
}

fn add(
    changes: &mut Vec<Change>,
    before: Treatment,
    after: Treatment,
    (old_rule, new_rule): (Option<usize>, Option<usize>),
    region: Region,
) {
    let known = changes.iter().position(|change| change.before == before && change.after == after);
    let change = match known {
        Some(at) => &mut changes[at],
        None => {
            let (old_rules, new_rules, areas, examples) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            changes.push(Change { before, after, old_rules, new_rules, areas, examples, region: Region::default() });
            let last = changes.len() - 1;
            &mut changes[last]
        }
    };
    if !change.old_rules.contains(&old_rule) {
        change.old_rules.push(old_rule);
    }
    if !change.new_rules.contains(&new_rule) {
        change.new_rules.push(new_rule);
    }
    change.region.union(region);
}
