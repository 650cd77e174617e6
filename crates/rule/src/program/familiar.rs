//! Events that are alike in everything that is remembered, known by one look-up.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::memo::OutcomeId;
use super::skeleton::{Shape, Skeleton};
use crate::likeness::Likeness;

/// Bytes of the skeletons that are remembered, about. Beyond it all are forgotten.
const BYTES_MAX: usize = 8 << 20;
/// Longest skeleton that is remembered.
const SKELETON_BYTES_MAX: usize = 4 << 10;
/// Skeletons of which it is remembered that they came once: only what comes again is worth a place.
const ONCE: usize = 8 << 10;

/// What is known of events by their skeletons.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    known: HashTable<Known>,
    hasher: DefaultHashBuilder,
    once: Vec<u64>,
    /// Bytes of the skeletons.
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    shape: Shape,
    bytes: Box<[u8]>,
    outcome: OutcomeId,
    likeness: Likeness,
}

impl Familiar {
    pub(super) fn hash(&self, skeleton: &Skeleton<'_>) -> u64 {
        skeleton.hash(self.hasher.build_hasher())
    }

    /// What is known of events with this skeleton, which has this hash.
    pub(super) fn get(&self, hash: u64, skeleton: &Skeleton<'_>) -> Option<(OutcomeId, Likeness)> {
        let is_same =
            |known: &Known| known.hash == hash && known.shape == skeleton.shape && skeleton.has_bytes(&known.bytes);
        let known = self.known.find(hash, is_same)?;
        Some((known.outcome, known.likeness))
    }

    /// Remembers a skeleton that is not known, if it comes for the second time.
    pub(super) fn meet(&mut self, hash: u64, skeleton: &Skeleton<'_>, outcome: OutcomeId, likeness: Likeness) {
        self.once.resize(ONCE, 0);
        let before = std::mem::replace(&mut self.once[hash as usize % ONCE], hash);
        if before != hash || skeleton.len() > SKELETON_BYTES_MAX {
            return;
        }
        if self.bytes > BYTES_MAX {
            self.known.clear();
            self.bytes = 0;
        }
        let known = Known { hash, shape: skeleton.shape, bytes: skeleton.bytes(), outcome, likeness };
        self.bytes += known.bytes.len() + 2 * size_of::<Known>();
        self.known.insert_unique(hash, known, |known| known.hash);
    }
}
