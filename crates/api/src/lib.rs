//! REST over the log and the store: search, exact entries, proofs, health, metrics.
//!
//! [`Api::router`] is all there is: a table of routes in `router.rs`, one file for each family of them. The stable names of
//! a search row are those of [`query::ROW_KEYS`].
//!
//! Does not know how entries arrive, where they are kept on disk, or who listens on which socket.

mod access;
mod entry;
mod health;
mod live;
mod openapi;
mod problem;
mod proof;
mod quarantine;
mod router;
mod search;
mod slots;

pub use access::Access;
pub use health::Readiness;
pub use router::Api;
pub use slots::{QUESTION_WAIT_MAX, QUESTIONS_MAX, Slots, TAILS_MAX};
