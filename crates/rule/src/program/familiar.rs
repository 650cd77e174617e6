//! Events that are alike in everything that is remembered, known by one look-up.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::memo::OutcomeId;
use crate::likeness::Likeness;

/// Bytes of the keys that are remembered, about. Beyond it all are forgotten.
const KEYS_BYTES_MAX: usize = 8 << 20;
/// Longest key that is remembered.
const KEY_BYTES_MAX: usize = 4 << 10;
/// Keys of which it is remembered that they came once: only what comes again is worth a place.
const ONCE: usize = 8 << 10;

/// What is known of events by what decides it.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    known: HashTable<Known>,
    hasher: DefaultHashBuilder,
    once: Vec<u64>,
    /// Bytes of the keys.
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    key: Box<[u8]>,
    outcome: OutcomeId,
    likeness: Likeness,
}

impl Familiar {
    pub(super) fn get(&self, key: &[u8]) -> Option<(OutcomeId, Likeness)> {
        let known = self.known.find(self.hasher.hash_one(key), |known| *known.key == *key)?;
        Some((known.outcome, known.likeness))
    }

    /// Remembers a key that is not known, if it comes for the second time.
    pub(super) fn meet(&mut self, key: &[u8], outcome: OutcomeId, likeness: Likeness) {
        let hash = self.hasher.hash_one(key);
        self.once.resize(ONCE, 0);
        let before = std::mem::replace(&mut self.once[hash as usize % ONCE], hash);
        if before != hash || key.len() > KEY_BYTES_MAX {
            return;
        }
        if self.bytes > KEYS_BYTES_MAX {
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += key.len() + 2 * size_of::<Known>();
        let Self { known, hasher, .. } = self;
        known.insert_unique(hash, Known { key: key.into(), outcome, likeness }, |known| hasher.hash_one(&*known.key));
    }
}
