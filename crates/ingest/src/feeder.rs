//! Feeds the ledger from a thread that may wait: the tail and the import. A full queue is waited for, never skipped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use host::Clock;
use ledger::{Appender, Batch, Ticket};

use crate::intake::{Deliver, Intake, Origin, Tally, Undelivered};
use crate::metrics::IngestMetrics;

/// Bytes submitted and not yet committed; beyond this the oldest batch is waited for.
const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;
/// Longest wait for room in the ledger's queue. It empties in milliseconds, or the disk is broken.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(60);

/// Tells feeders to stop.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Every feeder with this flag returns [`Undelivered::Stopped`] from now on.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One input after another into the ledger, in order, acknowledged by [`Deliver::finish`].
pub struct Feeder {
    appender: Appender,
    clock: Arc<dyn Clock>,
    metrics: IngestMetrics,
    stop: StopFlag,
    intake: Intake,
    /// The part of the intake's tally that is in the metrics already.
    counted: Tally,
    waiting: VecDeque<(Ticket, usize)>,
    in_flight: usize,
    duplicates: u64,
}

impl Feeder {
    /// A feeder for inputs of one origin.
    pub fn new(
        appender: Appender,
        origin: Origin,
        clock: Arc<dyn Clock>,
        metrics: IngestMetrics,
        stop: StopFlag,
    ) -> Self {
        let intake = Intake::new(origin, clock.now().0);
        let counted = Tally::default();
        Self { appender, clock, metrics, stop, intake, counted, waiting: VecDeque::new(), in_flight: 0, duplicates: 0 }
    }

    /// What was taken in, and how many of the committed entries were in the log already.
    pub fn tally(&self) -> (Tally, u64) {
        (self.intake.tally(), self.duplicates)
    }

    fn submit(&mut self, batch: Batch) -> Result<(), Undelivered> {
        let bytes = batch.bytes();
        while self.in_flight + bytes > IN_FLIGHT_BYTES_MAX && !self.waiting.is_empty() {
            self.wait_for_oldest()?;
        }
        self.waiting.push_back((self.appender.submit_within(batch, QUEUE_WAIT_MAX)?, bytes));
        self.in_flight += bytes;
        Ok(())
    }

    fn wait_for_oldest(&mut self) -> Result<(), Undelivered> {
        let Some((ticket, bytes)) = self.waiting.pop_front() else { return Ok(()) };
        self.in_flight -= bytes;
        let commit = ticket.wait()?;
        self.duplicates += commit.duplicates() as u64;
        Ok(())
    }

    /// Commits every item that is complete; one that is not waits for the rest of the input.
    pub fn settle(&mut self) -> Result<(), Undelivered> {
        let before = self.duplicates;
        self.commit_all().inspect_err(|_| self.abandon())?;
        let tally = self.intake.tally();
        self.metrics.committed(self.intake.cluster(), tally - self.counted, self.duplicates - before);
        self.counted = tally;
        Ok(())
    }

    /// Bytes of the item that is not complete yet.
    pub fn unfinished(&self) -> usize {
        self.intake.unfinished()
    }

    fn commit_all(&mut self) -> Result<(), Undelivered> {
        if let Some(batch) = self.intake.last_batch() {
            self.submit(batch)?;
        }
        while !self.waiting.is_empty() {
            self.wait_for_oldest()?;
        }
        Ok(())
    }

    /// After a failure: what was submitted is settled one way or the other, and the input will be read again.
    fn abandon(&mut self) {
        self.waiting.clear();
        self.in_flight = 0;
        self.intake.forget();
    }
}

impl Deliver for Feeder {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Undelivered> {
        if self.stop.is_raised() {
            return Err(Undelivered::Stopped);
        }
        self.intake.set_received(self.clock.now().0);
        self.intake.push(bytes);
        match self.intake.full_batch(|duplicates| self.appender.blank_batch(duplicates)) {
            Some(batch) => self.submit(batch).inspect_err(|_| self.abandon()),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Undelivered> {
        self.intake.end();
        self.settle()
    }
}
