//! What good policies leave out, and detections therefore do not see: known, and said, but not called a blind spot.

use serde::Serialize;

use crate::model::{Level, Rule};
use crate::remedy;
use crate::space::{Region, Space};

/// Why something is deliberately not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Omission {
    /// Bodies of secrets and tokens.
    Secrets,
    /// Bodies of leases, Events, endpoint slices, access reviews and status, for a detection that looks at every kind.
    Busy,
    /// Health checks, elections, heartbeats and Events of components, for a detection that looks at every request.
    Noise,
}

impl Omission {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Secrets, Self::Busy, Self::Noise];

    /// What is left out and why, in a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Secrets => "bodies of secrets and tokens are never recorded: whoever reads the log would have them",
            Self::Busy => {
                "bodies of leases, Events, endpoint slices, access reviews and status are not recorded for the sake of \
                 detections that look at every kind: they are most of a log and say little"
            }
            Self::Noise => {
                "health checks, elections, heartbeats and Events of nodes and the control plane are not recorded for \
                 the sake of detections that look at every request"
            }
        }
    }

    fn rules(self) -> Vec<Rule> {
        match self {
            Self::Secrets => vec![remedy::secrets()],
            Self::Busy => vec![remedy::busy()],
            Self::Noise => remedy::noise().into_iter().map(|(rule, _)| rule).collect(),
        }
    }

    /// Makes atoms of everything that it names.
    pub(crate) fn name_in(self, space: &mut Space) {
        self.rules().iter().for_each(|rule| space.name(rule));
    }

    /// The requests that it is about.
    pub(crate) fn region(self, space: &Space) -> Region {
        let mut region = Region::default();
        self.rules().iter().for_each(|rule| region.union(space.rule(rule)));
        region
    }

    /// Whether it is what a request recorded at `level` lacks.
    pub(crate) fn explains(self, level: Level) -> bool {
        (self == Self::Noise) == (level == Level::None)
    }

    /// Whether it also excuses what a detection names, not only what it sees because it looks at everything.
    pub(crate) fn is_absolute(self) -> bool {
        self == Self::Secrets
    }
}
