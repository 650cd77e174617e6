//! The ledger's older entries, from the store: columns put back into residuals give the exact bytes.

use std::ops::{ControlFlow, Range};

use ledger::{Archive, ArchiveError, EntryView, Visitor};
use tlog::LeafIndex;

use crate::entry::{Arrival, Entry};
use crate::snapshot::Snapshot;
use crate::store::Reader;

impl<'a> From<EntryView<'a>> for Arrival<'a> {
    fn from(view: EntryView<'a>) -> Self {
        Self { entry: view.into(), outline: view.note }
    }
}

impl<'a> From<EntryView<'a>> for Entry<'a> {
    fn from(view: EntryView<'a>) -> Self {
        Self {
            index: view.index.get(),
            format: view.format,
            received: view.received,
            cluster: view.cluster,
            payload: view.payload,
        }
    }
}

impl Archive for Reader {
    fn entries(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
        self.snapshot().entries_of(range, visit)
    }
}

impl Archive for Snapshot {
    fn entries(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
        self.entries_of(range, visit)
    }
}

impl Snapshot {
    fn entries_of(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
        let mut next = range.start;
        let shown = self.try_entries(range.start.get()..range.end.get(), |entry| {
            next = LeafIndex::new(entry.index + 1);
            visit(EntryView {
                index: LeafIndex::new(entry.index),
                format: entry.format,
                received: entry.received,
                cluster: entry.cluster,
                payload: entry.payload,
                note: &[],
            })
        });
        match shown {
            Ok(ControlFlow::Continue(()) | ControlFlow::Break(())) => Ok(()),
            Err(cause) => Err(ArchiveError { index: next, cause: Box::new(cause) }),
        }
    }
}
