//! Times and durations as people write them.

use audit::{Micros, format_rfc3339, parse_rfc3339};

use crate::range::Range;

/// Earliest time that can be written: 0001-01-01T00:00:00Z.
pub const TIME_MIN: Micros = -62_135_596_800_000_000;
/// Latest time that can be written: 9999-12-31T23:59:59.999999Z.
pub const TIME_MAX: Micros = 253_402_300_799_999_999;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Where and when a query is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The time that `now` stands for.
    pub now: Micros,
    /// Offset from UTC of times that name none, in seconds east.
    pub utc_offset_seconds: i32,
}

impl Context {
    /// A context whose times are in UTC.
    pub fn utc(now: Micros) -> Self {
        Self { now, utc_offset_seconds: 0 }
    }

    fn offset(&self) -> i64 {
        i64::from(self.utc_offset_seconds) * SECOND
    }
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time; write `2h` or `7d` (ago), `now-2h`, `today`, `2026-11-21`, `2026-11-21T23:00` or RFC 3339"
)]
pub struct TimeError(String);

/// Reads the start of a search: a duration means that long ago, a date its first moment.
pub fn parse_since(text: &str, context: &Context) -> Result<Micros, TimeError> {
    span(text, context).and_then(|span| span.low).ok_or_else(|| TimeError(text.to_owned()))
}

/// Reads the end of a search, included: a duration means that long ago, a date its last moment.
pub fn parse_until(text: &str, context: &Context) -> Result<Micros, TimeError> {
    span(text, context).and_then(|span| span.high).ok_or_else(|| TimeError(text.to_owned()))
}

/// Reads `500ms`, `2h30m`, `7d`, `1.5s` as microseconds. Units: `us`, `ms`, `s`, `m`, `h`, `d`, `w`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut sum = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number = &rest[..digits];
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        sum = sum.checked_add(times(number, unit(&rest[..letters])?)?)?;
        rest = &rest[letters..];
    }
    // Beyond the range of times a duration says nothing.
    (!text.is_empty() && sum <= TIME_MAX - TIME_MIN).then_some(sum)
}

fn times(number: &str, unit: i64) -> Option<i64> {
    match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(unit),
        Err(_) => number
            .parse::<f64>()
            .ok()
            .map(|number| number * unit as f64)
            .filter(|sum| *sum < 1e18)
            .map(|sum| sum as i64),
    }
}

fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" | "sec" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    })
}

/// The time that `text` covers, to the precision to which it is written: a date is a day, `23:00` a minute.
pub(crate) fn span(text: &str, context: &Context) -> Option<Range> {
    let (low, high) = relative(text, context).or_else(|| absolute(text, context))?;
    Some(Range { low: Some(low.clamp(TIME_MIN, TIME_MAX)), high: Some(high.clamp(TIME_MIN, TIME_MAX)) })
}

fn relative(text: &str, context: &Context) -> Option<(Micros, Micros)> {
    let instant = |time: Micros| (time, time);
    if let Some(ago) = parse_duration(text) {
        return Some(instant(context.now.saturating_sub(ago)));
    }
    let midnight = (context.now + context.offset()).div_euclid(DAY) * DAY - context.offset();
    match text {
        "now" => Some(instant(context.now)),
        "today" => Some((midnight, midnight + DAY - 1)),
        "yesterday" => Some((midnight - DAY, midnight - 1)),
        _ => {
            let rest = text.strip_prefix("now")?;
            let duration = parse_duration(rest.get(1..)?)?;
            match rest.as_bytes()[0] {
                b'-' => Some(instant(context.now.saturating_sub(duration))),
                b'+' => Some(instant(context.now.saturating_add(duration))),
                _ => None,
            }
        }
    }
}

fn absolute(text: &str, context: &Context) -> Option<(Micros, Micros)> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let (clock, zone) = split_zone(rest)?;
    let digits = clock.strip_prefix(['T', 't', ' ']).unwrap_or(clock);
    // What is not written is filled up from the earliest moment.
    const EARLIEST: &str = "00:00:00.000000";
    if digits.len() > EARLIEST.len()
        || clock.is_empty() != digits.is_empty()
        || (clock.len() == digits.len() && !clock.is_empty())
    {
        return None;
    }
    let precision = match digits.len() {
        0 if zone.is_empty() => DAY,
        2 => 3_600 * SECOND,
        5 => 60 * SECOND,
        8 => SECOND,
        length @ 10..=15 => 10i64.pow(15 - length as u32),
        _ => return None,
    };
    let zone_or_utc = if zone.is_empty() { "Z" } else { zone };
    let time = parse_rfc3339(&format!("{date}T{digits}{}{zone_or_utc}", &EARLIEST[digits.len()..]))?;
    let low = if zone.is_empty() { time - context.offset() } else { time };
    Some((low, low + precision - 1))
}

/// Splits `T23:00+02:00` into clock and zone; the zone is empty if there is none.
fn split_zone(rest: &str) -> Option<(&str, &str)> {
    let zone_length = match rest.as_bytes() {
        [.., b'Z' | b'z'] => 1,
        [.., b'+' | b'-', _, _, b':', _, _] => 6,
        _ => 0,
    };
    rest.split_at_checked(rest.len() - zone_length)
}

/// Writes a time so that it is read as exactly this microsecond.
pub(crate) fn write(time: Micros) -> String {
    format_rfc3339(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T23:25:00Z.
    const NOW: Micros = 1_795_303_500_000_000;

    #[test]
    fn durations() {
        for (text, micros) in [
            ("500ms", Some(500_000)),
            ("2h30m", Some(9_000 * SECOND)),
            ("1.5s", Some(1_500_000)),
            ("7d", Some(7 * DAY)),
            ("2", None),
            ("h", None),
            ("", None),
            ("2x", None),
            ("99999999999999999999w", None),
        ] {
            assert_eq!(parse_duration(text), micros, "{text}");
        }
    }

    #[test]
    fn times_cover_what_they_say() {
        let context = Context { now: NOW, utc_offset_seconds: 3600 };
        for (text, low, high) in [
            ("now", "2026-11-21T23:25:00.000000Z", "2026-11-21T23:25:00.000000Z"),
            ("now-2h", "2026-11-21T21:25:00.000000Z", "2026-11-21T21:25:00.000000Z"),
            ("2h", "2026-11-21T21:25:00.000000Z", "2026-11-21T21:25:00.000000Z"),
            // It is already the next day an hour east.
            ("today", "2026-11-21T23:00:00.000000Z", "2026-11-22T22:59:59.999999Z"),
            ("yesterday", "2026-11-20T23:00:00.000000Z", "2026-11-21T22:59:59.999999Z"),
            ("2026-11-21", "2026-11-20T23:00:00.000000Z", "2026-11-21T22:59:59.999999Z"),
            ("2026-11-21T23", "2026-11-21T22:00:00.000000Z", "2026-11-21T22:59:59.999999Z"),
            ("2026-11-21T23:00", "2026-11-21T22:00:00.000000Z", "2026-11-21T22:00:59.999999Z"),
            ("2026-11-21 23:00:07Z", "2026-11-21T23:00:07.000000Z", "2026-11-21T23:00:07.999999Z"),
            ("2026-11-21T23:00:07.5+02:00", "2026-11-21T21:00:07.500000Z", "2026-11-21T21:00:07.599999Z"),
            ("2026-11-21T23:00:07.123456Z", "2026-11-21T23:00:07.123456Z", "2026-11-21T23:00:07.123456Z"),
        ] {
            let span = span(text, &context).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((write(span.low.unwrap()), write(span.high.unwrap())), (low.into(), high.into()), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-11-21T",
            "2026-11-21Z",
            "2026-11-21T2:00",
            "now-",
            "now*2h",
            "2026-11-21é",
            "é026-11-211",
        ] {
            assert_eq!(span(text, &context), None, "{text}");
        }
    }
}
