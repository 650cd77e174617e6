//! The store's fold: follows the log, keeps columns, and lets the log drop what the store holds exactly.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use host::Host;
use ingest::StopFlag;
use ledger::Ledger;
use store::{Arrival, Retention, Store, StoreError};
use tlog::{LeafIndex, TreeSize};

/// Entries taken in one step; a query waits at most for one of them.
const STEP_ENTRIES: u64 = 4_096;
/// Longest wait for the log in one step: the time in which a stop is noticed.
const WAIT: Duration = Duration::from_millis(200);
/// Time between two looks at what retention lets go.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// Pause after a failure. The log keeps everything meanwhile.
const FAILED_PAUSE: Duration = Duration::from_secs(5);

/// The store and the log that it follows.
pub(crate) struct StoreFold {
    store: Store,
    ledger: Arc<Ledger>,
    log: ledger::Reader,
    host: Host,
    released: u64,
    retention: Retention,
    /// When retention was looked at, on the clock that never goes back.
    retained: Option<Duration>,
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
        ledger.set_archive(Arc::new(store.reader()));
        let log = ledger.reader();
        let released = log.frames_start().get();
        Ok(Self { store, ledger, log, host: host.clone(), released, retention: Retention::default(), retained: None })
    }

    /// Lets go what these limits do not keep, while following.
    pub(crate) fn retaining(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Asks the store.
    pub(crate) fn reader(&self) -> store::Reader {
        self.store.reader()
    }

    /// Place of the entry that is wanted next.
    pub(crate) fn next(&self) -> u64 {
        self.store.next()
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
                if let Err(error) = self.poll(WAIT).and_then(|taken| self.tend(taken)) {
                    tracing::error!("the store cannot follow the log; trying again: {error:#}");
                    std::thread::sleep(FAILED_PAUSE);
                }
            }
            if let Err(error) = self.finish() {
                tracing::error!("the store is not complete; it is completed at the next start: {error:#}");
            }
        })
    }

    /// What is done when nothing new came: small files are put together, and what is too old goes.
    fn tend(&mut self, taken: u64) -> anyhow::Result<()> {
        if taken > 0 || self.store.compact()? {
            return Ok(());
        }
        let now = self.host.clock.monotonic();
        if self.retained.is_some_and(|at| now.saturating_sub(at) < RETENTION_INTERVAL) {
            return Ok(());
        }
        self.retained = Some(now);
        self.retain()
    }

    /// Takes out what retention lets go. The log first notes, signed, which entries go and keeps their hashes, so that
    /// everything that stays can still be proved.
    fn retain(&mut self) -> anyhow::Result<()> {
        let removal = self.store.plan_removal(&self.retention, self.host.clock.now().0)?;
        let in_frames = self.log.frames_start().get();
        match removal.ranges.last() {
            None => return Ok(()),
            Some(last) if last.end > in_frames => return Ok(()), // the log has not dropped them yet
            Some(_) => {}
        }
        let ranges: Vec<_> =
            removal.ranges.iter().map(|range| LeafIndex::new(range.start)..LeafIndex::new(range.end)).collect();
        self.ledger.erase(&ranges, "retention")?;
        self.store.remove(&removal)?;
        let entries: u64 = removal.ranges.iter().map(|range| range.end - range.start).sum();
        tracing::info!(entries, "retention let entries go");
        Ok(())
    }

    fn take(&mut self, range: Range<u64>) -> anyhow::Result<()> {
        let mut failed: Option<StoreError> = None;
        let (store, range) = (&mut self.store, LeafIndex::new(range.start)..LeafIndex::new(range.end));
        self.log.read(range, |entry| match store.append([Arrival::from(entry)]) {
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

#[cfg(test)]
mod tests {
    use audit::Format;
    use ledger::{Batch, Duplicates, Options};
    use store::Limits;

    use super::*;

    #[test]
    fn what_retention_lets_go_is_gone_and_the_rest_can_still_be_proved() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::system();
        let options = Options { free_bytes_min: 0, ..Options::default() };
        let ledger = Arc::new(Ledger::open(&host, directory.path(), options).unwrap());
        let mut batch = Batch::new(Duplicates::Recognise);
        for number in 0..10 {
            let cluster = if number % 2 == 0 { "kept" } else { "let-go" };
            batch.push(Format::Audit.code(), host.clock.now().0, cluster, &testkit::event(number)).unwrap();
        }
        ledger.appender().submit(batch).unwrap().wait().unwrap();
        let limits = Limits { age_max: Some(0), bytes_max: None };
        let retention = Retention { clusters: [("let-go".to_owned(), limits)].into(), ..Retention::default() };
        let fold = StoreFold::open(&host, directory.path(), store::Options::default(), ledger.clone()).unwrap();
        let mut fold = fold.retaining(retention);
        fold.finish().unwrap();
        std::thread::sleep(Duration::from_millis(2));
        fold.retain().unwrap();

        assert_eq!(fold.reader().snapshot().rows(), 5);
        let log = ledger.reader();
        assert_eq!(log.get(LeafIndex::new(4)).unwrap().payload, testkit::event(4));
        assert!(log.get(LeafIndex::new(5)).is_err());
        let size = log.size();
        let prover = log.prover();
        for index in (0..10).map(LeafIndex::new) {
            let proof = prover.inclusion(index, size).unwrap();
            let (leaf, root) = (prover.leaf(index).unwrap(), prover.root(size).unwrap());
            tlog::verify_inclusion(&proof, leaf, index, size, root).unwrap();
        }
    }
}
