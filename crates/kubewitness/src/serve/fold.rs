//! The store's fold: follows the log, keeps columns, and lets the log drop what the store holds exactly.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use audit::Format;
use host::Host;
use ingest::StopFlag;
use ledger::{Archive, ArchiveError, EntryView, Ledger, Visitor};
use store::{Entry, Store, StoreError};
use tlog::{LeafIndex, TreeSize};

/// Entries taken in one step; a query waits at most for one of them.
const STEP_ENTRIES: u64 = 4_096;
/// Longest wait for the log in one step: the time in which a stop is noticed.
const WAIT: Duration = Duration::from_millis(200);
/// Pause after a failure. The log keeps everything meanwhile.
const FAILED_PAUSE: Duration = Duration::from_secs(5);

/// The store and the log that it follows.
pub(crate) struct StoreFold {
    store: Store,
    ledger: Arc<Ledger>,
    log: ledger::Reader,
    host: Host,
    released: u64,
}

/// Where the store is inside a data directory.
fn store_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

impl StoreFold {
    /// Opens the store of a data directory and makes it the log's archive.
    pub(crate) fn open(
        host: &Host,
        data_dir: &Path,
        options: store::Options,
        ledger: Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let store = Store::open(host.disk.clone(), &store_directory(data_dir), options)?;
        ledger.set_archive(Arc::new(StoreArchive(store.reader())));
        let log = ledger.reader();
        let released = log.frames_start().get();
        Ok(Self { store, ledger, log, host: host.clone(), released })
    }

    /// Asks the store.
    pub(crate) fn reader(&self) -> store::Reader {
        self.store.reader()
    }

    /// Takes some entries, waiting at most this long for the first. Returns how many were taken.
    pub(crate) fn poll(&mut self, wait: Duration) -> anyhow::Result<u64> {
        let next = self.store.next();
        let size = self.log.wait_for(TreeSize::new(next + 1), wait)?.get();
        let end = size.min(next + STEP_ENTRIES);
        if next < end {
            self.take(next..end)?;
        }
        self.store.seal_if_due(self.host.clock.now().0)?;
        self.release()?;
        Ok(end.saturating_sub(next))
    }

    /// Takes everything that the log holds, and makes it all columns on disk.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        while self.poll(Duration::ZERO)? > 0 {}
        self.store.seal()?;
        self.release()
    }

    /// Follows the log in a thread of its own until `stop` is raised.
    pub(crate) fn spawn(mut self, stop: StopFlag) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            while !stop.is_raised() {
                if let Err(error) = self.poll(WAIT) {
                    tracing::error!("the store cannot follow the log; trying again: {error:#}");
                    std::thread::sleep(FAILED_PAUSE);
                }
            }
            if let Err(error) = self.finish() {
                tracing::error!("the store is not complete; it is completed at the next start: {error:#}");
            }
        })
    }

    fn take(&mut self, range: Range<u64>) -> anyhow::Result<()> {
        let mut failed: Option<StoreError> = None;
        let (store, range) = (&mut self.store, LeafIndex::new(range.start)..LeafIndex::new(range.end));
        self.log.read(range, |entry| match store.append([store_entry(&entry)]) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Lets the log drop what stands in segments, whose exactness was checked row by row when they were written.
    fn release(&mut self) -> anyhow::Result<()> {
        let sealed = self.store.cursor();
        if sealed > self.released {
            self.ledger.release(LeafIndex::new(sealed))?;
            self.released = sealed;
        }
        Ok(())
    }
}

fn store_entry<'a>(entry: &EntryView<'a>) -> Entry<'a> {
    Entry {
        index: entry.index.get(),
        format: Format::from_code(entry.format).unwrap_or(Format::Quarantine),
        received: entry.received,
        cluster: entry.cluster,
        payload: entry.payload,
    }
}

/// Entries that the log dropped, out of the store.
struct StoreArchive(store::Reader);

impl Archive for StoreArchive {
    fn entries(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
        let (start, end) = (range.start.get(), range.end.get());
        let mut flow = ControlFlow::Continue(());
        let found = self.0.snapshot().entries(start..end, |entry| {
            if flow.is_continue() {
                flow = visit(EntryView {
                    index: LeafIndex::new(entry.index),
                    format: entry.format.code(),
                    received: entry.received,
                    cluster: entry.cluster,
                    payload: entry.payload,
                });
            }
        });
        found.map_err(|cause| ArchiveError { index: range.start, cause: Box::new(cause) })
    }
}
