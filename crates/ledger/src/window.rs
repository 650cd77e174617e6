//! The window of digests by which a redelivered entry is recognised.

use hashbrown::HashTable;
use tlog::{Hash, sha256};

/// What tells one entry's bytes from another's: half of the payload's SHA-256, mixed with the cluster.
///
/// Two entries with one key would need a collision in 128 bits of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DigestKey(pub(crate) [u8; DigestKey::SIZE]);

impl DigestKey {
    pub(crate) const SIZE: usize = 16;

    pub(crate) fn of_payload(digest: &Hash) -> Self {
        Self::of_hash(digest)
    }

    pub(crate) fn of_cluster(cluster: &str) -> Self {
        Self::of_hash(&sha256(cluster.as_bytes()))
    }

    /// The payload's key within a cluster.
    pub(crate) fn within(self, cluster: Self) -> Self {
        Self((u128::from_le_bytes(self.0) ^ u128::from_le_bytes(cluster.0)).to_le_bytes())
    }

    fn of_hash(hash: &Hash) -> Self {
        let mut key = [0; Self::SIZE];
        key.copy_from_slice(&hash.as_bytes()[..Self::SIZE]);
        Self(key)
    }

    /// The key is a hash already; any part of it spreads well.
    fn spread(&self) -> u64 {
        u128::from_le_bytes(self.0) as u64
    }
}

/// Keys of the newest entries. The entry at `index` stands in slot `index % capacity`, so that the newest
/// overwrites the oldest and a place is found from a slot.
pub(crate) struct DigestWindow {
    capacity: u32,
    /// Grows up to the capacity; slot by slot the keys of `start..end`.
    ring: Vec<DigestKey>,
    slots: HashTable<u32>,
    /// Oldest entry that is remembered.
    start: u64,
    /// One past the newest.
    end: u64,
}

impl DigestWindow {
    /// A window that remembers nothing, whose next entry is `next`.
    pub(crate) fn new(capacity: u32, next: u64) -> Self {
        let capacity = capacity.max(1);
        Self { capacity, ring: Vec::new(), slots: HashTable::new(), start: next, end: next }
    }

    /// Place of the entry with this key, if it is remembered.
    pub(crate) fn find(&self, key: DigestKey) -> Option<u64> {
        let slot = *self.slots.find(key.spread(), |slot| self.ring[*slot as usize] == key)?;
        let newest = self.end - 1;
        let capacity = u64::from(self.capacity);
        Some(newest - (newest % capacity + capacity - u64::from(slot)) % capacity)
    }

    /// Remembers the key of the next entry and forgets the oldest if there is no room.
    pub(crate) fn push(&mut self, key: DigestKey) {
        if self.end - self.start == u64::from(self.capacity) {
            self.forget(self.start);
            self.start += 1;
        }
        let slot = self.slot_of(self.end);
        if self.ring.len() <= slot as usize {
            self.ring.resize(slot as usize + 1, DigestKey::default());
        }
        self.ring[slot as usize] = key;
        let ring = &self.ring;
        self.slots.insert_unique(key.spread(), slot, |slot| ring[*slot as usize].spread());
        self.end += 1;
    }

    /// Forgets the entries from `end` on: they were not committed.
    pub(crate) fn truncate(&mut self, end: u64) {
        while self.end > end.max(self.start) {
            self.end -= 1;
            self.forget(self.end);
        }
        self.start = self.start.min(end);
        self.end = self.end.min(end);
    }

    /// One past the newest entry.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The newest keys, oldest first, at most `limit`, with the place of the first.
    pub(crate) fn newest(&self, limit: usize) -> (u64, Vec<DigestKey>) {
        let first = self.start.max(self.end.saturating_sub(limit as u64));
        let keys = (first..self.end).map(|index| self.ring[self.slot_of(index) as usize]);
        (first, keys.collect())
    }

    fn slot_of(&self, index: u64) -> u32 {
        (index % u64::from(self.capacity)) as u32
    }

    fn forget(&mut self, index: u64) {
        let slot = self.slot_of(index);
        let key = self.ring[slot as usize];
        if let Ok(entry) = self.slots.find_entry(key.spread(), |found| *found == slot) {
            entry.remove();
        }
    }
}
