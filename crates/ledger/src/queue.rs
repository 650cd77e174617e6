//! The queue before the writer: bounded by bytes and by entries. Full means refused, never dropped (SYS-1).

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{Batch, ticket::Receipt};

/// Why a batch was not accepted. Nothing of it will be in the log.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum SubmitError {
    /// The writer is behind. Try again later: for a webhook that is 503 with `Retry-After`.
    #[error("the ledger's queue is full: {bytes} bytes in {entries} entries wait for the disk")]
    Full {
        /// Bytes that wait.
        bytes: usize,
        /// Entries that wait.
        entries: usize,
    },
    /// The ledger is shut down, or failed and must be opened again.
    #[error("the ledger is shut down")]
    Stopped,
}

pub(crate) struct Submission {
    pub(crate) batch: Arc<Batch>,
    pub(crate) receipt: Receipt,
}

/// How much may wait.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) entries: usize,
}

pub(crate) struct Queue {
    limits: Limits,
    state: Mutex<QueueState>,
    /// Told when there is something for the writer.
    filled: Condvar,
    /// Told when there is room again.
    drained: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Submission>,
    /// Accepted and not settled, in the queue or with the writer.
    bytes: usize,
    entries: usize,
    is_stopped: bool,
}

/// What the writer finds.
pub(crate) enum Found {
    Group(Vec<Submission>),
    /// Nothing within the time.
    Nothing,
    /// Nothing, and nothing will come.
    Stopped,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() }
    }

    /// Accepts a batch, waiting for room until the deadline.
    pub(crate) fn push(
        &self,
        batch: Batch,
        receipt: Receipt,
        deadline: Option<Instant>,
    ) -> Result<(), (SubmitError, Receipt)> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped {
                return Err((SubmitError::Stopped, receipt));
            }
            if self.has_room(&state, &batch) {
                break;
            }
            let in_time = deadline.is_some_and(|deadline| !self.drained.wait_until(&mut state, deadline).timed_out());
            if !in_time {
                let full = SubmitError::Full { bytes: state.bytes, entries: state.entries };
                return Err((full, receipt));
            }
        }
        state.bytes += batch.bytes();
        state.entries += batch.len();
        state.waiting.push_back(Submission { batch: Arc::new(batch), receipt });
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes the next group, of at most `bytes` unless the first batch alone is larger. A group that begins before
    /// `not_before` waits until then for company.
    pub(crate) fn take(&self, bytes: usize, not_before: Instant, timeout: Duration) -> Found {
        let mut state = self.state.lock();
        let is_idle = |state: &mut QueueState| state.waiting.is_empty() && !state.is_stopped;
        self.filled.wait_while_for(&mut state, is_idle, timeout);
        let is_small = |state: &mut QueueState| state.bytes < bytes && !state.is_stopped;
        if !state.waiting.is_empty() {
            let wait = not_before.saturating_duration_since(Instant::now());
            self.filled.wait_while_for(&mut state, is_small, wait);
        }
        let mut group = Vec::new();
        let mut group_bytes = 0;
        while let Some(next) = state.waiting.front() {
            group_bytes += next.batch.bytes();
            if group_bytes > bytes && !group.is_empty() {
                break;
            }
            group.extend(state.waiting.pop_front());
        }
        match (group.is_empty(), state.is_stopped) {
            (false, _) => Found::Group(group),
            (true, false) => Found::Nothing,
            (true, true) => Found::Stopped,
        }
    }

    /// Makes room: batches of this size were settled.
    pub(crate) fn settled(&self, bytes: usize, entries: usize) {
        let mut state = self.state.lock();
        state.bytes -= bytes;
        state.entries -= entries;
        drop(state);
        self.drained.notify_all();
    }

    /// Accepts nothing any more; what was accepted is still committed.
    pub(crate) fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Bytes and entries that wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.bytes, state.entries)
    }

    fn has_room(&self, state: &QueueState, batch: &Batch) -> bool {
        state.entries == 0 && state.bytes == 0
            || state.bytes + batch.bytes() <= self.limits.bytes && state.entries + batch.len() <= self.limits.entries
    }
}
