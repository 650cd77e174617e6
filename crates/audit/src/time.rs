//! Times of audit events: RFC 3339 text and microseconds since 1970 in UTC.

/// Microseconds since 1970-01-01T00:00:00Z, the precision of the audit API.
pub type Micros = i64;

const DAY: i64 = 86_400_000_000;

/// The form in which the API server writes a time.
const RFC3339: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";

/// Reads an RFC 3339 time of any precision and offset; finer parts than a microsecond are cut off.
pub fn parse_rfc3339(text: &str) -> Option<Micros> {
    parse_bytes(text.as_bytes())
}

/// The same of bytes that may be no text, which are then no time.
pub(crate) fn parse_bytes(bytes: &[u8]) -> Option<Micros> {
    let micros = <&[u8; 27]>::try_from(bytes).ok().and_then(parse_usual);
    micros.or_else(|| parse_any(bytes))
}

/// A time as the API server writes it: `2026-11-21T23:25:00.371923Z`. Nothing if it is another.
fn parse_usual(bytes: &[u8; 27]) -> Option<Micros> {
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if !bytes.iter().zip(RFC3339).fold(true, |all, pair| all & fits(pair)) {
        return None;
    }
    let two = |at: usize| i64::from(bytes[at] - b'0') * 10 + i64::from(bytes[at + 1] - b'0');
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    // Of the other times of such a form some exist; they are rare.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000 + two(20) * 10_000 + two(22) * 100 + two(24))
}

fn parse_any(bytes: &[u8]) -> Option<Micros> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !separators.iter().all(|(at, byte)| bytes.get(*at) == Some(byte))
        || !matches!(bytes.get(10), Some(b'T' | b't' | b' '))
    {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (fraction, rest) = fraction(&bytes[19..])?;
    let seconds =
        days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_seconds(rest)?;
    Some(seconds * 1_000_000 + fraction)
}

/// Writes a time as the API server does: UTC, six decimals, `Z`.
pub fn format_rfc3339(time: Micros) -> String {
    match write_rfc3339(time) {
        Some(text) => String::from_utf8_lossy(&text).into_owned(),
        None => {
            let (year, month, day) = civil_from_days(time.div_euclid(DAY));
            let of_day = write_rfc3339(time.rem_euclid(DAY)).unwrap_or(*RFC3339);
            format!("{year:04}-{month:02}-{day:02}{}", String::from_utf8_lossy(&of_day[10..]))
        }
    }
}

/// The same in ASCII, without an allocation; nothing for years that do not have four digits.
pub fn write_rfc3339(time: Micros) -> Option<[u8; 27]> {
    let (days, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let (seconds, micros) = ((rest / 1_000_000) as u32, (rest % 1_000_000) as u32);
    let pairs = [
        (0, year as u32 / 100),
        (2, year as u32 % 100),
        (5, month as u32),
        (8, day as u32),
        (11, seconds / 3600),
        (14, seconds / 60 % 60),
        (17, seconds % 60),
        (20, micros / 10_000),
        (22, micros / 100 % 100),
        (24, micros % 100),
    ];
    let mut text = *RFC3339;
    for (at, value) in pairs {
        text[at] = b'0' + (value / 10) as u8;
        text[at + 1] = b'0' + (value % 10) as u8;
    }
    Some(text)
}

fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', decimals)) = bytes.split_first().map(|(first, rest)| (*first, rest)) else {
        return Some((0, bytes));
    };
    let count = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let micros = (0..6).fold(0, |value, i| value * 10 + if i < count { i64::from(decimals[i] - b'0') } else { 0 });
    Some((micros, &decimals[count..]))
}

fn offset_seconds(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) => {
            let two = |a: u8, b: u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let seconds = two(*h1, *h2) * 3600 + two(*m1, *m2) * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days of a month of the Gregorian calendar; months count from one.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, by eras of 400 years that begin on 1 March.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn years_without_four_digits_are_written_too() {
        assert_eq!(format_rfc3339(253_402_300_800_000_001), "10000-01-01T00:00:00.000001Z");
        assert_eq!(format_rfc3339(-62_167_219_200_000_001), "-001-12-31T23:59:59.999999Z");
        assert_eq!(format_rfc3339(253_402_300_799_999_999), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn known_times() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-21T23:25:00.371923Z", Some(1_795_303_500_371_923)),
            ("2026-11-21T23:25:00.371923999Z", Some(1_795_303_500_371_923)),
            ("2026-11-22T01:25:00.5+02:00", Some(1_795_303_500_500_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-11-21T23:25:00", None),
            ("2026-11-21", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text), micros, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(time in -60_000_000_000_000_000i64..250_000_000_000_000_000) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(time)), Some(time));
            prop_assert_eq!(parse_any(format_rfc3339(time).as_bytes()), Some(time));
            let other = jiff::Timestamp::from_microsecond(time).unwrap();
            prop_assert_eq!(parse_rfc3339(&other.to_string()), Some(time));
        }
    }
}
