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

use crate::node::Node;
use crate::problem::Source;
use crate::rule::Loaded;
use crate::yaml::{self, Cut};

/// Values for the placeholders of `|expand`: name → values. A rule whose placeholder has no value is not loaded.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// What the loading of a file is given beside the file.
#[derive(Clone, Copy)]
pub(crate) struct Given<'g> {
    pub(crate) placeholders: &'g Placeholders,
    pub(crate) regexes: Regexes,
}

/// What is known about the regular expressions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Regexes {
    /// They may be broken or too large, and are compiled to see.
    Unknown,
    /// They were compiled before, so it can wait until one is asked.
    Sound,
}

/// Loads the rules, correlations and filters of one Sigma file. What is wrong with one costs that one alone.
pub fn load_sigma(source: &Source) -> Loaded {
    load_sigma_with(source, &Placeholders::new())
}

/// As [`load_sigma`], with values for placeholders.
pub fn load_sigma_with(source: &Source, placeholders: &Placeholders) -> Loaded {
    let (documents, faults) = yaml::load(&source.text, Cut::Documents);
    let given = Given { placeholders, regexes: Regexes::Unknown };
    let mut loaded = load_documents(&source.name, documents, given);
    loaded.problems.splice(0..0, faults.into_iter().map(|fault| fault.in_file(&source.name)));
    loaded
}

/// Loads the documents of one file.
pub(crate) fn load_documents(file: &str, documents: Vec<Node>, given: Given<'_>) -> Loaded {
    let mut loaded = Loaded::default();
    let (documents, mut faults) = collection::resolve(documents);
    for document in documents {
        document::load(&document, file, given, &mut loaded, &mut faults);
    }
    loaded.problems.extend(faults.into_iter().map(|fault| fault.in_file(file)));
    loaded
}
