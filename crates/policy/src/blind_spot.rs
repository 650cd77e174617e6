//! Where a policy leaves detections blind.

use serde::Serialize;

use crate::diff::treatment;
use crate::model::{Level, Policy};
use crate::need::{Need, Wanted};
use crate::omission::Omission;
use crate::request::Request;
use crate::space::{Area, Map, Region, Space, TooComplex};

/// Where a policy leaves a detection blind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlindSpot {
    /// The detection.
    pub need: Need,
    /// Whether nothing at all is seen of what it needs.
    pub total: bool,
    /// Why good policies leave this out; none where it is a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omission: Option<Omission>,
    /// The rules that cause it, with what they record; none stands for no rule.
    pub causes: Vec<Cause>,
    /// The requests that go unseen.
    pub areas: Vec<Area>,
    /// One of them.
    pub example: Option<Request<'static>>,
    /// The smallest change that lets it fire; empty where it is left out on purpose.
    #[serde(skip_serializing_if = "String::is_empty")]
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

/// The detections that a policy leaves blind, those of a need together: the gap first, then what is left out on purpose.
pub fn blind_spots(policy: &Policy, needs: &[Need]) -> Result<Vec<BlindSpot>, TooComplex> {
    let survey = Survey::of(policy, needs)?;
    let mut found = Vec::new();
    for need in needs {
        let unseen = survey.unseen(need)?;
        let gap = (None, &unseen.gap, unseen.causes.as_slice());
        let omitted = unseen.omitted.iter().map(|left| (Some(left.omission), &left.region, left.causes.as_slice()));
        for (omission, region, causes) in std::iter::once(gap).chain(omitted).filter(|(_, r, _)| !r.is_empty()) {
            let region = region.simplified(&survey.space.widest())?;
            found.push(BlindSpot {
                need: need.clone(),
                total: !unseen.is_seen,
                omission,
                causes: causes.to_vec(),
                areas: region.cells.iter().map(|cell| survey.space.area(cell)).collect(),
                example: region.cells.first().map(|cell| survey.space.example(cell)),
                change: if omission.is_none() { smallest_change(policy, need, causes) } else { String::new() },
            });
        }
    }
    Ok(found)
}

/// A policy over the space of requests, cut along needs.
pub(crate) struct Survey<'p> {
    policy: &'p Policy,
    pub(crate) space: Space,
    pub(crate) map: Map,
    omitted: Vec<(Omission, Region)>,
}

/// What a policy does not show of what a need asks for.
pub(crate) struct Unseen {
    pub(crate) gap: Region,
    pub(crate) causes: Vec<Cause>,
    omitted: Vec<Omitted>,
    /// Whether anything is shown.
    is_seen: bool,
}

/// What is left out for one reason.
struct Omitted {
    omission: Omission,
    region: Region,
    causes: Vec<Cause>,
}

impl<'p> Survey<'p> {
    pub(crate) fn of<'n>(policy: &'p Policy, needs: impl IntoIterator<Item = &'n Need>) -> Result<Self, TooComplex> {
        let mut space = Space::of(&[policy]);
        needs.into_iter().for_each(|need| need.name_in(&mut space));
        Omission::ALL.iter().for_each(|omission| omission.name_in(&mut space));
        let map = Map::new(&space, policy)?;
        let omitted = Omission::ALL.iter().map(|omission| (*omission, omission.region(&space))).collect();
        Ok(Self { policy, space, map, omitted })
    }

    pub(crate) fn unseen(&self, need: &Need) -> Result<Unseen, TooComplex> {
        let wanted = Wanted::of(need, &self.space)?;
        let all = wanted.all();
        let mut unseen = Unseen { gap: Region::default(), causes: Vec::new(), omitted: Vec::new(), is_seen: false };
        let rules = self.map.decided.iter().enumerate().map(|(i, region)| (Some(i), region));
        for (rule, region) in rules.chain([(None, &self.map.unmatched)]) {
            match shortfall(self.policy, rule, need) {
                Some(cause) => self.add(cause, region.and(&all), &wanted, &mut unseen)?,
                None => unseen.is_seen |= region.intersects(&all),
            }
        }
        Ok(unseen)
    }

    /// Divides what a rule hides into what is left out on purpose and the gap that remains.
    fn add(&self, cause: Cause, mut share: Region, wanted: &Wanted, unseen: &mut Unseen) -> Result<(), TooComplex> {
        for (omission, region) in &self.omitted {
            if share.is_empty() || cause.stage || !omission.explains(cause.level) || !share.intersects(region) {
                continue;
            }
            let mut left = share.and(region);
            if !omission.is_absolute() {
                left = left.minus(&wanted.named)?;
            }
            if left.is_empty() {
                continue;
            }
            share = share.minus(&left)?;
            unseen.omit(*omission, left, &cause);
        }
        if !share.is_empty() {
            unseen.causes.push(cause);
            unseen.gap.union(share);
        }
        Ok(())
    }
}

impl Unseen {
    fn omit(&mut self, omission: Omission, region: Region, cause: &Cause) {
        match self.omitted.iter_mut().find(|omitted| omitted.omission == omission) {
            Some(omitted) => {
                omitted.region.union(region);
                omitted.causes.push(cause.clone());
            }
            None => self.omitted.push(Omitted { omission, region, causes: vec![cause.clone()] }),
        }
    }
}

/// Whether a treatment shows a detection what it needs, and if not, whether only a stage is missing.
fn shortfall(policy: &Policy, rule: Option<usize>, need: &Need) -> Option<Cause> {
    let treatment = treatment(policy, rule);
    let stage_missing =
        !need.stages.is_empty() && need.stages.iter().all(|stage| treatment.omit_stages.contains(stage));
    let stage = treatment.level >= need.level && stage_missing;
    (treatment.level < need.level || stage).then_some(Cause { rule, level: treatment.level, stage })
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
