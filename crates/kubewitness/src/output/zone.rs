//! The time zone of what people read and write.

use audit::{Micros, parse_rfc3339};
use jiff::{Timestamp, tz::TimeZone};

/// UTC, or that of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    pub(crate) fn system() -> Self {
        Self(TimeZone::system())
    }

    /// Offset from UTC at a moment, in seconds east.
    pub(crate) fn offset_seconds(&self, at: Micros) -> i32 {
        Timestamp::from_microsecond(at).map_or(0, |at| self.0.to_offset(at).seconds())
    }

    /// An RFC 3339 time as people read it, to the millisecond.
    pub(crate) fn show(&self, time: &str) -> String {
        parse_rfc3339(time).map_or_else(|| time.to_owned(), |micros| self.show_micros(micros))
    }

    /// The same from microseconds.
    pub(crate) fn show_micros(&self, time: Micros) -> String {
        match Timestamp::from_microsecond(time) {
            Ok(time) => time.to_zoned(self.0.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
            Err(_) => time.to_string(),
        }
    }

    /// Abbreviation at a moment, such as `UTC` or `CET`.
    pub(crate) fn name(&self, at: Micros) -> String {
        match Timestamp::from_microsecond(at) {
            Ok(at) => at.to_zoned(self.0.clone()).strftime("%Z").to_string(),
            Err(_) => String::new(),
        }
    }
}
