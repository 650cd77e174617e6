//! Whole numbers in as few bytes as the largest of them needs: what is kept of a page between questions.

use std::borrow::Cow;

use super::page::PageCodes;
use crate::values::{ABSENT, NO_INTEGER};

/// Numbers of one width.
#[derive(Debug, Clone)]
enum Narrow {
    /// All are zero.
    Zero,
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
    Eight(Vec<u64>),
}

impl Narrow {
    /// None of the numbers is larger than `max`.
    fn new(numbers: impl Iterator<Item = u64>, max: u64) -> Self {
        match max {
            0 => Self::Zero,
            1..=0xFF => Self::One(numbers.map(|number| number as u8).collect()),
            0x100..=0xFFFF => Self::Two(numbers.map(|number| number as u16).collect()),
            0x1_0000..=0xFFFF_FFFF => Self::Four(numbers.map(|number| number as u32).collect()),
            _ => Self::Eight(numbers.collect()),
        }
    }

    fn get(&self, at: usize) -> u64 {
        match self {
            Self::Zero => 0,
            Self::One(numbers) => numbers[at].into(),
            Self::Two(numbers) => numbers[at].into(),
            Self::Four(numbers) => numbers[at].into(),
            Self::Eight(numbers) => numbers[at],
        }
    }

    /// What `of` makes of each of the first `count` numbers.
    fn each<T>(&self, count: usize, of: impl Fn(u64) -> T) -> Vec<T> {
        match self {
            Self::Zero => (0..count).map(|_| of(0)).collect(),
            Self::One(numbers) => numbers.iter().map(|number| of((*number).into())).collect(),
            Self::Two(numbers) => numbers.iter().map(|number| of((*number).into())).collect(),
            Self::Four(numbers) => numbers.iter().map(|number| of((*number).into())).collect(),
            Self::Eight(numbers) => numbers.iter().map(|number| of(*number)).collect(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One(numbers) => numbers.len(),
            Self::Two(numbers) => numbers.len() * 2,
            Self::Four(numbers) => numbers.len() * 4,
            Self::Eight(numbers) => numbers.len() * 8,
        }
    }
}

/// Integers of a page.
#[derive(Debug, Clone)]
pub(crate) struct PageIntegers {
    rows: usize,
    least: i64,
    most: i64,
    /// Zero for "absent", else one more than the step from `least`.
    steps: Narrow,
}

impl PageIntegers {
    pub(crate) fn new(values: &[i64]) -> Self {
        let present = values.iter().copied().filter(|value| *value != NO_INTEGER);
        let least = present.clone().min().unwrap_or(0);
        let most = present.max().unwrap_or(NO_INTEGER);
        let step = |value: i64| if value == NO_INTEGER { 0 } else { value.wrapping_sub(least) as u64 + 1 };
        let steps = Narrow::new(values.iter().map(|value| step(*value)), step(most));
        Self { rows: values.len(), least, most, steps }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Lowest and highest value that is present; the lowest is the higher one if none is.
    pub(crate) fn range(&self) -> (i64, i64) {
        (self.least, self.most)
    }

    pub(crate) fn get(&self, row: usize) -> i64 {
        self.value(self.steps.get(row))
    }

    pub(crate) fn all(&self) -> Vec<i64> {
        self.steps.each(self.rows, |step| self.value(step))
    }

    fn value(&self, step: u64) -> i64 {
        if step == 0 { NO_INTEGER } else { self.least.wrapping_add((step - 1) as i64) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.steps.bytes()
    }
}

/// Codes of a page, with the lowest and the highest of them.
#[derive(Debug, Clone)]
pub(crate) struct Codes {
    rows: usize,
    low: u32,
    high: u32,
    /// Steps from `low`.
    steps: Narrow,
}

impl Codes {
    pub(crate) fn new(codes: &[u32]) -> Self {
        let low = codes.iter().copied().min().unwrap_or(ABSENT);
        let high = codes.iter().copied().max().unwrap_or(ABSENT);
        let steps = Narrow::new(codes.iter().map(|code| u64::from(code - low)), u64::from(high - low));
        Self { rows: codes.len(), low, high, steps }
    }

    /// Lowest and highest code.
    pub(crate) fn range(&self) -> (u32, u32) {
        (self.low, self.high)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn get(&self, row: usize) -> u32 {
        self.low + self.steps.get(row) as u32
    }

    pub(crate) fn view(&self) -> PageCodes<'_> {
        if self.low == self.high {
            return PageCodes::Same(self.low);
        }
        PageCodes::Each(Cow::Owned(self.steps.each(self.rows, |step| self.low + step as u32)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.steps.bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn integers() -> impl Strategy<Value = Vec<i64>> {
        let width = prop::sample::select(vec![1i64, 200, 60_000, 4_000_000_000, i64::MAX]);
        (any::<i64>(), width).prop_flat_map(|(base, width)| {
            let value =
                prop_oneof![1 => Just(NO_INTEGER), 9 => (0..width).prop_map(move |step| base.wrapping_add(step))];
            prop::collection::vec(value, 0..40)
        })
    }

    proptest! {
        #[test]
        fn integers_come_back(values in integers()) {
            let kept = PageIntegers::new(&values);
            prop_assert_eq!(&(0..values.len()).map(|row| kept.get(row)).collect::<Vec<_>>(), &values);
            prop_assert_eq!(kept.all(), values);
        }

        #[test]
        fn codes_come_back(codes in prop::collection::vec(prop_oneof![0u32..3, 0u32..70_000, any::<u32>()], 1..40)) {
            let kept = Codes::new(&codes);
            prop_assert_eq!(&(0..codes.len()).map(|row| kept.get(row)).collect::<Vec<_>>(), &codes);
            match kept.view() {
                PageCodes::Same(code) => prop_assert!(codes.iter().all(|other| *other == code)),
                PageCodes::Each(each) => prop_assert_eq!(each.into_owned(), codes),
            }
        }
    }
}
