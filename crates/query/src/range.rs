//! Intervals of integers and of numbers.

use std::ops::Bound;

/// Integers from `low` to `high`, both included, in the unit of the field; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "described above")]
pub struct Range {
    pub low: Option<i64>,
    pub high: Option<i64>,
}

impl Range {
    /// Every integer.
    pub const ALL: Range = Range { low: None, high: None };

    /// One integer.
    pub fn exactly(value: i64) -> Self {
        Self { low: Some(value), high: Some(value) }
    }

    /// Whether `value` lies inside.
    pub fn contains(self, value: i64) -> bool {
        self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }

    /// Whether no integer lies inside.
    pub fn is_empty(self) -> bool {
        matches!((self.low, self.high), (Some(low), Some(high)) if low > high)
    }

    /// What lies in both.
    pub fn intersection(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { low: self.low.max(other.low), high }
    }

    /// The smallest interval around both.
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.zip(other.high).map(|(a, b)| a.max(b)) }
    }
}

/// Numbers between two bounds, for values in bodies.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "described above")]
pub struct NumberRange {
    pub low: Bound<f64>,
    pub high: Bound<f64>,
}

impl NumberRange {
    /// Whether `value` lies inside.
    pub fn contains(&self, value: f64) -> bool {
        std::ops::RangeBounds::contains(&(self.low, self.high), &value)
    }

    /// Whether no number can lie inside.
    pub fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_and_hull() {
        let (a, b) = (Range { low: Some(1), high: None }, Range { low: Some(3), high: Some(5) });
        assert_eq!(a.intersection(b), b);
        assert_eq!(a.hull(b), a);
        assert_eq!(Range::ALL.intersection(b), b);
        assert!(Range::exactly(1).intersection(b).is_empty());
    }
}
