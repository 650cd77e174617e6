//! How the values of columns are written in an event.

use audit::Micros;

use crate::residual::{Comparison, Sink};

/// A minute, in microseconds.
const MINUTE: Micros = 60_000_000;

/// A minute and the text that its times begin with: most times are of the same one as the time before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minute {
    start: Micros,
    text: [u8; 17],
}

impl Default for Minute {
    fn default() -> Self {
        Self { start: 0, text: *b"1970-01-01T00:00:" }
    }
}

impl Minute {
    /// Reads a time as [`parse_time`] does, and takes its minute.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<Micros> {
        if let Some(micros) = self.within(text) {
            return Some(self.start + micros);
        }
        let time = parse_time(text)?;
        *self = Self { start: time - time.rem_euclid(MINUTE), text: *text.first_chunk()? };
        Some(time)
    }

    /// Whether [`put_time`] writes `time` as this text.
    #[inline]
    pub(crate) fn gives(&self, time: Micros, text: &[u8]) -> bool {
        if let Some(micros) = self.within(text) {
            return time.checked_sub(micros) == Some(self.start); // each time of the minute has one text, and each text one time
        }
        let mut comparison = Comparison::with(text);
        put_time(time, &mut comparison);
        comparison.is_equal()
    }

    /// Microseconds since the minute began, if `text` is a time in it.
    fn within(&self, text: &[u8]) -> Option<Micros> {
        let rest: &[u8; 10] = text.strip_prefix(&self.text)?.try_into().ok()?;
        let [s, t, b'.', digits @ .., b'Z'] = rest else { return None };
        let mut wrong = false;
        let mut digit = |byte: u8| {
            wrong |= !byte.is_ascii_digit();
            Micros::from(byte.wrapping_sub(b'0'))
        };
        let seconds = digit(*s) * 10 + digit(*t);
        let micros = digits.iter().fold(0, |all, byte| all * 10 + digit(*byte));
        (!wrong && seconds < 60).then_some(seconds * 1_000_000 + micros)
    }
}

/// Writes a whole number in decimal.
pub(crate) fn put_integer(value: i64, out: &mut impl Sink) {
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
    match audit::write_rfc3339(time) {
        Some(text) => out.put(&text),
        None => out.put(audit::format_rfc3339(time).as_bytes()),
    }
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

/// Where the digits of a UUID's bytes stand in its canonical form.
const UUID_BYTES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/// Where its hyphens stand.
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Reads a UUID in its canonical form: 36 characters, lower case. The nil UUID is refused, it stands for "absent".
#[inline]
pub(crate) fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    /// Value of a digit; [`NO_DIGIT`] for other bytes.
    const DIGITS: [u8; 256] = {
        let mut table = [NO_DIGIT; 256];
        let mut value = 0;
        while value < 16 {
            table[HEX[value] as usize] = value as u8;
            value += 1;
        }
        table
    };
    const NO_DIGIT: u8 = 0x80;
    let text: &[u8; 36] = text.try_into().ok()?;
    let (mut uuid, mut wrong) = ([0; 16], 0);
    for (byte, at) in uuid.iter_mut().zip(UUID_BYTES) {
        let (high, low) = (DIGITS[usize::from(text[at])], DIGITS[usize::from(text[at + 1])]);
        wrong |= high | low;
        *byte = high << 4 | low;
    }
    let hyphens = UUID_HYPHENS.into_iter().all(|at| text[at] == b'-');
    (hyphens && wrong & NO_DIGIT == 0 && uuid != [0; 16]).then_some(uuid)
}

/// Writes a UUID in its canonical form.
#[inline]
pub(crate) fn put_uuid(uuid: &[u8; 16], out: &mut impl Sink) {
    let mut text = [b'-'; 36];
    for (byte, at) in uuid.iter().zip(UUID_BYTES) {
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
    }
    out.put(&text);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

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

        #[test]
        fn times_of_a_minute_are_read_like_others(
            seen in 0i64..200_000_000,
            time in prop_oneof![0i64..200_000_000, any::<i32>().prop_map(i64::from)],
            at in 0usize..27,
            byte in any::<u8>(),
        ) {
            let write = |time| {
                let mut text = Vec::new();
                put_time(time, &mut text);
                text
            };
            let mut minute = Minute::default();
            prop_assert_eq!(minute.read(&write(seen)), Some(seen));
            let mut text = write(time);
            prop_assert!(minute.gives(time, &text));
            prop_assert!(!minute.gives(time + 1, &text));
            prop_assert_eq!(Minute { ..minute }.read(&text), Some(time));
            text[at] = byte;
            let read = parse_time(&text);
            prop_assert_eq!(minute.gives(time, &text), read == Some(time));
            prop_assert_eq!(minute.read(&text), read);
        }

        #[test]
        fn any_uuid_comes_back(uuid in any::<[u8; 16]>(), at in 0usize..36, byte in any::<u8>()) {
            let mut text = Vec::new();
            put_uuid(&uuid, &mut text);
            prop_assert_eq!(parse_uuid(&text), Some(uuid).filter(|uuid| *uuid != [0; 16]));
            text[at] = byte;
            if let Some(other) = parse_uuid(&text) {
                let mut back = Vec::new();
                put_uuid(&other, &mut back);
                prop_assert_eq!(back, text);
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
