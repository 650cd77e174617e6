//! The audit model: events, the wrappers they travel in, and where each value stands in the bytes.
//!
//! - [`Json`] is a value as it stands in the text: checked, not decoded. Nothing is copied until someone asks.
//! - [`Event`] is one audit event: a place for every field of `audit.k8s.io/v1`, each a [`Json`].
//! - [`Splitter`] cuts any input (lines, `EventList`, arrays, cloud exports) into [`Item`]s with their exact
//!   bytes. What cannot be decoded becomes an item too; [`diagnose`] says why.
//! - [`normalise`] turns an item of any [`Format`] into the text of a plain audit event.
//!
//! Does not know files, time, rules or where events are kept. Every input is hostile: nothing here
//! recurses, panics or allocates more than in proportion to its input.

mod agent;
mod event;
mod format;
mod gke;
mod json;
mod normalise;
mod outline;
mod quantity;
mod salvage;
mod split;
mod time;

pub use agent::AgentFamily;
pub use event::{Event, Level, NotAnEvent, ObjectRef, ResponseStatus, Stage, User};
pub use format::Format;
pub use json::{DEPTH_MAX, Elements, Fault, Json, JsonKind, Members, Writer, quote};
pub use normalise::{Normalised, normalise};
pub use quantity::{ByteSize, ParseQuantityError};
pub use split::{End, ITEM_MAX, Item, Reason, Splitter, diagnose, split};
pub use time::{Micros, civil_from_days, days_from_civil, days_in_month, format_rfc3339, parse_rfc3339, write_rfc3339};
