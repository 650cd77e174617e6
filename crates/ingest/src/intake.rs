//! Bytes of any form → batches for the ledger. The webhook, the tail and the import all go through here.

use audit::{End, Format, Splitter};
use ledger::{AppendError, Batch, Duplicates, SubmitError};

use crate::cluster::ClusterName;

/// Entries beyond this much are submitted while the rest of the input is still being read.
pub const BATCH_BYTES: usize = 4 << 20;

/// Where an input comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The cluster that its events belong to.
    pub cluster: ClusterName,
    /// Whether a cloud's record may name another one.
    pub naming: Naming,
}

/// Who names the cluster of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The credential, path or setting alone.
    Fixed,
    /// The record, where it names one; the origin's cluster is used for the others.
    ByRecord,
}

/// Receives bytes in pieces.
pub trait Deliver {
    /// Takes the next piece of an input.
    ///
    /// # Errors
    /// [`Undelivered`]; nothing is lost, since what was not committed will be read again.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Undelivered>;

    /// Ends the input, and returns when all of it is committed.
    ///
    /// # Errors
    /// As [`Deliver::push`].
    fn finish(&mut self) -> Result<(), Undelivered>;
}

/// Why an input, or a part of it, is not in the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Undelivered {
    /// The process is stopping.
    #[error("stopping")]
    Stopped,
    /// The ledger's queue stayed full.
    #[error("the log is too busy")]
    Busy(#[source] SubmitError),
    /// The ledger could not write.
    #[error("the log cannot be written")]
    Log(#[source] AppendError),
}

impl From<SubmitError> for Undelivered {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Full { .. } => Self::Busy(error),
            SubmitError::Stopped => Self::Stopped,
        }
    }
}

impl From<AppendError> for Undelivered {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Stopped => Self::Stopped,
            error => Self::Log(error),
        }
    }
}

/// Splits one input into batches.
pub struct Intake {
    origin: Origin,
    received: i64,
    splitter: Splitter,
    /// The beginning of an item that is not complete yet.
    unfinished: Vec<u8>,
    batch: Batch,
    tally: Tally,
}

/// What was found in an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries, quarantined ones among them.
    pub entries: u64,
    /// Entries that are no audit events.
    pub quarantined: u64,
    /// Bytes of the entries.
    pub bytes: u64,
}

impl std::ops::Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            entries: self.entries - earlier.entries,
            quarantined: self.quarantined - earlier.quarantined,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl Intake {
    /// An input that begins now; `received` is in microseconds since 1970.
    pub fn new(origin: Origin, received: i64) -> Self {
        Self {
            origin,
            received,
            splitter: Splitter::new(),
            unfinished: Vec::new(),
            batch: Batch::new(Duplicates::Recognise),
            tally: Tally::default(),
        }
    }

    /// Takes the next piece. Pieces should be smaller than [`BATCH_BYTES`], and [`Intake::full_batch`] asked after each.
    pub fn push(&mut self, piece: &[u8]) {
        if self.unfinished.is_empty() {
            let consumed = self.split(piece, End::More);
            self.unfinished.extend_from_slice(&piece[consumed..]);
            return;
        }
        self.unfinished.extend_from_slice(piece);
        let text = std::mem::take(&mut self.unfinished);
        let consumed = self.split(&text, End::More);
        self.unfinished = text;
        self.unfinished.drain(..consumed);
    }

    /// Ends the input: an item that is not complete is kept in quarantine. Another input may follow.
    pub fn end(&mut self) {
        let text = std::mem::take(&mut self.unfinished);
        self.split(&text, End::Last);
        self.splitter = Splitter::new();
    }

    /// Forgets what was taken in and not handed out as a batch.
    pub(crate) fn forget(&mut self) {
        self.unfinished.clear();
        self.splitter = Splitter::new();
        self.batch.clear();
    }

    /// The batch, once it is large enough to be submitted by itself. What comes next goes into the one that `blank` gives.
    pub fn full_batch(&mut self, blank: impl FnOnce(Duplicates) -> Batch) -> Option<Batch> {
        if self.batch.bytes() < BATCH_BYTES {
            return None;
        }
        let full = std::mem::replace(&mut self.batch, blank(Duplicates::Recognise));
        // What filled one batch will fill another.
        self.batch.reserve(BATCH_BYTES + BATCH_BYTES / 8);
        Some(full)
    }

    /// The batch as it is; `None` if it is empty.
    pub fn last_batch(&mut self) -> Option<Batch> {
        let batch = std::mem::replace(&mut self.batch, Batch::new(Duplicates::Recognise));
        if batch.is_empty() { None } else { Some(batch) }
    }

    /// Bytes of memory that are held now.
    pub fn held(&self) -> usize {
        self.unfinished.len() + self.batch.memory()
    }

    /// Bytes of the item that is not complete yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// The cluster of the origin.
    pub fn cluster(&self) -> &ClusterName {
        &self.origin.cluster
    }

    /// What was found so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// From now on, entries are marked as received at this time.
    pub fn set_received(&mut self, received: i64) {
        self.received = received;
    }

    fn split(&mut self, text: &[u8], end: End) -> usize {
        let Self { origin, received, splitter, batch, tally, .. } = self;
        splitter.split(text, end, &mut |item| {
            let named: Option<ClusterName> = match (origin.naming, item.cluster) {
                (Naming::ByRecord, Some(name)) => name.parse().ok(),
                _ => None,
            };
            let cluster = named.as_ref().unwrap_or(&origin.cluster);
            tally.entries += 1;
            tally.quarantined += u64::from(item.format == Format::Quarantine);
            tally.bytes += item.bytes.len() as u64;
            batch
                .push(item.format.code(), *received, cluster.as_str(), item.bytes)
                .expect("the splitter's longest item and a cluster name are within the ledger's limits");
            if let Some(event) = item.event {
                batch.note(|note| event.outline(note));
            }
        })
    }
}

const _: () = assert!(audit::ITEM_MAX <= ledger::PAYLOAD_BYTES_MAX);
const _: () = assert!(ClusterName::BYTES_MAX <= ledger::CLUSTER_BYTES_MAX);
