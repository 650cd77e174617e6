//! Commits: the only thing that says that entries are durable.

use tlog::{LeafIndex, TreeSize};

/// The entries of a batch are durable. Nothing else makes one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub(crate) places: Places,
    pub(crate) size: TreeSize,
}

/// Where an entry of the batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It got this place.
    New(LeafIndex),
    /// The same bytes from the same cluster stand there already.
    DuplicateOf(LeafIndex),
}

/// Places of a batch's entries; without duplicates they are one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Places {
    Run { first: u64, count: u64 },
    Each(Vec<Place>),
}

impl Commit {
    /// Entries in the log when the batch was durable.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// Number of entries in the batch, duplicates included.
    pub fn len(&self) -> usize {
        match &self.places {
            Places::Run { count, .. } => *count as usize,
            Places::Each(places) => places.len(),
        }
    }

    /// Whether the batch was empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where each entry stands, in the order of the batch.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let (run, each) = match &self.places {
            Places::Run { first, count } => (*first..*first + *count, &[][..]),
            Places::Each(places) => (0..0, &places[..]),
        };
        run.map(|index| Place::New(LeafIndex::new(index))).chain(each.iter().copied())
    }

    /// The first entry of the batch that got a place; `None` when all were duplicates.
    pub fn first(&self) -> Option<LeafIndex> {
        self.places().find_map(|place| match place {
            Place::New(index) => Some(index),
            Place::DuplicateOf(_) => None,
        })
    }

    /// Number of entries that were in the log already.
    pub fn duplicates(&self) -> usize {
        match &self.places {
            Places::Run { .. } => 0,
            Places::Each(places) => places.iter().filter(|place| matches!(place, Place::DuplicateOf(_))).count(),
        }
    }

    /// The commits of the parts of one batch as one.
    pub(crate) fn join(mut self, later: Self) -> Self {
        later.places().for_each(|place| self.places.push(place));
        Self { places: self.places, size: later.size }
    }
}

impl Places {
    pub(crate) fn starting_at(first: u64) -> Self {
        Self::Run { first, count: 0 }
    }

    pub(crate) fn push(&mut self, place: Place) {
        match self {
            Self::Run { first, count } if place == Place::New(LeafIndex::new(*first + *count)) => {
                *count += 1;
            }
            Self::Run { first, count } => {
                let run = (*first..*first + *count).map(|index| Place::New(LeafIndex::new(index)));
                *self = Self::Each(run.chain([place]).collect());
            }
            Self::Each(places) => places.push(place),
        }
    }
}
