//! What the ledger counts.

use std::sync::atomic::{AtomicU64, Ordering};

use tlog::TreeSize;

/// What happened since the ledger was opened, and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Entries in the log.
    pub size: TreeSize,
    /// Entries that got a place.
    pub entries: u64,
    /// Bytes of the batches that were committed.
    pub bytes: u64,
    /// Entries that were in the log already.
    pub duplicates: u64,
    /// Entries whose group could not be committed.
    pub failed: u64,
    /// Batches that were refused because the queue was full.
    pub refused: u64,
    /// Groups that were committed, or tried.
    pub groups: u64,
    /// Bytes that wait for the disk.
    pub pending_bytes: usize,
    /// Entries that wait for the disk.
    pub pending_entries: usize,
    /// Bytes of the newest entries that are in memory for followers.
    pub recent_bytes: usize,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) entries: Counter,
    pub(crate) bytes: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) failed: Counter,
    pub(crate) refused: Counter,
    pub(crate) groups: Counter,
}
