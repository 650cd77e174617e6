//! The file `ledger/digests`: keys of the newest entries, so that a duplicate is recognised after a restart too.
//!
//! ```text
//! 0   8  magic "KWDIGEST"
//! 8   8  place of the first entry, little-endian
//! 16     keys, 16 bytes each
//! …   4  CRC-32C of all before it
//! ```
//! It is an aid: when it is missing or damaged, older duplicates are not recognised and nothing else happens.

use std::io;

use crc32c::crc32c;
use host::{Disk, Secrecy, read_all, replace_file};
use tlog::{Hash, sha256};

use crate::{
    EntryView,
    layout::Layout,
    options::DIGESTS_KEPT_MAX,
    window::{DigestKey, DigestWindow},
};

const MAGIC: [u8; 8] = *b"KWDIGEST";
const FIXED_LEN: usize = 16 + 4;

/// What is computed from an entry's bytes.
pub(crate) struct Fingerprint {
    pub(crate) leaf: Hash,
    pub(crate) key: DigestKey,
}

impl Fingerprint {
    pub(crate) fn of(entry: &EntryView<'_>) -> Self {
        let digest = sha256(entry.payload);
        let cluster = DigestKey::of_cluster(entry.cluster);
        Self { leaf: entry.header().leaf_hash(&digest), key: DigestKey::of_payload(&digest).within(cluster) }
    }
}

/// Keeps the newest keys.
pub(crate) fn write(disk: &dyn Disk, layout: &Layout, window: &DigestWindow) -> io::Result<()> {
    let (first, keys) = window.newest(DIGESTS_KEPT_MAX);
    let mut bytes = Vec::with_capacity(FIXED_LEN + keys.len() * DigestKey::SIZE);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&first.to_le_bytes());
    keys.iter().for_each(|key| bytes.extend_from_slice(&key.0));
    bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
    replace_file(disk, &layout.digests(), Secrecy::Shared, &bytes)
}

/// The keys of the entries right before `end`, oldest first; none when they are not known.
pub(crate) fn read(disk: &dyn Disk, layout: &Layout, end: u64) -> Vec<DigestKey> {
    let limit = (FIXED_LEN + DIGESTS_KEPT_MAX * DigestKey::SIZE) as u64;
    let Ok(bytes) = read_all(disk, &layout.digests(), limit) else {
        return Vec::new();
    };
    decode(&bytes, end).unwrap_or_default()
}

fn decode(bytes: &[u8], end: u64) -> Option<Vec<DigestKey>> {
    let (content, crc) = bytes.split_last_chunk()?;
    let rest = content.strip_prefix(&MAGIC)?;
    let (first, keys) = rest.split_first_chunk()?;
    if u32::from_le_bytes(*crc) != crc32c(content) {
        return None;
    }
    let (keys, _) = keys.as_chunks();
    // Keys of entries that the last segment still has are computed from it.
    let wanted = end.checked_sub(u64::from_le_bytes(*first))?;
    let keys = keys.get(..usize::try_from(wanted).ok()?)?;
    Some(keys.iter().copied().map(DigestKey).collect())
}
