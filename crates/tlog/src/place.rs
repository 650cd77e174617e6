//! Places and sizes: an index is not a count.

use std::fmt;

/// Place of an entry in the log, from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeafIndex(u64);

/// Number of entries in a log: one more than the last index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeSize(u64);

impl LeafIndex {
    /// The place with this number.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number of this place.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The size of the smallest tree that holds this entry.
    pub const fn size(self) -> TreeSize {
        TreeSize(self.0 + 1)
    }
}

impl TreeSize {
    /// A tree without entries.
    pub const EMPTY: Self = Self(0);

    /// The size of this many entries.
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// The number of entries.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The last entry, if there is one.
    pub const fn last(self) -> Option<LeafIndex> {
        match self.0.checked_sub(1) {
            Some(index) => Some(LeafIndex(index)),
            None => None,
        }
    }

    /// Where the next entry will stand.
    pub const fn next(self) -> LeafIndex {
        LeafIndex(self.0)
    }

    /// Whether a tree of this size holds the entry.
    pub const fn contains(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

impl From<u64> for LeafIndex {
    fn from(index: u64) -> Self {
        Self(index)
    }
}

impl From<u64> for TreeSize {
    fn from(size: u64) -> Self {
        Self(size)
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
