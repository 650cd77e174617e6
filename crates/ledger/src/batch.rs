//! Batches: entries on their way in, laid out and hashed on the submitter's thread.

use std::ops::Range;

use tlog::{Hash, LeafIndex, sha256};

use crate::{
    EntryView,
    entry::LeafHeader,
    options::{CLUSTER_BYTES_MAX, PAYLOAD_BYTES_MAX},
    record,
    window::DigestKey,
};

/// Entries that are submitted together, in order, and acknowledged together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    records: Vec<u8>,
    notes: Vec<u8>,
    items: Vec<Item>,
    duplicates: Duplicates,
    cluster: ClusterKey,
}

/// What happens to an entry whose bytes are in the log already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// It gets the acknowledgement of the first one and no place of its own.
    #[default]
    Recognise,
    /// It is appended like any other.
    Keep,
}

/// Why an entry is not taken into a batch.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    /// The cluster's name is too long.
    #[error("cluster name has {found} bytes, the limit is {CLUSTER_BYTES_MAX}")]
    Cluster {
        /// Bytes of the name.
        found: usize,
    },
    /// The payload is too large.
    #[error("payload has {found} bytes, the limit is {PAYLOAD_BYTES_MAX}")]
    Payload {
        /// Bytes of the payload.
        found: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Where the record ends among the batch's records.
    end: usize,
    /// Where the note ends among the batch's notes.
    note_end: usize,
    pub(crate) leaf: Hash,
    pub(crate) key: DigestKey,
}

/// The last cluster's part of the digest keys; batches nearly always have one cluster.
#[derive(Debug, Clone)]
struct ClusterKey {
    name: String,
    key: DigestKey,
}

impl Default for ClusterKey {
    fn default() -> Self {
        Self { name: String::new(), key: DigestKey::of_cluster("") }
    }
}

impl Batch {
    /// An empty batch.
    pub fn new(duplicates: Duplicates) -> Self {
        Self { duplicates, ..Self::default() }
    }

    /// Makes room for this many bytes of payload, to save copying.
    pub fn reserve(&mut self, bytes: usize) {
        self.records.reserve(bytes);
    }

    /// Adds an entry: its format code, when it was received (microseconds since 1970), whence, and the exact bytes.
    pub fn push(&mut self, format: u8, received: i64, cluster: &str, payload: &[u8]) -> Result<(), BatchError> {
        if cluster.len() > CLUSTER_BYTES_MAX {
            return Err(BatchError::Cluster { found: cluster.len() });
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(BatchError::Payload { found: payload.len() });
        }
        let header = LeafHeader { format, received, cluster };
        let digest = sha256(payload);
        let key = DigestKey::of_payload(&digest).within(self.cluster_key(cluster));
        record::encode(&mut self.records, header, payload);
        let (end, note_end) = (self.records.len(), self.notes.len());
        self.items.push(Item { end, note_end, leaf: header.leaf_hash(&digest), key });
        Ok(())
    }

    /// Notes something of the payload that was added last: what followers in this process would have to find out again.
    /// It is opaque to the ledger, never written, and forgotten when the memory is wanted.
    pub fn note(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.notes);
        if let Some(last) = self.items.last_mut() {
            last.note_end = self.notes.len();
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that the entries take in the log.
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Bytes of memory that the entries take with their notes.
    pub fn memory(&self) -> usize {
        self.records.len() + self.notes.len() + self.items.len() * size_of::<Item>()
    }

    /// Forgets the entries and keeps the memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.notes.clear();
        self.items.clear();
    }

    /// Forgets the entries, keeps the memory and serves anew.
    pub(crate) fn blank(mut self, duplicates: Duplicates) -> Self {
        self.clear();
        Self { duplicates, ..self }
    }

    pub(crate) fn duplicates(&self) -> Duplicates {
        self.duplicates
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The bytes of consecutive records.
    pub(crate) fn records(&self, items: Range<usize>) -> &[u8] {
        &self.records[self.start(items.start)..self.start(items.end)]
    }

    /// The entry that an item is at its place in the log.
    pub(crate) fn entry(&self, index: LeafIndex, item: usize) -> EntryView<'_> {
        let note_start = item.checked_sub(1).map_or(0, |before| self.items[before].note_end);
        let note = &self.notes[note_start..self.items[item].note_end];
        let record = self.records(item..item + 1);
        EntryView { note, ..record::decode(index, record).expect("a record that was encoded here") }
    }

    /// Length of one record.
    pub(crate) fn record_len(&self, item: usize) -> usize {
        self.items[item].end - self.start(item)
    }

    /// Cuts the batch into runs of items of at most `bytes` each, and of at least one item.
    pub(crate) fn parts(&self, bytes: usize) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut start = 0;
        for item in 0..self.items.len() {
            if item > start && self.items[item].end - self.start(start) > bytes {
                parts.push(start..item);
                start = item;
            }
        }
        parts.push(start..self.items.len());
        parts
    }

    fn start(&self, item: usize) -> usize {
        item.checked_sub(1).map_or(0, |before| self.items[before].end)
    }

    fn cluster_key(&mut self, cluster: &str) -> DigestKey {
        if self.cluster.name != cluster {
            self.cluster = ClusterKey { name: cluster.to_owned(), key: DigestKey::of_cluster(cluster) };
        }
        self.cluster.key
    }
}
