//! Rules, correlations and filters as loaded: what they say and what they need.

use std::collections::BTreeMap;

use audit::{Level as AuditLevel, Stage};

use crate::condition::Condition;
use crate::extension::Extension;
use crate::problem::{Place, Problem};

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the three origins")]
pub enum Origin {
    Builtin,
    Sigma,
    Falco,
}

impl Origin {
    /// Stable name, as shown and documented.
    pub fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Sigma => "sigma",
            Self::Falco => "falco",
        }
    }
}

/// How grave a match is: Sigma's levels. Falco's priorities are put on the same scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of Sigma")]
pub enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    /// All levels, the least grave first.
    pub const ALL: [Level; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name in Sigma.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Falco's priorities, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of Falco")]
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Priority {
    /// All priorities, the gravest first.
    pub const ALL: [Priority; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The name in Falco.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// Reads a name in any case; `INFO` is `INFORMATIONAL`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(name))
    }

    /// The Sigma level that stands for it.
    pub fn level(self) -> Level {
        match self {
            Self::Emergency | Self::Alert | Self::Critical => Level::Critical,
            Self::Error => Level::High,
            Self::Warning => Level::Medium,
            Self::Notice => Level::Low,
            Self::Informational | Self::Debug => Level::Informational,
        }
    }
}

/// The log a Sigma rule is about. A field that is not given fits every log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of Sigma's logsource")]
pub struct LogSource {
    pub category: Option<String>,
    pub product: Option<String>,
    pub service: Option<String>,
}

impl LogSource {
    /// Whether Kubernetes audit events are such a log.
    pub fn is_kubernetes_audit(&self) -> bool {
        let fits = |given: &Option<String>, names: &[&str]| {
            given.as_ref().is_none_or(|given| names.iter().any(|name| given.eq_ignore_ascii_case(name)))
        };
        let given = self.category.is_some() || self.product.is_some() || self.service.is_some();
        given
            && fits(&self.category, &["application", "audit"])
            && fits(&self.product, &["kubernetes"])
            && fits(&self.service, &["audit"])
    }

    /// Whether every field that `filter` gives is the same here.
    pub fn is_within(&self, filter: &LogSource) -> bool {
        let fits = |wanted: &Option<String>, have: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| have.as_ref().is_none_or(|have| have.eq_ignore_ascii_case(wanted)))
        };
        fits(&filter.category, &self.category)
            && fits(&filter.product, &self.product)
            && fits(&filter.service, &self.service)
    }
}

/// What an event must hold for a rule to be able to match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Least audit level; below it the rule is blind.
    pub level: Option<AuditLevel>,
    /// Stages at which it can match; empty for the last stage of a request.
    pub stages: Vec<Stage>,
    /// Fields it reads, by name, sorted.
    pub fields: Vec<String>,
}

/// A Falco output template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output(pub(crate) Vec<OutputPart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutputPart {
    Text(String),
    Field(crate::falco::FalcoField),
}

/// What only rules of one language have.
#[derive(Debug, Clone, PartialEq)]
pub enum Flavour {
    /// A Sigma rule.
    Sigma {
        /// The log it is about.
        logsource: LogSource,
    },
    /// A Falco rule.
    Falco {
        /// Its priority.
        priority: Priority,
        /// Its output.
        output: Output,
        /// The source of its events; only rules of `k8s_audit` are evaluated.
        source: String,
        /// Whether it is switched on.
        enabled: bool,
    },
}

/// A detection rule on one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
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
    /// What only its language has.
    pub flavour: Flavour,
    /// Our extension block; empty for other rules.
    pub extension: Extension,
    /// What an event must hold.
    pub needs: Needs,
    /// The condition.
    pub condition: Condition,
}

impl Rule {
    /// The Falco priority, if it is a Falco rule.
    pub fn priority(&self) -> Option<Priority> {
        match self.flavour {
            Flavour::Falco { priority, .. } => Some(priority),
            Flavour::Sigma { .. } => None,
        }
    }

    /// Whether it is evaluated on Kubernetes audit events at all. Rules of other logs load but never match.
    pub fn is_evaluated(&self) -> bool {
        match &self.flavour {
            Flavour::Falco { source, enabled, .. } => *enabled && source == crate::falco::SOURCE,
            Flavour::Sigma { logsource } => logsource.is_kubernetes_audit(),
        }
    }

    /// Whether `reference` (of a correlation or filter) means this rule.
    pub fn answers_to(&self, reference: &str) -> bool {
        self.id.eq_ignore_ascii_case(reference) || self.name.as_deref() == Some(reference)
    }
}

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
pub struct Bounds(pub Vec<(crate::condition::Order, f64)>);

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
        self.meta.id.eq_ignore_ascii_case(reference) || self.meta.name.as_deref() == Some(reference)
    }
}

/// What a correlation says about itself; the same words as in [`Rule`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "documented at the fields of the same names of Rule")]
pub struct Meta {
    pub id: String,
    pub name: Option<String>,
    pub title: String,
    pub description: String,
    pub origin: Origin,
    pub file: String,
    pub place: Place,
    pub level: Level,
    pub status: String,
    pub author: String,
    pub license: String,
    pub tags: Vec<String>,
    pub techniques: Vec<String>,
    pub tactics: Vec<String>,
    pub references: Vec<String>,
    pub false_positives: Vec<String>,
    pub extension: Extension,
}

/// A filter: a condition added to other rules when they are compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Title.
    pub title: String,
    /// File of its definition.
    pub file: String,
    /// Where it starts.
    pub place: Place,
    /// Logs it is about.
    pub logsource: LogSource,
    /// Ids or names of the rules it applies to; `any` for all of its log source.
    pub rules: Vec<String>,
    /// What a rule must fulfil as well.
    pub condition: Condition,
}

/// What was read from rule files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Rules in load order.
    pub rules: Vec<Rule>,
    /// Correlations in load order.
    pub correlations: Vec<Correlation>,
    /// Filters in load order.
    pub filters: Vec<Filter>,
    /// What is wrong with the files.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Adds what another file held, after what is here.
    pub fn extend(&mut self, other: Loaded) {
        self.rules.extend(other.rules);
        self.correlations.extend(other.correlations);
        self.filters.extend(other.filters);
        self.problems.extend(other.problems);
    }

    /// Marks every rule and correlation as coming from `origin`.
    #[must_use]
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.rules.iter_mut().for_each(|rule| rule.origin = origin);
        self.correlations.iter_mut().for_each(|correlation| correlation.meta.origin = origin);
        self
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
