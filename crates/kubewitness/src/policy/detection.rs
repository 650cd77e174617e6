//! What a policy lets each detection see, rules and correlations alike.

use std::collections::HashMap;

use policy::{BlindSpot, Need, Omission};
use rule::{CorrelationRef, Emission, Member, RuleRef, RuleSet};
use serde::Serialize;

use super::{correlation, needs};

/// How much a detection sees, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Sight {
    /// It can never fire.
    Blind,
    /// It does not fire for some requests.
    Partial,
    /// Everything that it needs.
    Whole,
}

/// A rule or a correlation under a policy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detection {
    /// Stable name.
    pub(super) id: String,
    /// What is detected.
    pub(super) title: String,
    /// How much it sees.
    pub(super) sight: Sight,
    /// Whether good policies leave out all that it does not see.
    pub(super) on_purpose: bool,
    /// Of a correlation what it counts, as far as that is not seen as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) counts: Vec<(String, Sight)>,
    /// What it does not see.
    pub(super) spots: Vec<BlindSpot>,
}

impl Detection {
    /// Whether a change of the policy would let it see more, and should.
    pub(super) fn is_gap(&self) -> bool {
        self.sight < Sight::Whole && !self.on_purpose
    }

    /// Why good policies leave out what it does not see.
    pub(super) fn omissions(&self) -> impl Iterator<Item = Omission> {
        self.spots.iter().filter_map(|spot| spot.omission)
    }
}

/// Every detection, those of `needs` that are no rule of the set as well. Rules that only feed correlations are told of with
/// these.
pub(super) fn detections(set: &RuleSet, needs: &[Need], spots: Vec<BlindSpot>) -> Vec<Detection> {
    let mut by_id: HashMap<&str, Vec<&Need>> = HashMap::new();
    let mut order = Vec::new();
    for need in needs {
        let of_id = by_id.entry(&need.id).or_default();
        if of_id.is_empty() {
            order.push(need.id.as_str());
        }
        of_id.push(need);
    }
    let mut spots_of: HashMap<String, Vec<BlindSpot>> = HashMap::new();
    spots.into_iter().for_each(|spot| spots_of.entry(spot.need.id.clone()).or_default().push(spot));
    let singles: HashMap<&str, Detection> =
        order.iter().map(|id| (*id, single(&by_id[id], spots_of.remove(*id).unwrap_or_default()))).collect();
    let is_part = |id: &str| {
        let of_id = |rule: &RuleRef| needs::name(set.rule(*rule)) == id;
        (0u32..)
            .zip(set.rules())
            .map(|(at, _)| RuleRef(at))
            .find(of_id)
            .is_some_and(|rule| set.emission(rule) == Emission::CorrelationOnly)
    };
    let standing = order.iter().filter(|id| !is_part(id)).map(|id| singles[id].clone());
    standing.chain(correlation::all(set).map(|at| correlated(set, at, &singles))).collect()
}

fn single(needs: &[&Need], spots: Vec<BlindSpot>) -> Detection {
    let is_hidden = |need: &&&Need| spots.iter().any(|spot| spot.total && spot.need.level == need.level);
    let sight = match spots.is_empty() {
        true => Sight::Whole,
        false if needs.iter().all(|need| is_hidden(&need)) => Sight::Blind,
        false => Sight::Partial,
    };
    Detection {
        id: needs[0].id.clone(),
        title: needs[0].title.clone(),
        sight,
        on_purpose: !spots.is_empty() && spots.iter().all(|spot| spot.omission.is_some()),
        counts: Vec::new(),
        spots,
    }
}

fn correlated(set: &RuleSet, at: CorrelationRef, singles: &HashMap<&str, Detection>) -> Detection {
    let members: Vec<Detection> = set
        .members(at)
        .iter()
        .filter_map(|(member, _)| match member {
            Member::Rule(rule) => singles.get(needs::name(set.rule(*rule))).cloned(),
            Member::Correlation(inner) => Some(correlated(set, *inner, singles)),
        })
        .collect();
    let seeing = members.iter().filter(|member| member.sight > Sight::Blind).count();
    let sight = match members.iter().map(|member| member.sight).min() {
        Some(Sight::Whole) | None => Sight::Whole,
        _ if seeing < correlation::least_members(set, at) => Sight::Blind,
        _ => Sight::Partial,
    };
    let unseen = || members.iter().filter(|member| member.sight < Sight::Whole);
    Detection {
        id: correlation::name(set, at).to_owned(),
        title: correlation::title(set, at).to_owned(),
        sight,
        on_purpose: sight < Sight::Whole && unseen().all(|member| member.on_purpose),
        counts: unseen().map(|member| (member.id.clone(), member.sight)).collect(),
        spots: unseen().flat_map(|member| member.spots.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use policy::{Api, Identities, Level, Policy, ServerVersion};
    use rule::Options;

    use super::*;

    const RULES: &str = r"
title: Secret read (part)
name: read
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get, objectRef.resource: secrets}, condition: s}
level: informational
---
title: Shell (part)
name: shell
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: create, objectRef.resource: pods, objectRef.subresource: exec}, condition: s}
level: informational
---
title: One after the other
name: chain
correlation: {type: temporal, rules: [read, shell], group-by: [user.username], timespan: 1h}
level: high
---
title: Many of either
name: many
correlation: {type: event_count, rules: [read, shell], group-by: [user.username], timespan: 1h, condition: {gte: 5}}
level: high
---
title: Many reads
name: reads
correlation: {type: event_count, rules: [read], group-by: [user.username], timespan: 1h, condition: {gte: 5}}
level: high
";

    fn sights(level_of_secrets: Level) -> Vec<String> {
        let set = RuleSet::compile(rule::load_sigma(&rule::Source::new("own.yml", RULES)), Options::default());
        let entry = policy::GroupResources { resources: vec!["secrets".to_owned()], ..Default::default() };
        let secrets = policy::Rule { level: level_of_secrets, resources: vec![entry], ..Default::default() };
        let rest = policy::Rule { level: Level::Metadata, ..Default::default() };
        let policy = Policy::new(vec![secrets, rest]);
        let needs = needs::needs(&set, &Api::built_in(ServerVersion::DEFAULT), &Identities::of(&policy));
        let spots = policy::blind_spots(&policy, &needs).unwrap();
        detections(&set, &needs, spots).iter().map(|d| format!("{} {:?} {}", d.id, d.sight, d.is_gap())).collect()
    }

    #[test]
    fn correlations_see_what_they_count() {
        assert_eq!(sights(Level::None), ["chain Blind true", "many Partial true", "reads Blind true"]);
        assert_eq!(sights(Level::Metadata), ["chain Whole false", "many Whole false", "reads Whole false"]);
    }
}
