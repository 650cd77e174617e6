//! Makes a large log of a small real one: copies with fresh identifiers and shifted times, in time order.
//!
//! Fresh in every copy: UUIDs, resource versions, the random suffixes of Pod names, digests and
//! container ids, and all times (shifted by the length of the log times the number of the copy).
//! One value becomes the same other value everywhere inside a copy, so whatever ties events together
//! still does. The result depends on the source, the number of copies and the seed alone.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use regex::bytes::Regex;

/// Letters that Kubernetes uses in generated names: no vowels, nothing that reads like another.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What is added to every resource version per copy: more than any that one copy holds.
const VERSIONS_PER_COPY: u64 = 1_000_000;

/// One stretch of a line, in terms of what a copy does with it.
enum Piece {
    Text(Range<usize>),
    /// Index into the fresh values of a copy.
    Fresh(usize),
    Version(u64),
    Time {
        at: Timestamp,
        fraction: bool,
    },
}

/// Shape of a value that every copy replaces.
enum Kind {
    Uuid,
    NameSuffix { hash: usize },
    Digest { prefix: Vec<u8> },
}

/// A log taken apart once, so that each copy is only written.
pub(crate) struct Template {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    kinds: Vec<Kind>,
    span: SignedDuration,
    /// Number of lines in one copy.
    pub(crate) lines: u64,
}

impl Template {
    /// Finds everything that copies replace in `text`, a log of one JSON event per line.
    ///
    /// Fails if the first or last line has no `stageTimestamp`.
    pub(crate) fn parse(text: Vec<u8>) -> Result<Self> {
        let finder = Finder::new();
        let mut interned = HashMap::new();
        let mut kinds = Vec::new();
        let mut pieces = Vec::new();
        let mut end = 0;
        for found in finder.matches(&text) {
            if found.range.start < end {
                continue; // inside an earlier match
            }
            pieces.push(Piece::Text(end..found.range.start));
            end = found.range.end;
            pieces.push(match found.what {
                What::Version(number) => Piece::Version(number),
                What::Time { at, fraction } => Piece::Time { at, fraction },
                What::Fresh(kind) => {
                    let value = &text[found.range];
                    let next = kinds.len();
                    let index = *interned.entry(value.to_vec()).or_insert(next);
                    if index == next {
                        kinds.push(kind);
                    }
                    Piece::Fresh(index)
                }
            });
        }
        pieces.push(Piece::Text(end..text.len()));
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
        let span = span(&text)?;
        Ok(Self { text, pieces, kinds, span, lines })
    }

    /// Writes copy number `copy`, counted from zero.
    pub(crate) fn write_copy(&self, copy: u32, seed: u64, out: &mut impl Write) -> Result<()> {
        let mut random = SplitMix(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(copy)));
        let fresh: Vec<Vec<u8>> = self.kinds.iter().map(|kind| kind.draw(&mut random)).collect();
        let shift = self.span * i32::try_from(copy)?;
        let mut digits = Digits::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(range) => out.write_all(&self.text[range.clone()])?,
                Piece::Fresh(index) => out.write_all(&fresh[*index])?,
                Piece::Version(number) => write!(out, "{}", number + u64::from(copy) * VERSIONS_PER_COPY)?,
                Piece::Time { at, fraction } => out.write_all(digits.format(*at + shift, *fraction))?,
            }
        }
        Ok(())
    }
}

impl Kind {
    fn draw(&self, random: &mut SplitMix) -> Vec<u8> {
        match self {
            Self::Uuid => {
                let (high, low) = (random.next(), random.next());
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xfff,
                    low >> 48 & 0xfff,
                    low & 0xffff_ffff_ffff
                )
                .into_bytes()
            }
            Self::NameSuffix { hash } => {
                let mut letters = |count| (0..count).map(|_| random.letter()).collect::<Vec<u8>>();
                [b"-".to_vec(), letters(*hash), b"-".to_vec(), letters(5)].concat()
            }
            Self::Digest { prefix } => {
                let mut value = prefix.clone();
                for _ in 0..4 {
                    value.extend(format!("{:016x}", random.next()).bytes());
                }
                value
            }
        }
    }
}

enum What {
    Fresh(Kind),
    Version(u64),
    Time { at: Timestamp, fraction: bool },
}

struct Found {
    range: Range<usize>,
    what: What,
}

/// The patterns, in the order in which they win where two could match.
struct Finder {
    uuid: Regex,
    suffix: Regex,
    version: Regex,
    digest: Regex,
    time: Regex,
}

impl Finder {
    fn new() -> Self {
        let compile = |pattern: &str| Regex::new(pattern).expect("a pattern of this file compiles");
        Self {
            uuid: compile(r"(?-u)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            suffix: compile(r"(?-u)-([bcdfghjklmnpqrstvwxz2456789]{8,10})-[bcdfghjklmnpqrstvwxz2456789]{5}\b"),
            version: compile(r#"(?-u)resourceVersion(?:\\u003d|=|"\s*:\s*"|%3D)([0-9]{1,18})"#),
            digest: compile(r"(?-u)(sha256:|containerd://)[0-9a-f]{64}"),
            time: compile(r"(?-u)20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z"),
        }
    }

    /// Everything found, by place and at one place by rank.
    fn matches(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut fresh = |range: Range<usize>, kind| found.push(Found { range, what: What::Fresh(kind) });
        for hit in self.uuid.find_iter(text) {
            fresh(hit.range(), Kind::Uuid);
        }
        for hit in self.suffix.captures_iter(text) {
            fresh(hit.get_match().range(), Kind::NameSuffix { hash: hit[1].len() });
        }
        for hit in self.digest.captures_iter(text) {
            fresh(hit.get_match().range(), Kind::Digest { prefix: hit[1].to_vec() });
        }
        for hit in self.version.captures_iter(text) {
            let digits = hit.get(1).expect("the group is not optional");
            let number = ascii(digits.as_bytes()).parse().expect("at most 18 digits");
            found.push(Found { range: digits.range(), what: What::Version(number) });
        }
        for hit in self.time.captures_iter(text) {
            // What only looks like a time (month 13) stays as it is.
            if let Ok(at) = ascii(&hit[0]).parse() {
                let fraction = hit.get(1).is_some();
                found.push(Found { range: hit.get_match().range(), what: What::Time { at, fraction } });
            }
        }
        found.sort_by_key(|found| found.range.start);
        found
    }
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the patterns match ASCII alone")
}

/// Time from the first event to the last.
fn span(text: &[u8]) -> Result<SignedDuration> {
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().context("the log is empty")?;
    let last = lines.next_back().unwrap_or(first);
    Ok(stage_time(last)?.duration_since(stage_time(first)?))
}

fn stage_time(line: &[u8]) -> Result<Timestamp> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        stage_timestamp: Timestamp,
    }
    let event: Event = serde_json::from_slice(line).context("first or last line of the log")?;
    Ok(event.stage_timestamp)
}

/// Sebastiano Vigna's SplitMix64: small, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn letter(&mut self) -> u8 {
        NAME_LETTERS[(self.next() % NAME_LETTERS.len() as u64) as usize]
    }
}

/// Reused space for one time in RFC 3339.
#[derive(Default)]
struct Digits(Vec<u8>);

impl Digits {
    fn format(&mut self, at: Timestamp, fraction: bool) -> &[u8] {
        let date = TimeZone::UTC.to_datetime(at);
        let (year, month, day) = (date.year(), date.month(), date.day());
        let (hour, minute, second) = (date.hour(), date.minute(), date.second());
        self.0.clear();
        let written = write!(self.0, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        written.expect("memory takes every write");
        if fraction {
            write!(self.0, ".{:06}", date.subsec_nanosecond() / 1_000).expect("memory takes every write");
        }
        self.0.push(b'Z');
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = concat!(
        r#"{"auditID":"4eb165b9-5465-40f2-8120-57f6a75e147e","requestURI":"/api?resourceVersion=15&x=1","stageTimestamp":"2026-11-21T23:25:00.000001Z"}"#,
        "\n",
        r#"{"auditID":"4eb165b9-5465-40f2-8120-57f6a75e147e","name":"web-7d4b9c6f5d-x2k9z","creationTimestamp":"2026-11-21T23:25:00Z","stageTimestamp":"2026-11-21T23:26:00.000001Z"}"#,
        "\n",
    );

    fn copy(number: u32) -> String {
        let mut out = Vec::new();
        Template::parse(LOG.into()).unwrap().write_copy(number, 1, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_move_by_the_span_and_keep_their_shape() {
        let second = copy(2);
        assert!(second.contains(r#""stageTimestamp":"2026-11-21T23:27:00.000001Z""#), "{second}");
        assert!(second.contains(r#""creationTimestamp":"2026-11-21T23:27:00Z""#), "{second}");
        assert!(copy(0).contains(r#""stageTimestamp":"2026-11-21T23:25:00.000001Z""#));
    }

    #[test]
    fn one_value_becomes_one_other_value() {
        let text = copy(1);
        let ids: Vec<&str> = text.lines().map(|line| &line[12..48]).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], "4eb165b9-5465-40f2-8120-57f6a75e147e");
        assert_ne!(copy(2)[12..48], text[12..48]);
        assert!(text.contains("resourceVersion=1000015&x=1"), "{text}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(copy(3), copy(3));
        assert_eq!(copy(3).len(), copy(4).len());
    }
}
