//! Entries: what one is, and how it becomes a leaf of the tree.

use tlog::{Hash, LeafIndex, leaf_hash, sha256};

/// Version of the leaf's content; see `docs/formats/ledger.md`.
const LEAF_VERSION: u8 = 1;

/// An entry of the log, borrowed from wherever its bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryView<'a> {
    /// Its place.
    pub index: LeafIndex,
    /// What the payload is; the ledger does not know the codes.
    pub format: u8,
    /// When it was received, in microseconds since 1970.
    pub received: i64,
    /// Which cluster it came from, at most 255 bytes.
    pub cluster: &'a str,
    /// The exact bytes that arrived.
    pub payload: &'a [u8],
    /// What the submitter noted of the payload, see [`crate::Batch::note`]; empty once it is read from the disk.
    pub note: &'a [u8],
}

impl EntryView<'_> {
    /// Hash of the leaf that this entry is in the tree.
    pub fn leaf_hash(&self) -> Hash {
        self.header().leaf_hash(&sha256(self.payload))
    }

    pub(crate) fn header(&self) -> LeafHeader<'_> {
        LeafHeader { format: self.format, received: self.received, cluster: self.cluster }
    }
}

/// What stands in a leaf beside the payload's digest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafHeader<'a> {
    pub(crate) format: u8,
    pub(crate) received: i64,
    pub(crate) cluster: &'a str,
}

impl LeafHeader<'_> {
    /// Hash of the leaf: version, format, received, cluster with its length, SHA-256 of the payload.
    pub(crate) fn leaf_hash(&self, payload_digest: &Hash) -> Hash {
        let mut content = [0; 2 + 8 + 1 + 255 + Hash::SIZE];
        let cluster = self.cluster.as_bytes();
        let digest_start = 11 + cluster.len();
        content[0] = LEAF_VERSION;
        content[1] = self.format;
        content[2..10].copy_from_slice(&self.received.to_le_bytes());
        content[10] = cluster.len() as u8;
        content[11..digest_start].copy_from_slice(cluster);
        let end = digest_start + Hash::SIZE;
        content[digest_start..end].copy_from_slice(payload_digest.as_bytes());
        leaf_hash(&content[..end])
    }
}
