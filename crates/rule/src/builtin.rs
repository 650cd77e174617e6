//! The rules that come with the product, as they stand in `rules/`.

use std::sync::LazyLock;

use crate::problem::Source;
use crate::rule::{Loaded, Origin};
use crate::sigma;

include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// The files of the built-in rules, sorted by name.
pub fn builtin() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> =
        LazyLock::new(|| FILES.iter().map(|(name, text)| Source::new(*name, *text)).collect());
    &SOURCES
}

/// The built-in rules, loaded.
pub fn load_builtin() -> Loaded {
    let mut loaded = Loaded::default();
    for source in builtin() {
        loaded.extend(sigma::load_sigma(source));
    }
    loaded.from_origin(Origin::Builtin)
}
