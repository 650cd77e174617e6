//! The residual: an entry's text with the values of columns cut out, and the way back.
//!
//! A cut is two bytes: how the value is written, and the number of its column plus [`COLUMN_BASE`].
//! Texts that hold one of the two marks themselves are not cut at all.

use audit::Micros;

use crate::column::{Column, Kind};
use crate::values::NO_INTEGER;

/// The value stands as it is.
pub(crate) const VERBATIM: u8 = 0x01;
/// The value stands as a JSON string the way Go writes it, without its quotes.
pub(crate) const ESCAPED: u8 = 0x02;
/// Added to a column's number, so that residuals are printable but for the marks.
const COLUMN_BASE: u8 = 0x20;

/// One value to cut out of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) mark: u8,
    pub(crate) column: Column,
}

/// Whether a text may be cut: with marks of its own it would be ambiguous.
pub(crate) fn can_be_cut(text: &[u8]) -> bool {
    memchr::memchr2(VERBATIM, ESCAPED, text).is_none()
}

/// Writes `text` without the values of `cuts`; `false` if they overlap. Sorts the cuts.
pub(crate) fn cut(text: &[u8], cuts: &mut [Cut], out: &mut Vec<u8>) -> bool {
    // Most fields come in the order in which they are looked at, so this is nearly sorted.
    cuts.sort_by_key(|cut| cut.start);
    out.clear();
    let mut at = 0;
    for cut in cuts {
        if cut.start < at || cut.end > text.len() {
            return false;
        }
        out.extend_from_slice(&text[at..cut.start]);
        out.extend_from_slice(&[cut.mark, cut.column as u8 + COLUMN_BASE]);
        at = cut.end;
    }
    out.extend_from_slice(&text[at..]);
    true
}

/// Column values of one row.
pub(crate) trait Row {
    /// An integer or time column; [`NO_INTEGER`] if absent.
    fn integer(&self, column: Column) -> i64;
    /// The audit id.
    fn uuid(&self) -> [u8; 16];
    /// A text, JSON, body or blob column; empty if absent.
    fn bytes(&self, column: Column) -> &[u8];
}

/// Takes the bytes of an entry piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Compares the pieces with a text instead of keeping them.
pub(crate) struct Comparison<'t> {
    /// What is still to come; nothing once a piece differed.
    rest: Option<&'t [u8]>,
}

impl<'t> Comparison<'t> {
    pub(crate) fn with(text: &'t [u8]) -> Self {
        Self { rest: Some(text) }
    }

    /// Whether the pieces were the text.
    pub(crate) fn is_equal(&self) -> bool {
        self.rest.is_some_and(<[u8]>::is_empty)
    }
}

impl Sink for Comparison<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.rest = self.rest.and_then(|rest| rest.strip_prefix(bytes));
    }
}

/// Puts the values of `row` back into its residual. A residual that was not written by [`cut`] gives some other text, never a panic.
pub(crate) fn join(residual: &[u8], row: &impl Row, out: &mut impl Sink) {
    let mut rest = residual;
    while let Some(at) = memchr::memchr2(VERBATIM, ESCAPED, rest) {
        out.put(&rest[..at]);
        let column = rest.get(at + 1).and_then(|byte| Column::from_number(byte.wrapping_sub(COLUMN_BASE)));
        if let Some(column) = column {
            put_value(rest[at], column, row, out);
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.put(rest);
}

/// The columns whose values [`join`] puts back; some may come twice.
pub(crate) fn columns(residual: &[u8]) -> impl Iterator<Item = Column> {
    let marks = memchr::memchr2_iter(VERBATIM, ESCAPED, residual);
    marks.filter_map(|at| Column::from_number(residual.get(at + 1)?.wrapping_sub(COLUMN_BASE)))
}

/// The residual as JSON of its own: empty texts where values were cut out.
pub(crate) fn without_cuts(residual: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(residual.len());
    let mut rest = residual;
    while let Some(at) = memchr::memchr2(VERBATIM, ESCAPED, rest) {
        out.extend_from_slice(&rest[..at]);
        let inside_quotes = at > 0 && rest[at - 1] == b'"' && rest.get(at + 2) == Some(&b'"');
        if !inside_quotes {
            out.extend_from_slice(b"\"\"");
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

fn put_value(mark: u8, column: Column, row: &impl Row, out: &mut impl Sink) {
    match (column, column.kind()) {
        (Column::Time, _) => put_time(row.integer(Column::Time), out),
        // The request time is the event's time less its latency.
        (Column::LatencyUs, _) => put_time(request_time(row), out),
        (_, Kind::Integer | Kind::Time) => put_integer(row.integer(column), out),
        (_, Kind::Uuid) => put_uuid(&row.uuid(), out),
        _ if mark == ESCAPED => escape(row.bytes(column), out),
        _ => out.put(row.bytes(column)),
    }
}

fn request_time(row: &impl Row) -> Micros {
    match row.integer(Column::LatencyUs) {
        NO_INTEGER => row.integer(Column::Time),
        latency => row.integer(Column::Time).wrapping_sub(latency),
    }
}

fn put_integer(value: i64, out: &mut impl Sink) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.put(b"-");
    }
    out.put(&digits[at..]);
}

/// Writes a time as the API server does; the same text as [`audit::format_rfc3339`] without the allocation.
pub(crate) fn put_time(time: Micros, out: &mut impl Sink) {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    if !(0..=9999).contains(&year) {
        return out.put(audit::format_rfc3339(time).as_bytes());
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
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    for (at, value) in pairs {
        text[at] = b'0' + (value / 10) as u8;
        text[at + 1] = b'0' + (value % 10) as u8;
    }
    out.put(&text);
}

/// Reads a time as [`put_time`] writes it; nothing for any other way to write one.
pub(crate) fn parse_time(text: &[u8]) -> Option<Micros> {
    let text: &[u8; 27] = text.try_into().ok()?;
    let mut pairs = [0i64; 10];
    for (pair, at) in pairs.iter_mut().zip([0, 2, 5, 8, 11, 14, 17, 20, 22, 24]) {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        if tens > 9 || ones > 9 {
            return None;
        }
        *pair = i64::from(tens * 10 + ones);
    }
    let between = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if between.into_iter().any(|(at, byte)| text[at] != byte) {
        return None;
    }
    let [century, year, month, day, hour, minute, second, micros @ ..] = pairs;
    let year = century * 100 + year;
    let known = (1..=12).contains(&month) && (1..=audit::days_in_month(year, month)).contains(&day);
    if !known || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = audit::days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000 + micros.into_iter().fold(0, |all, pair| all * 100 + pair))
}

/// Date of a day number since 1970, by eras of 400 years that begin on 1 March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Reads a UUID in its canonical form: 36 characters, lower case. The nil UUID is refused, it stands for "absent".
pub(crate) fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut uuid = [0u8; 16];
    let mut nibbles = 0;
    for (at, byte) in text.iter().enumerate() {
        let digit = match byte {
            b'-' if matches!(at, 8 | 13 | 18 | 23) => continue,
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        if nibbles == 32 {
            return None;
        }
        uuid[nibbles / 2] |= digit << (4 * (1 - nibbles % 2));
        nibbles += 1;
    }
    (nibbles == 32 && uuid != [0; 16]).then_some(uuid)
}

/// Writes a UUID in its canonical form.
pub(crate) fn put_uuid(uuid: &[u8; 16], out: &mut impl Sink) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.put(&text);
}

/// Writes `text` inside a JSON string as Go's encoder does, which escapes more than JSON demands.
pub(crate) fn escape(text: &[u8], out: &mut impl Sink) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| needs_care(*byte)) {
        out.put(&rest[..at]);
        let taken = escape_one(&rest[at..], out);
        rest = &rest[at + taken..];
    }
    out.put(rest);
}

fn needs_care(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = matches!(byte as u8, 0..=0x1F | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2);
            byte += 1;
        }
        table
    };
    TABLE[usize::from(byte)]
}

/// Writes the first character and returns how many bytes it had.
fn escape_one(text: &[u8], out: &mut impl Sink) -> usize {
    match text {
        [b'"', ..] => out.put(b"\\\""),
        [b'\\', ..] => out.put(b"\\\\"),
        [b'\n', ..] => out.put(b"\\n"),
        [b'\r', ..] => out.put(b"\\r"),
        [b'\t', ..] => out.put(b"\\t"),
        [8, ..] => out.put(b"\\b"),
        [12, ..] => out.put(b"\\f"),
        // U+2028 and U+2029, which JavaScript takes for line ends.
        [0xE2, 0x80, last @ (0xA8 | 0xA9), ..] => {
            out.put(if *last == 0xA8 { b"\\u2028" } else { b"\\u2029" });
            return 3;
        }
        [0xE2, ..] => out.put(&[0xE2]),
        [byte, ..] => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.put(b"\\u00");
            out.put(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        [] => return 0,
    }
    1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_as_the_audit_crate_does() {
        for time in
            [0, -1, 1, 951_782_400_000_000, 1_795_303_500_371_923, -62_135_596_800_000_000, 253_402_300_799_999_999]
        {
            let mut out = Vec::new();
            put_time(time, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), audit::format_rfc3339(time));
        }
    }

    proptest! {
        #[test]
        fn times_are_read_as_the_audit_crate_does(
            text in "(0|19|20|99)[0-9]{1,2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9].[0-9]{6}Z?",
        ) {
            if let Some(time) = parse_time(text.as_bytes()) {
                prop_assert_eq!(Some(time), audit::parse_rfc3339(&text));
                let mut back = Vec::new();
                put_time(time, &mut back);
                prop_assert_eq!(String::from_utf8(back).unwrap(), text);
            }
        }
    }

    #[test]
    fn uuids_come_back() {
        let text = b"915743b8-f409-45d1-89fa-842c7dab438f";
        let mut out = Vec::new();
        put_uuid(&parse_uuid(text).unwrap(), &mut out);
        assert_eq!(out, text);
        for wrong in [
            "",
            "915743B8-f409-45d1-89fa-842c7dab438f",
            "915743b8f-40945d1-89fa-842c7dab438f0",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(parse_uuid(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
