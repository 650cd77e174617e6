//! A set of rows of one page.

use std::ops::Range;

/// A set with fewer than one of so many rows is sparse.
const SPARSE: usize = 8;

/// One bit a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    words: Vec<u64>,
    rows: usize,
}

impl Mask {
    pub(crate) fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], rows }
    }

    pub(crate) fn all(rows: usize) -> Self {
        Self::none(rows).complement()
    }

    /// Rows for which `test` holds.
    pub(crate) fn of(rows: usize, mut test: impl FnMut(usize) -> bool) -> Self {
        let mut mask = Self::none(rows);
        for (at, word) in mask.words.iter_mut().enumerate() {
            let end = (at * 64 + 64).min(rows);
            for row in at * 64..end {
                *word |= u64::from(test(row)) << (row % 64);
            }
        }
        mask
    }

    /// Only the rows for which `test` holds.
    pub(crate) fn filter(mut self, mut test: impl FnMut(usize) -> bool) -> Self {
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                *word &= !(u64::from(!test(at * 64 + bit)) << bit);
            }
        }
        self
    }

    /// Whether it has so few of its rows that they are asked one by one rather than all at once.
    pub(crate) fn is_sparse(&self) -> bool {
        self.count() * SPARSE < self.rows
    }

    pub(crate) fn insert(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 != 0
    }

    /// Whether any of some neighbouring rows is in the set.
    pub(crate) fn any_within(&self, rows: Range<usize>) -> bool {
        let mut rows = rows.start..rows.end.min(self.rows);
        let (first, last) = (rows.start / 64, rows.end.div_ceil(64).min(self.words.len()));
        let words = self.words.get(first..last).unwrap_or_default();
        words.iter().any(|word| *word != 0) && rows.any(|row| self.contains(row))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The same set without its rows.
    pub(crate) fn clear(mut self) -> Self {
        self.words.fill(0);
        self
    }

    pub(crate) fn complement(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        if let Some(last) = self.words.last_mut()
            && !self.rows.is_multiple_of(64)
        {
            *last &= (1 << (self.rows % 64)) - 1;
        }
        self
    }

    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= theirs);
    }

    pub(crate) fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// Rows in the set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_behave_as_sets() {
        let odd = Mask::of(131, |row| row % 2 == 1);
        let even = odd.clone().complement();
        assert_eq!((odd.count(), even.count()), (65, 66));
        assert_eq!(even.iter().take(3).collect::<Vec<_>>(), [0, 2, 4]);
        let mut both = odd.clone();
        both.unite(&even);
        assert_eq!(both, Mask::all(131));
        both.subtract(&odd);
        assert_eq!(both, even);
        assert_eq!(both.clone().filter(|row| row < 9).iter().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        both.intersect(&odd);
        assert!(both.is_empty());
    }
}
