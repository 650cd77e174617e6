//! Keeps reading from running ahead of the columns: what waits for them is still in memory then and is not read back from
//! the disk. Reading is several times faster than filling columns, so that it would be far ahead soon.

use std::sync::{Condvar, Mutex, PoisonError};

use ingest::{Deliver, Feeder, Undelivered};
use tlog::LeafIndex;

/// Committed bytes that may wait for the columns while more is read. What is on its way into the log comes on top.
const AHEAD_BYTES_MAX: usize = 4 << 20;

/// What the reading side and the folding side of an import share.
pub(crate) struct Pace {
    log: ledger::Reader,
    folded: Mutex<Folded>,
    moved: Condvar,
}

struct Folded {
    /// The entry that is folded next.
    next: u64,
    is_over: bool,
}

impl Pace {
    /// Of a fold whose next entry is `next`.
    pub(crate) fn new(log: ledger::Reader, next: u64) -> Self {
        Self { log, folded: Mutex::new(Folded { next, is_over: false }), moved: Condvar::new() }
    }

    /// Everything before `next` is folded.
    pub(crate) fn folded(&self, next: u64) {
        self.update(|folded| folded.next = next);
    }

    /// Nothing is folded any more, for good or ill: nobody waits from now on.
    pub(crate) fn over(&self) {
        self.update(|folded| folded.is_over = true);
    }

    fn update(&self, change: impl FnOnce(&mut Folded)) {
        change(&mut self.folded.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    fn wait(&self) {
        let is_ahead = |folded: &mut Folded| {
            !folded.is_over && self.log.recent_bytes_from(LeafIndex::new(folded.next)) > AHEAD_BYTES_MAX
        };
        let folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(folded, is_ahead));
    }
}

/// A feeder that waits for the fold.
pub(crate) struct Paced<'p> {
    pub(crate) feeder: &'p mut Feeder,
    pub(crate) pace: &'p Pace,
}

impl Deliver for Paced<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Undelivered> {
        self.pace.wait();
        self.feeder.push(bytes)
    }

    fn finish(&mut self) -> Result<(), Undelivered> {
        self.feeder.finish()
    }
}
