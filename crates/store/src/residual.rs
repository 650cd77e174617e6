//! The residual: an entry's text with the values of columns cut out, and the way back.
//!
//! A cut is two bytes: how the value is written, and the number of its column plus [`COLUMN_BASE`].
//! Texts of which one of the two marks would be left are not cut at all.

use audit::Micros;

use crate::column::{Column, Kind};
use crate::interner::same;
use crate::spelling::{escape, put_integer, put_time, put_uuid};
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

/// What texts of one build have in common: the columns that are cut out, in which order, and how much stands between them.
/// Nothing if values overlap. Sorts the cuts.
#[inline]
pub(crate) fn shape(text: &[u8], cuts: &mut [Cut]) -> Option<u64> {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    // Fields mostly come in the order in which they are looked at.
    if !cuts.is_sorted_by_key(|cut| cut.start) {
        cuts.sort_by_key(|cut| cut.start);
    }
    let (mut shape, mut at) = (0u64, 0);
    for cut in cuts {
        if cut.start < at || cut.end > text.len() {
            return None;
        }
        let piece = ((cut.start - at) as u64) << 16 | u64::from(cut.mark) << 8 | cut.column as u64;
        shape = (shape.rotate_left(23) ^ piece).wrapping_mul(MIX);
        at = cut.end;
    }
    shape = (shape.rotate_left(23) ^ (text.len() - at) as u64).wrapping_mul(MIX);
    Some(shape ^ shape >> 32)
}

/// Whether `residual` is what [`cut`] leaves of `text`. The cuts are those of a [`shape`].
#[inline]
pub(crate) fn is_left_of(text: &[u8], cuts: &[Cut], residual: &[u8]) -> bool {
    let (mut at, mut rest) = (0, residual);
    for cut in cuts {
        let Some((between, after)) = rest.split_at_checked(cut.start - at) else { return false };
        let Some(([mark, column], after)) = after.split_first_chunk() else { return false };
        if *mark != cut.mark || *column != cut.column as u8 + COLUMN_BASE || !same(between, &text[at..cut.start]) {
            return false;
        }
        (at, rest) = (cut.end, after);
    }
    same(rest, &text[at..])
}

/// Writes `text` without the values of `cuts`, which are those of a [`shape`]. `false` if something like a mark is left,
/// which would be ambiguous.
pub(crate) fn cut(text: &[u8], cuts: &[Cut], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut at = 0;
    for cut in cuts {
        out.extend_from_slice(&text[at..cut.start]);
        out.extend_from_slice(&[cut.mark, cut.column as u8 + COLUMN_BASE]);
        at = cut.end;
    }
    out.extend_from_slice(&text[at..]);
    memchr::memchr2_iter(VERBATIM, ESCAPED, out).count() == cuts.len()
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

/// Writes a value of `row` as it stands in the text.
pub(crate) fn put_value(mark: u8, column: Column, row: &impl Row, out: &mut impl Sink) {
    match (column, column.kind()) {
        (Column::Time | Column::LatencyUs, _) => put_time(time_of(column, row), out),
        (_, Kind::Integer | Kind::Time) => put_integer(row.integer(column), out),
        (_, Kind::Uuid) => put_uuid(&row.uuid(), out),
        _ if mark == ESCAPED => escape(row.bytes(column), out),
        _ => out.put(row.bytes(column)),
    }
}

/// The time that a residual's mark stands for: the request's time is the event's less its latency.
#[inline]
pub(crate) fn time_of(column: Column, row: &impl Row) -> Micros {
    match row.integer(Column::LatencyUs) {
        latency if column == Column::LatencyUs && latency != NO_INTEGER => {
            row.integer(Column::Time).wrapping_sub(latency)
        }
        _ => row.integer(Column::Time),
    }
}
