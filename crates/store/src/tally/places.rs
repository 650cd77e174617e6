//! Where the groups of a part are, and which values each of them has had.

use hashbrown::{HashMap, HashSet};

use crate::group::{GROUPS_MAX, KEYS_MAX};
use crate::values::ABSENT;

/// Most combinations of keys for which there is an array; beyond it groups are found by hashing.
const ARRAY_MAX: usize = 1 << 16;
/// Most bits that say which values groups have had; beyond it pairs are kept.
const BITS_MAX: usize = 1 << 24;

/// Numbers of a row's keys.
pub(super) type PartKey = [u32; KEYS_MAX];

/// The place of a group beyond the most that there may be.
const NOWHERE: u32 = u32::MAX;
/// Stands in the array where no row was seen yet.
const UNSEEN: u32 = u32::MAX - 1;

/// The groups of a part, numbered as they are met.
pub(super) struct Places {
    known: Known,
    /// Keys of each group.
    pub(super) keys: Vec<PartKey>,
}

/// Where the group of a key is.
enum Known {
    /// By the key's numbers as digits of one number, each with its weight.
    Array(Vec<u32>, [u32; KEYS_MAX]),
    Hash(HashMap<PartKey, u32>),
}

impl Places {
    /// With an array if the keys have few combinations, as far as it is known how many numbers each has.
    pub(super) fn new(counts: &[Option<usize>]) -> Self {
        let mut weights = [0; KEYS_MAX];
        let mut all = Some(1usize);
        for (weight, count) in weights.iter_mut().zip(counts) {
            *weight = all.unwrap_or(0) as u32;
            all = all.zip(*count).and_then(|(all, count)| all.checked_mul(count)).filter(|all| *all <= ARRAY_MAX);
        }
        let known = all.map_or_else(|| Known::Hash(HashMap::new()), |all| Known::Array(vec![UNSEEN; all], weights));
        Self { known, keys: Vec::new() }
    }

    /// The place of the group of each row by the numbers of its keys; beyond the last group if there are too many.
    pub(super) fn of(&mut self, rows: usize, numbers: &[Vec<u32>]) -> Vec<u32> {
        let Self { known, keys } = self;
        let key = |row: usize| {
            let mut key = [ABSENT; KEYS_MAX];
            key.iter_mut().zip(numbers).for_each(|(part, numbers)| *part = numbers[row]);
            key
        };
        let mut next = |key: PartKey| {
            if keys.len() >= GROUPS_MAX {
                return NOWHERE;
            }
            keys.push(key);
            keys.len() as u32 - 1
        };
        match known {
            Known::Array(known, weights) => {
                let mut places = vec![0u32; rows];
                for (numbers, weight) in numbers.iter().zip(weights) {
                    let digits = numbers.iter().map(|number| number.wrapping_mul(*weight));
                    places.iter_mut().zip(digits).for_each(|(slot, digit)| *slot = slot.wrapping_add(digit));
                }
                for (row, slot) in places.iter_mut().enumerate() {
                    // Only a file that contradicts itself has rows outside.
                    let mut outside = NOWHERE;
                    let place = known.get_mut(*slot as usize).unwrap_or(&mut outside);
                    if *place == UNSEEN {
                        *place = next(key(row));
                    }
                    *slot = *place;
                }
                places
            }
            Known::Hash(known) => {
                (0..rows).map(key).map(|key| *known.entry(key).or_insert_with(|| next(key))).collect()
            }
        }
    }
}

/// Pairs of a group's place and a value, each once.
pub(super) enum Seen {
    /// A row of bits for each group, of so many words.
    Bits {
        words: usize,
        bits: Vec<u64>,
    },
    Pairs(HashSet<(u32, u32)>),
}

impl Seen {
    /// With bits if it is known how many values there can be.
    pub(super) fn new(values: Option<usize>) -> Self {
        match values {
            Some(values) => Self::Bits { words: values.div_ceil(64), bits: Vec::new() },
            None => Self::Pairs(HashSet::new()),
        }
    }

    pub(super) fn note(&mut self, place: u32, value: u32) {
        if value == ABSENT {
            return;
        }
        match self {
            Self::Bits { words, bits } => {
                let start = place as usize * *words;
                let end = start + *words;
                if bits.len() < end && end * 64 > BITS_MAX {
                    *self = Self::Pairs(self.pairs().collect());
                    return self.note(place, value);
                }
                if bits.len() < end {
                    bits.resize(end, 0);
                }
                if let Some(word) = bits[start..end].get_mut(value as usize / 64) {
                    *word |= 1 << (value % 64);
                }
            }
            Self::Pairs(pairs) => {
                pairs.insert((place, value));
            }
        }
    }

    pub(super) fn pairs(&self) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        match self {
            Self::Bits { words, bits } => Box::new(bits.chunks((*words).max(1)).zip(0..).flat_map(|(row, place)| {
                let has = |value: &u32| row[*value as usize / 64] >> (value % 64) & 1 != 0;
                (0..row.len() as u32 * 64).filter(has).map(move |value| (place, value))
            })),
            Self::Pairs(pairs) => Box::new(pairs.iter().copied()),
        }
    }
}
