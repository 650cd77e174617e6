//! What events have in common, as far as a matcher remembers.

use std::num::NonZeroU64;

use crate::field::{Facet, FieldPath};

/// What of one event a matcher has seen before: by part, a number that stands for what it holds; zero if it is not
/// remembered. Numbers are those of one matcher, which uses each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Likeness([u64; Facet::REMEMBERED.len()]);

impl Likeness {
    /// The number that stands for what decides `field`: events with the same have the same values.
    pub fn of_field(&self, field: &FieldPath) -> Option<NonZeroU64> {
        self.of(field.facet())
    }

    fn of(&self, facet: Facet) -> Option<NonZeroU64> {
        self.0.get(facet as usize).copied().and_then(NonZeroU64::new)
    }

    /// What `facets` alone tell; nothing if one of them is not remembered.
    pub(crate) fn within(&self, facets: &[Facet]) -> Option<Self> {
        let mut within = Self::default();
        for facet in facets {
            within.set(*facet, self.of(*facet)?);
        }
        Some(within)
    }

    pub(crate) fn set(&mut self, facet: Facet, number: NonZeroU64) {
        self.0[facet as usize] = number.get();
    }
}
