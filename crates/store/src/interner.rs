//! A dictionary that finds the code of a value, and remembers lately wanted ones.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::values::{ABSENT, Dictionary};

/// Values that are remembered by their ends; a power of two.
const RECENT: usize = 128;

/// A dictionary that finds the code of a value.
#[derive(Debug, Default, Clone)]
pub(crate) struct Interner {
    dictionary: Dictionary,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// By [`Ends::slot`]; nothing until the first value comes.
    recent: Vec<Recent>,
}

/// A value whose code was asked for lately.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    ends: Ends,
    /// [`ABSENT`] where no value is remembered.
    code: u32,
    /// Whether it has no backslash, so that it is its own spelling inside a JSON string.
    is_plain: bool,
}

/// Length, first and last bytes of a value: all of it when it is short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    length: u32,
}

/// Longest value that its [`Ends`] tell from every other.
const ENDS_BYTES: usize = 16;

impl Ends {
    #[inline]
    fn of(value: &[u8]) -> Self {
        let length = value.len() as u32;
        if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
            return Self { first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last), length };
        }
        if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            return Self { first: first.into(), last: last.into(), length };
        }
        Self { first: value.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), last: 0, length }
    }

    /// Where the value is remembered. What long values have between their ends counts too.
    #[inline]
    fn slot(self, value: &[u8]) -> usize {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = (self.first ^ self.last.rotate_left(29) ^ u64::from(self.length)).wrapping_mul(MIX);
        if value.len() > ENDS_BYTES {
            for part in 1..4 {
                let inside = value.get(value.len() / 4 * part..).and_then(<[u8]>::first_chunk);
                let inside = inside.map_or(0, |inside| u64::from_le_bytes(*inside));
                mixed = (mixed.rotate_left(29) ^ inside).wrapping_mul(MIX);
            }
        }
        (mixed >> (u64::BITS - RECENT.trailing_zeros())) as usize
    }
}

impl Interner {
    /// The code of `value`, which joins the dictionary if it is new.
    #[inline]
    pub(crate) fn intern(&mut self, value: &[u8]) -> u32 {
        let ends = Ends::of(value);
        let slot = ends.slot(value);
        match self.find_recent(ends, slot, value) {
            Some(recent) => recent.code,
            None => self.look_up(ends, slot, value),
        }
    }

    /// The code of a value that stands as `inner` between the quotes of a JSON string, if that was known lately.
    #[inline]
    pub(crate) fn recent_plain(&self, inner: &[u8]) -> Option<u32> {
        let ends = Ends::of(inner);
        self.find_recent(ends, ends.slot(inner), inner).filter(|recent| recent.is_plain).map(|recent| recent.code)
    }

    /// The code of a value, if that was known lately.
    #[inline]
    pub(crate) fn recent(&self, value: &[u8]) -> Option<u32> {
        let ends = Ends::of(value);
        self.find_recent(ends, ends.slot(value), value).map(|recent| recent.code)
    }

    #[inline]
    fn find_recent(&self, ends: Ends, slot: usize, value: &[u8]) -> Option<&Recent> {
        let recent = self.recent.get(slot).filter(|recent| recent.code != ABSENT && recent.ends == ends)?;
        let is_known = value.len() <= ENDS_BYTES || self.dictionary.get(recent.code).is_some_and(|it| same(it, value));
        is_known.then_some(recent)
    }

    fn look_up(&mut self, ends: Ends, slot: usize, value: &[u8]) -> u32 {
        let Self { dictionary, table, hasher, recent } = self;
        let hash = hasher.hash_one(value);
        let found = table.find(hash, |code| dictionary.get(*code).is_some_and(|it| same(it, value))).copied();
        let code = found.unwrap_or_else(|| {
            let code = dictionary.push(value);
            table.insert_unique(hash, code, |code| hasher.hash_one(dictionary.get(*code).unwrap_or_default()));
            code
        });
        recent.resize(RECENT, Recent::default());
        recent[slot] = Recent { ends, code, is_plain: memchr::memchr(b'\\', value).is_none() };
        code
    }

    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Lets the values go, and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.dictionary.clear();
        self.table.clear();
        self.recent.fill(Recent::default());
    }

    /// The dictionary so far. Goes on without values in the room of another one.
    pub(crate) fn finish(&mut self, room: Dictionary) -> Dictionary {
        let finished = std::mem::replace(&mut self.dictionary, room);
        self.clear();
        finished
    }

    pub(crate) fn into_dictionary(self) -> Dictionary {
        self.dictionary
    }
}

/// Whether two values are equal. Most are short, for which a call costs more than the comparison.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0..4 => a.iter().eq(b),
        4..8 => ends_agree::<4>(a, b),
        8..16 => ends_agree::<8>(a, b),
        16..=32 => ends_agree::<16>(a, b),
        33..=64 => ends_agree::<32>(a, b),
        _ => a == b,
    }
}

/// Whether the first and the last `N` bytes are equal.
#[inline]
fn ends_agree<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof!["[ab\\\\]{0,5}", "[ab]{8}[ab]{0,30}[ab]{8}", "[a]{60,70}[ab]?[a]{10}"].prop_map(String::into_bytes)
    }

    proptest! {
        #[test]
        fn equal_values_have_equal_codes(values in prop::collection::vec(value(), 0..300)) {
            let mut interner = Interner::default();
            let mut naive: Vec<Vec<u8>> = Vec::new();
            for value in values {
                let plain = interner.recent_plain(&value);
                let code = interner.intern(&value);
                let wanted = naive.iter().position(|known| *known == value).unwrap_or_else(|| {
                    naive.push(value.clone());
                    naive.len() - 1
                });
                prop_assert_eq!(code as usize, wanted + 1);
                prop_assert_eq!(interner.dictionary().get(code), Some(value.as_slice()));
                if let Some(plain) = plain {
                    prop_assert_eq!(plain, code);
                    prop_assert!(!value.contains(&b'\\'));
                }
            }
        }

        #[test]
        fn values_are_compared(a in value(), b in value(), at in any::<prop::sample::Index>()) {
            prop_assert_eq!(same(&a, &b), a == b);
            prop_assert!(same(&a, &a.clone()));
            let mut changed = a.clone();
            if !changed.is_empty() {
                let at = at.index(changed.len());
                changed[at] ^= 1;
                prop_assert!(!same(&a, &changed));
            }
        }
    }
}
