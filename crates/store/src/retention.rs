//! Retention and legal holds: which parts of which segments may go. Planning is pure.
//!
//! What goes is always one cluster's part of one segment, once all of it is past its limit.

use std::collections::BTreeMap;

use audit::Micros;
use serde::{Deserialize, Serialize};

use crate::manifest::{ClusterPart, Manifest, SegmentInfo};

/// A named reason to keep entries whatever their age. Every limit that is absent does not limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Name, unique in the store.
    pub name: String,
    /// Only this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Events at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Micros>,
    /// Events before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
}

/// How long and how much one cluster's entries are kept. A limit that is absent does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Age since receipt, in microseconds.
    pub age_max: Option<Micros>,
    /// Bytes on disk; the oldest go first.
    pub bytes_max: Option<u64>,
}

/// What is kept of each cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Retention {
    /// For clusters that are not named.
    pub default: Limits,
    /// For some clusters.
    pub clusters: BTreeMap<String, Limits>,
}

/// Parts of one segment that go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Number of the segment.
    pub segment: u64,
    /// Clusters whose rows go.
    pub clusters: Vec<String>,
}

impl Hold {
    /// Whether it keeps a part.
    pub fn keeps(&self, part: &ClusterPart) -> bool {
        self.cluster.as_ref().is_none_or(|cluster| *cluster == part.cluster)
            && self.from.is_none_or(|from| part.until >= from)
            && self.until.is_none_or(|until| part.from < until)
    }
}

impl Retention {
    /// What may go at the time `now`, oldest first. Held parts stay, and count towards their cluster's bytes.
    pub fn plan(&self, manifest: &Manifest, now: Micros) -> Vec<Expired> {
        let mut kept_bytes: BTreeMap<&str, u64> = BTreeMap::new();
        let mut plan = Vec::new();
        for segment in manifest.segments.iter().rev() {
            let mut clusters = Vec::new();
            for part in &segment.clusters {
                let kept = kept_bytes.entry(&part.cluster).or_default();
                *kept += share(segment, part);
                let expired = self.limits(&part.cluster).are_passed(part, *kept, now);
                if expired && !manifest.holds.iter().any(|hold| hold.keeps(part)) {
                    clusters.push(part.cluster.clone());
                }
            }
            if !clusters.is_empty() {
                plan.push(Expired { segment: segment.id, clusters });
            }
        }
        plan.reverse();
        plan
    }

    fn limits(&self, cluster: &str) -> Limits {
        self.clusters.get(cluster).copied().unwrap_or(self.default)
    }
}

impl Limits {
    /// `bytes`: of this part and all newer ones of its cluster.
    fn are_passed(&self, part: &ClusterPart, bytes: u64, now: Micros) -> bool {
        let too_old = self.age_max.is_some_and(|age| now.saturating_sub(part.received) > age);
        too_old || self.bytes_max.is_some_and(|limit| bytes > limit)
    }
}

/// The part's share of its segment's file.
fn share(segment: &SegmentInfo, part: &ClusterPart) -> u64 {
    let all: u64 = segment.clusters.iter().map(|part| part.entry_bytes).sum();
    (u128::from(segment.bytes) * u128::from(part.entry_bytes) / u128::from(all.max(1))) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two segments of 100 bytes: blue received at 10 and 20, green only in the first.
    fn manifest() -> Manifest {
        let part = |cluster: &str, at: Micros| ClusterPart {
            cluster: cluster.to_owned(),
            rows: 1,
            entry_bytes: 500,
            from: at,
            until: at,
            received: at,
        };
        let segment = |id, clusters| SegmentInfo { id, bytes: 100, rows: 1, first: id, last: id, clusters };
        let segments = vec![segment(1, vec![part("blue", 10), part("green", 10)]), segment(2, vec![part("blue", 20)])];
        Manifest { segments, ..Manifest::default() }
    }

    fn plan(default: Limits, holds: Vec<Hold>, now: Micros) -> Vec<(u64, String)> {
        let manifest = Manifest { holds, ..manifest() };
        let plan = Retention { default, clusters: BTreeMap::new() }.plan(&manifest, now);
        plan.into_iter().map(|expired| (expired.segment, expired.clusters.join(" "))).collect()
    }

    #[test]
    fn age_size_and_holds() {
        let age = Limits { age_max: Some(5), bytes_max: None };
        let size = Limits { age_max: None, bytes_max: Some(120) };
        let hold = |cluster: Option<&str>, from, until| {
            vec![Hold { name: "case 17".to_owned(), cluster: cluster.map(str::to_owned), from, until }]
        };
        let gone = |list: &[(u64, &str)]| list.iter().map(|(id, names)| (*id, (*names).to_owned())).collect::<Vec<_>>();
        assert_eq!(plan(Limits::default(), vec![], 1_000), gone(&[]));
        assert_eq!(plan(age, vec![], 15), gone(&[]));
        assert_eq!(plan(age, vec![], 16), gone(&[(1, "blue green")]));
        assert_eq!(plan(age, vec![], 26), gone(&[(1, "blue green"), (2, "blue")]));
        assert_eq!(plan(size, vec![], 0), gone(&[(1, "blue")]));
        assert_eq!(plan(age, hold(Some("blue"), None, None), 26), gone(&[(1, "green")]));
        assert_eq!(plan(age, hold(None, Some(11), None), 26), gone(&[(1, "blue green")]));
        assert_eq!(plan(age, hold(None, None, Some(11)), 26), gone(&[(2, "blue")]));
    }
}
