//! Which values of a dictionary satisfy a test.

use audit::Json;
use query::Test;

use super::Shape;
use crate::values::Dictionary;

/// Which codes of a dictionary satisfy a test. Absent values never do.
#[derive(Debug, Clone)]
pub(super) struct Fits {
    fit: Vec<bool>,
    /// For each code, how many codes before it fit; and how many do in all.
    before: Vec<u32>,
}

impl Fits {
    /// No code fits.
    pub(super) const NONE: &Self = &Self { fit: Vec::new(), before: Vec::new() };

    pub(super) fn of(dictionary: &Dictionary, mut test: impl FnMut(&[u8]) -> bool) -> Self {
        let fit: Vec<bool> = std::iter::once(false).chain(dictionary.values().map(&mut test)).collect();
        let mut count = 0;
        let sums = fit.iter().map(|fits| {
            count += u32::from(*fits);
            count
        });
        let before = std::iter::once(0).chain(sums).collect();
        Self { fit, before }
    }

    /// Whether any code fits.
    pub(super) fn any(&self) -> bool {
        self.before.last().is_some_and(|count| *count > 0)
    }

    pub(super) fn has(&self, code: u32) -> bool {
        self.fit[code as usize]
    }

    /// Whether all codes from `low` to `high` fit, or none; nothing if some do.
    pub(super) fn between(&self, low: u32, high: u32) -> Option<bool> {
        if !self.any() {
            return Some(false);
        }
        match self.before[high as usize + 1] - self.before[low as usize] {
            0 => Some(false),
            count if count == high - low + 1 => Some(true),
            _ => None,
        }
    }
}

pub(super) fn fits_shape(shape: &Shape, test: &Test, value: &[u8]) -> bool {
    match shape {
        Shape::Text => fits_text(test, value),
        Shape::List => Json::whole(value)
            .is_ok_and(|list| list.elements().filter_map(Json::text).any(|text| test.fits_text(&text))),
        Shape::Below(path) => Json::whole(value).is_ok_and(|json| path.any_below(json, |value| test.fits_json(value))),
    }
}

pub(super) fn fits_text(test: &Test, value: &[u8]) -> bool {
    if let Test::Is(pattern) = test
        && let Some(text) = pattern.as_literal()
    {
        return !value.is_empty() && value.eq_ignore_ascii_case(text.as_bytes());
    }
    std::str::from_utf8(value).is_ok_and(|text| test.fits_text(text))
}
