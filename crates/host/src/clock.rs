//! What time it is.

use std::time::Duration;

/// Microseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Wall time and a clock that never goes back.
pub trait Clock: Send + Sync {
    /// The wall clock, which people may turn back.
    fn now(&self) -> Timestamp;

    /// Time since some moment in the past, for measuring spans; never goes back.
    fn monotonic(&self) -> Duration;
}
