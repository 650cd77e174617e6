//! Correlations: what several matches together mean.

use std::collections::BTreeMap;

use super::Meta;
use crate::condition::Order;

/// Kinds of correlation of Sigma 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of Sigma")]
pub enum CorrelationKind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAvg,
    ValuePercentile,
    ValueMedian,
}

impl CorrelationKind {
    /// All kinds.
    pub const ALL: [CorrelationKind; 8] = [
        Self::EventCount,
        Self::ValueCount,
        Self::Temporal,
        Self::TemporalOrdered,
        Self::ValueSum,
        Self::ValueAvg,
        Self::ValuePercentile,
        Self::ValueMedian,
    ];

    /// The name in Sigma.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
            Self::ValueSum => "value_sum",
            Self::ValueAvg => "value_avg",
            Self::ValuePercentile => "value_percentile",
            Self::ValueMedian => "value_median",
        }
    }

    /// Whether its condition names a field.
    pub fn needs_field(self) -> bool {
        !matches!(self, Self::EventCount | Self::Temporal | Self::TemporalOrdered)
    }

    /// Whether it is about several rules in one window.
    pub fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }
}

/// Bounds on the number of a correlation; all that are given must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bounds(pub Vec<(Order, f64)>);

impl Bounds {
    /// Whether `number` is within.
    pub fn hold(&self, number: f64) -> bool {
        self.0.iter().all(|(order, bound)| order.holds(&number, bound))
    }
}

/// A correlation: what several matches together mean. The state across events is not kept here.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// Id, name, title, level, tags and the like; its condition is empty.
    pub meta: Meta,
    /// Its kind.
    pub kind: CorrelationKind,
    /// Ids or names of the rules and correlations it is about, as written.
    pub rules: Vec<String>,
    /// Fields whose values tell apart the groups that are counted separately; may be names of aliases.
    pub group_by: Vec<String>,
    /// Alias → (reference as in `rules` → field of that rule).
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    /// Length of the window in seconds.
    pub timespan_seconds: u64,
    /// The bounds. For temporal kinds without a condition: at least as many different rules as are named.
    pub bounds: Bounds,
    /// Fields whose values are counted or summed.
    pub fields: Vec<String>,
    /// Percentile for [`CorrelationKind::ValuePercentile`], 50 unless given.
    pub percentile: f64,
    /// Whether the rules it is about are findings of their own as well.
    pub generate: Generate,
}

/// Whether the rules of a correlation also stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generate {
    /// They are findings of their own.
    AlsoRules,
    /// Only the correlation is a finding.
    OnlyCorrelation,
}

impl Correlation {
    /// The field of the rule called `reference` that `name` (in group-by or in the condition) stands for.
    pub fn field_of<'c>(&'c self, name: &'c str, reference: &str) -> &'c str {
        self.aliases.get(name).and_then(|of| of.get(reference)).map_or(name, String::as_str)
    }

    /// Whether `reference` means this correlation.
    pub fn answers_to(&self, reference: &str) -> bool {
        self.meta.answers_to(reference)
    }
}
