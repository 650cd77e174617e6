//! Kubernetes audit policies: load, evaluate, explain, lint, diff, generate.
//!
//! Loading and evaluating give the API server's own answers, down to the error texts. Everything else is what
//! the server does not tell: which rules can never decide, what a change means, what a policy costs.
//!
//! Does not know files, sockets, time, or where events are kept: callers hand in bytes and requests.

mod golang;
mod json;
mod load;
mod model;
mod version;
mod yaml;

pub use load::{LoadError, Loaded, MAX_DOCUMENT_BYTES, load};
pub use model::{GroupResources, Level, Policy, Rule, Stage};
pub use version::{ServerVersion, UnknownVersion};
