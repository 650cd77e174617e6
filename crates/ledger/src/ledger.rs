//! The ledger as the rest of the product holds it.

use std::{
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use host::Host;
use parking_lot::Mutex;
use tlog::{Checkpoint, LeafIndex, VerifierKey};

use crate::{
    AppendError, Archive, Batch, Duplicates, OpenError, Options, Outcome, Reader, Recovery, Stats, SubmitError, Ticket,
    log::{Keep, Log, RotateError},
    queue::{Limits, Queue},
    stats::Counters,
    ticket::Receipt,
    view::View,
    writer::Writer,
};

/// A data directory's ledger, ours to write. Dropping it commits what was accepted and signs a last checkpoint.
pub struct Ledger {
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) view: Arc<View>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    recovery: Recovery,
    writer: Option<JoinHandle<()>>,
}

/// Submits batches. Cheap to clone.
#[derive(Clone)]
pub struct Appender {
    queue: Arc<Queue>,
    view: Arc<View>,
    counters: Arc<Counters>,
}

impl Ledger {
    /// Opens the ledger in a data directory, which it makes if need be, repairs what a crash left behind, and starts
    /// the thread that writes.
    pub fn open(host: &Host, directory: &Path, options: Options) -> Result<Self, OpenError> {
        let log = Log::recover(host, directory, options.clone())?;
        let (view, recovery) = (log.view.clone(), log.recovery);
        let log = Arc::new(Mutex::new(log));
        let limits = Limits { bytes: options.pending_bytes_max, entries: options.pending_entries_max };
        let queue = Arc::new(Queue::new(limits));
        let counters = Arc::new(Counters::default());
        let writer = Writer { log: log.clone(), queue: queue.clone(), counters: counters.clone(), options };
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(OpenError::Disk)?;
        Ok(Self { log, view, queue, counters, recovery, writer: Some(writer) })
    }

    /// What opening found and repaired.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The side that submits.
    pub fn appender(&self) -> Appender {
        Appender { queue: self.queue.clone(), view: self.view.clone(), counters: self.counters.clone() }
    }

    /// The side that reads.
    pub fn reader(&self) -> Reader {
        Reader::of_writer(self.view.clone())
    }

    /// Gives all readers the place where released entries are read.
    pub fn set_archive(&self, archive: Arc<dyn Archive>) {
        self.view.set_archive(archive);
    }

    /// All public keys of the log, oldest first; the last one signs now.
    pub fn verifier_keys(&self) -> Vec<VerifierKey> {
        self.log.lock().keys.verifiers.clone()
    }

    /// Makes a new signing key and signs a checkpoint with both the new and the old one. Returns the new public key.
    pub fn rotate_key(&self) -> Result<VerifierKey, RotateError> {
        let mut log = self.log.lock();
        log.rotate_key()?;
        Ok(log.keys.signing.verifier().clone())
    }

    /// Signs a checkpoint now; `None` when the newest one covers all entries already. Without being asked the ledger
    /// does this every second while entries come.
    pub fn publish(&self) -> Result<Option<Checkpoint>, AppendError> {
        self.log.lock().publish(Keep::InHistory)
    }

    /// Deletes the frame files whose entries all stand below a place. The caller has made sure that the archive holds
    /// the exact bytes of every one of them, durably. Returns the first entry that is still in frames.
    ///
    /// When that is every entry, a new frame file is begun so that the last one can go too.
    pub fn release(&self, below: LeafIndex) -> Result<LeafIndex, AppendError> {
        let mut log = self.log.lock();
        if below.get() >= self.view.size() && log.has_live_entries() {
            log.roll()?;
        }
        let path = self.view.layout.frames();
        let failed = |cause| AppendError::Disk { path: path.clone(), cause: Arc::new(cause) };
        let released = self.view.take_segments_below(below.get());
        if released.is_empty() {
            return Ok(LeafIndex::new(self.view.frames_start()));
        }
        log.keep_digests().map_err(failed)?;
        for segment in released {
            // A file that stays behind is found again when the ledger is opened, and released then.
            self.view.host.disk.remove(&segment.path).map_err(failed)?;
        }
        self.view.host.disk.sync_dir(&path).map_err(failed)?;
        Ok(LeafIndex::new(self.view.frames_start()))
    }

    /// What was counted since the ledger was opened.
    pub fn stats(&self) -> Stats {
        let (pending_bytes, pending_entries) = self.queue.load();
        Stats {
            size: self.reader().size(),
            entries: self.counters.entries.get(),
            bytes: self.counters.bytes.get(),
            duplicates: self.counters.duplicates.get(),
            failed: self.counters.failed.get(),
            refused: self.counters.refused.get(),
            groups: self.counters.groups.get(),
            pending_bytes,
            pending_entries,
            recent_bytes: self.view.recent.bytes_from(0),
        }
    }

    /// Accepts nothing any more, commits what was accepted, signs a last checkpoint. Dropping does the same and keeps
    /// quiet about errors.
    pub fn close(mut self) -> Result<(), AppendError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), AppendError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.queue.stop();
        let joined = writer.join();
        self.view.close();
        if joined.is_err() {
            return Err(AppendError::Stopped);
        }
        self.log.lock().close()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.shut_down();
    }
}

impl Appender {
    /// An empty batch, with the memory of an old one where there is one: fresh memory costs the kernel as much time as
    /// laying out the entries costs us.
    pub fn blank_batch(&self, duplicates: Duplicates) -> Batch {
        let spare = self.view.recent.take_spare();
        spare.map_or_else(|| Batch::new(duplicates), |batch| batch.blank(duplicates))
    }

    /// Hands over a batch; the ticket says when it is durable.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, SubmitError> {
        let (ticket, receipt) = Ticket::new();
        self.push(batch, receipt, None)?;
        Ok(ticket)
    }

    /// Like [`Appender::submit`], but waits for room in the queue at most this long.
    pub fn submit_within(&self, batch: Batch, timeout: Duration) -> Result<Ticket, SubmitError> {
        let (ticket, receipt) = Ticket::new();
        self.push(batch, receipt, Some(Instant::now() + timeout))?;
        Ok(ticket)
    }

    /// Hands over a batch and calls back, on the writer's thread, when it is durable or failed. The call must be short
    /// and must not block. It is made exactly when this returns `Ok`.
    pub fn submit_with(&self, batch: Batch, done: impl FnOnce(Outcome) + Send + 'static) -> Result<(), SubmitError> {
        self.push(batch, Receipt::calling(done), None)
    }

    fn push(&self, batch: Batch, receipt: Receipt, deadline: Option<Instant>) -> Result<(), SubmitError> {
        self.queue.push(batch, receipt, deadline).map_err(|(error, receipt)| {
            receipt.discard();
            if matches!(error, SubmitError::Full { .. }) {
                self.counters.refused.add(1);
            }
            error
        })
    }
}
