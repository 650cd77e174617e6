//! The words between detection and people.
//!
//! - [`Finding`]: an immutable statement with its evidence: which rule, who, what, when, from where, why, and what to do.
//! - [`Story`]: findings that belong together, told in sentences an outsider understands, in one [`Language`].
//!
//! Knows neither who makes findings nor who reads them; no I/O, no clock. Field names of the JSON are stable and
//! documented in `docs/findings.md`.

mod finding;
mod json;
mod language;
mod placeholder;
mod severity;
mod story;

pub use finding::{
    Actor, Because, Confidence, Evidence, Finding, Object, Outcome, RuleRef, ServiceAccount, Source, fingerprint,
};
pub use language::{Language, ParseLanguageError};
pub use severity::{ParseSeverityError, Severity};
pub use story::{Moment, Reach, Story, tell, tell_in};
