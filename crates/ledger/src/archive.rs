//! Entries whose frames have been released.

use std::ops::{ControlFlow, Range};

use tlog::LeafIndex;

use crate::EntryView;

/// Shows entries one by one until told to stop.
pub type Visitor<'v> = dyn FnMut(EntryView<'_>) -> ControlFlow<()> + 'v;

/// Why an archive does not give an entry that it should have.
#[derive(Debug, thiserror::Error)]
#[error("the archive cannot give entry {index}")]
pub struct ArchiveError {
    /// The first entry that cannot be given.
    pub index: LeafIndex,
    /// Why.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Keeps the exact bytes of entries that the ledger has released.
///
/// An implementation MUST show the entries of the range that it holds in ascending order, each exactly as it
/// was appended; it MUST leave out those that it does not hold (never appended here, or erased), and MUST
/// return at once when the visitor breaks.
pub trait Archive: Send + Sync {
    /// Shows the entries of a range.
    fn entries(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError>;
}
