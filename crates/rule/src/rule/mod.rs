//! Rules, correlations and filters as loaded: what they say and what they need.

mod correlation;
mod log_source;
mod meta;
mod priority;

use audit::{Level as AuditLevel, Stage};

use crate::condition::Condition;
use crate::problem::{Place, Problem};

pub use correlation::{Bounds, Correlation, CorrelationKind, Generate};
pub use log_source::LogSource;
pub(crate) use meta::attack_tags;
pub use meta::{Level, Meta, Origin};
pub use priority::Priority;

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
    /// What it says about itself.
    pub meta: Meta,
    /// What only its language has.
    pub flavour: Flavour,
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
        self.meta.answers_to(reference)
    }
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
        self.rules.iter_mut().for_each(|rule| rule.meta.origin = origin);
        self.correlations.iter_mut().for_each(|correlation| correlation.meta.origin = origin);
        self
    }
}
