//! Kubernetes audit policies: load, evaluate, explain, lint, diff, generate.
//!
//! Loading and evaluating give the API server's own answers, down to the error texts. Everything else is what
//! the server does not tell: which rules can never decide, what a change means, what a policy costs.
//!
//! Does not know files, sockets, time, or where events are kept: callers hand in bytes and requests.

mod api;
mod ask;
mod balance;
mod blind_spot;
mod diff;
mod evaluate;
mod explain;
mod format;
mod generate;
mod golang;
mod improve;
mod json;
mod lint;
mod load;
mod model;
mod need;
mod omission;
mod outline;
mod preset;
mod remedy;
mod request;
mod space;
mod standard;
mod tally;
mod version;
mod yaml;

pub use api::{Api, NotApiResources, Served, VERBS};
pub use balance::{Balance, Balances};
pub use blind_spot::{BlindSpot, Cause, blind_spots};
pub use diff::{Change, Difference, Treatment, diff};
pub use evaluate::{Decision, Evaluator};
pub use explain::{Explanation, Passed, explain};
pub use format::{format_text, schema, to_yaml};
pub use generate::{Generated, bytes_text, generate};
pub use improve::improve;
pub use lint::{Fix, Issue, LINTS, Lint, LintOptions, Report, Severity, fix, lint};
pub use load::{LoadError, Loaded, MAX_DOCUMENT_BYTES, load};
pub use model::{GroupResources, Level, Policy, Rule, Stage};
pub use need::{Identities, Need, Pattern};
pub use omission::Omission;
pub use outline::{Edit, Span};
pub use preset::{PRESETS, Preset};
pub use request::{Forwarded, Request, Target, TargetError, User, parse_request_line, source_ips};
pub use space::{Area, Choice, TooComplex};
pub use standard::{GOALS, standards};
pub use tally::{Recorded, Share, Tally, Volume};
pub use version::{ServerVersion, UnknownVersion};
