//! The Sigma language: rules, correlations, filters, collections.

mod collection;
mod correlation;
mod detection;
mod document;
mod expression;
mod mapping;
mod modifier;
mod text;

use std::collections::BTreeMap;

pub(crate) use mapping::pseudo_field;

use crate::problem::Source;
use crate::rule::Loaded;
use crate::yaml::{self, Cut};

/// Values for the placeholders of `|expand`: name → values. A rule whose placeholder has no value is not loaded.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// Loads the rules, correlations and filters of one Sigma file. What is wrong with one costs that one alone.
pub fn load_sigma(source: &Source) -> Loaded {
    load_sigma_with(source, &Placeholders::new())
}

/// As [`load_sigma`], with values for placeholders.
pub fn load_sigma_with(source: &Source, placeholders: &Placeholders) -> Loaded {
    let (documents, faults) = yaml::load(&source.text, Cut::Documents);
    let mut loaded = Loaded::default();
    loaded.problems.extend(faults.into_iter().map(|fault| fault.in_file(&source.name)));
    let (documents, faults) = collection::resolve(documents);
    loaded.problems.extend(faults.into_iter().map(|fault| fault.in_file(&source.name)));
    for document in documents {
        let mut faults = Vec::new();
        document::load(&document, source, placeholders, &mut loaded, &mut faults);
        loaded.problems.extend(faults.into_iter().map(|fault| fault.in_file(&source.name)));
    }
    loaded
}
