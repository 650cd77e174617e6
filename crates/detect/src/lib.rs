//! Detection over the log, in its order: rules, correlations, first-seen.
//!
//! [`Detector::observe`] takes one event after the other and writes [`finding::Finding`]s. The same events in the same
//! order give the same findings (DET-1): time is the events' own, never the clock's. What is remembered between
//! events has a stated bound (DET-2): the limits are constants of `correlation`, `first_seen` and `request`.
//!
//! Does not know sockets, files, or where events are kept.

mod actors;
mod correlation;
mod describe;
mod detector;
mod feeds;
mod first_seen;
mod reasons;
mod request;
mod values;

pub use correlation::{GROUPS_MAX, SAMPLES_MAX};
pub use detector::{Detector, Observed};
pub use first_seen::REMEMBERED_MAX;
pub use request::REQUESTS_MAX;
