//! Sigma and Falco rules compiled into one condition language and matched on events.
//!
//! - [`load_sigma`] reads rules, correlations and filters of Sigma 2.1, and our own rules, which are Sigma with a block
//!   `kubewitness`. Each says what is wrong with a file ([`Problem`]) and loads the rest.
//! - [`load_falco`] reads Falco's k8s-audit rule files in load order, with lists, macros, exceptions and overrides.
//! - [`import_falco`] writes such rules in our own form.
//! - [`RuleSet::compile`] makes what was [`Loaded`] ready; a [`Matcher`] for each thread matches single events.
//! - [`RuleSet::why`] tells which conditions decided a match, [`field_values`] reads a field of an event.
//! - [`RuleSet::check`] finds rules that can never match, [`RuleSet::differences`] where Falco's own evaluation differs.
//! - [`builtin`] are the rules that come with the product; a [`Dictionary`] is what they say in another language.
//!
//! Does not know what came before an event: correlations, first-seen and once-per-request are for who keeps state. Does
//! not know files, clocks or how a finding is told.

mod builtin;
mod check;
mod condition;
mod dictionary;
mod explanation;
mod extension;
mod falco;
mod field;
mod likeness;
mod matcher;
pub mod naive;
mod needs;
mod node;
mod packed;
mod problem;
mod program;
mod rule;
mod set;
mod sigma;
mod words;
mod yaml;

pub use builtin::{builtin, load_builtin};
pub use check::Difference;
pub use condition::{
    Case, Condition, Expression, Float, Order, Pattern, Piece, Predicate, REGEX_BYTES_MAX, REGEX_TEXT_MAX, Relation,
    Sense, Test, TimePart, Truth,
};
pub use dictionary::{Dictionary, Translation, remark};
pub use explanation::{Alike, OwnTest, Reason};
pub use extension::{Expected, Extension, FirstSeen, RuleTest, Style};
pub use falco::{Argument, FalcoField, Imported, ImportedRule, Transformer, import_falco, load_falco};
pub use field::{Derived, Field, FieldPath, Part, Root, Value, field_values, is_hidden};
pub use likeness::Likeness;
pub use matcher::{Match, Matcher};
pub use problem::{Place, Problem, Severity, Source};
pub use rule::{
    Bounds, Correlation, CorrelationKind, Filter, Flavour, Generate, Level, Loaded, LogSource, Meta, Needs, Origin,
    Output, Priority, Rule,
};
pub use set::{CorrelationRef, Emission, Fidelity, Matching, Member, Options, RuleRef, RuleSet, is_last_stage};
pub use sigma::{Placeholders, load_sigma, load_sigma_with};
pub use words::test as test_in_words;
pub use yaml::{FILE_BYTES_MAX, YAML_DEPTH_MAX, YAML_NODES_MAX};
