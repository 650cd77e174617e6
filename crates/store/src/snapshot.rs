//! A snapshot: one manifest's segments and the head's rows, as they were at one moment.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use audit::{Format, Micros};

use crate::block::Block;
use crate::column::Column;
use crate::entry::Entry;
use crate::manifest::SegmentInfo;
use crate::part::Part;
use crate::residual::{self, Row};
use crate::segment::Segment;
use crate::store::StoreError;

/// A segment that is open, with what the manifest says of it.
pub(crate) struct OpenSegment {
    pub(crate) info: SegmentInfo,
    pub(crate) segment: Segment,
}

/// What a query answers from. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    segments: Vec<Arc<OpenSegment>>,
    blocks: Vec<Arc<Block>>,
    next: u64,
}

impl Snapshot {
    pub(crate) fn new(segments: Vec<Arc<OpenSegment>>, blocks: Vec<Arc<Block>>, next: u64) -> Self {
        Self { segments, blocks, next }
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        let sealed: u64 = self.segments.iter().map(|segment| segment.info.rows).sum();
        sealed + self.blocks.iter().map(|block| block.rows() as u64).sum::<u64>()
    }

    /// Place of the first entry that is not in this snapshot.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Place from which on entries must be read so that none with an event time of `time` or later is missed.
    pub fn place_of(&self, time: Micros) -> u64 {
        let late = self.segments.iter().find(|segment| segment.info.until() >= time);
        match (late, self.segments.last()) {
            (Some(segment), _) => segment.info.first,
            (None, Some(last)) => last.info.last + 1,
            (None, None) => 0,
        }
    }

    pub(crate) fn set_next(&mut self, next: u64) {
        self.next = next;
    }

    pub(crate) fn with_blocks(self, blocks: Vec<Arc<Block>>) -> Self {
        Self { blocks, ..self }
    }

    pub(crate) fn segments(&self) -> &[Arc<OpenSegment>] {
        &self.segments
    }

    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// Bytes of each column in the segments' files.
    pub fn bytes_by_column(&self) -> Vec<(&'static str, u64)> {
        let groups = || self.segments.iter().flat_map(|segment| segment.segment.groups());
        let bytes = |column| groups().map(|group| group.chunk(column).bytes()).sum();
        let mut columns: Vec<_> = Column::all().map(|column| (column.name(), bytes(column))).collect();
        let files: u64 = self.segments.iter().map(|segment| segment.info.bytes).sum();
        let values: u64 = columns.iter().map(|(_, bytes)| bytes).sum();
        columns.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        columns.push(("footers and filters", files.saturating_sub(values)));
        columns.push(("files", files));
        columns
    }

    /// Calls `each` with every entry whose place is in `range`, in ledger order, with its exact bytes.
    pub fn entries(&self, range: Range<u64>, mut each: impl FnMut(Entry<'_>)) -> Result<(), StoreError> {
        let go_on = |entry: Entry<'_>| {
            each(entry);
            ControlFlow::Continue(())
        };
        self.try_entries(range, go_on).map(drop)
    }

    /// The same until `each` breaks off.
    pub fn try_entries(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(Entry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        for part in self.parts() {
            let block = match part {
                Part::Sealed(group) if !group.may_hold(&range) => continue,
                Part::Sealed(group) => Cow::Owned(group.load()?),
                Part::Head(block) => Cow::Borrowed(block),
            };
            if each_entry(&block, &range, &mut each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn each_entry(
    block: &Block,
    range: &Range<u64>,
    each: &mut impl FnMut(Entry<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let places = block.integers(Column::Index);
    let mut rows: Vec<usize> = (0..block.rows()).filter(|row| range.contains(&(places[*row] as u64))).collect();
    rows.sort_unstable_by_key(|row| places[*row]);
    let mut payload = Vec::new();
    for row in rows {
        let row = block.row(row);
        payload.clear();
        rebuild(&row, &mut payload);
        each(Entry {
            index: row.integer(Column::Index) as u64,
            format: format_of(row.bytes(Column::Format)),
            received: row.integer(Column::Received),
            cluster: std::str::from_utf8(row.bytes(Column::Cluster)).unwrap_or_default(),
            payload: &payload,
        })?;
    }
    ControlFlow::Continue(())
}

/// The code of a format by what the column says: a name, or the code itself if it has no name here.
pub(crate) fn format_of(text: &[u8]) -> u8 {
    let known = Format::ALL.into_iter().find(|format| format.name().as_bytes() == text).map(Format::code);
    let number = || std::str::from_utf8(text).ok()?.parse().ok();
    known.or_else(number).unwrap_or(Format::Quarantine.code())
}

/// What the column says of a code; the way back from [`format_of`].
pub(crate) fn format_text(code: u8) -> Cow<'static, str> {
    Format::from_code(code).map_or_else(|| code.to_string().into(), |format| format.name().into())
}

/// The exact bytes of a row's entry.
pub(crate) fn rebuild(row: &impl Row, out: &mut Vec<u8>) {
    match row.bytes(Column::Residual) {
        [] => out.extend_from_slice(row.bytes(Column::Raw)),
        residual => residual::join(residual, row, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back() {
        for code in 0..=u8::MAX {
            assert_eq!(format_of(format_text(code).as_bytes()), code);
        }
    }
}
