//! The rules that come with the product, as they stand in `rules/`.

use std::sync::LazyLock;

use crate::packed;
use crate::problem::Source;
use crate::rule::{Loaded, Origin};
use crate::sigma::{self, Given, Placeholders, Regexes};

include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// The files of the built-in rules, sorted by name.
pub fn builtin() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> =
        LazyLock::new(|| FILES.iter().map(|(name, text, _)| Source::new(*name, *text)).collect());
    &SOURCES
}

/// The built-in rules, loaded.
pub fn load_builtin() -> Loaded {
    let mut loaded = Loaded::default();
    for (name, text, packed) in FILES {
        loaded.extend(match packed::unpack(packed) {
            Some(documents) => {
                let given = Given { placeholders: &Placeholders::new(), regexes: Regexes::Sound };
                sigma::load_documents(name, documents, given)
            }
            // What was broken when the product was built is told as it is of any file.
            None => sigma::load_sigma(&Source::new(*name, *text)),
        });
    }
    loaded.from_origin(Origin::Builtin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rules_are_the_rules_of_the_text() {
        for (name, text, packed) in FILES {
            let documents = packed::unpack(packed).expect("a file without faults");
            let given = Given { placeholders: &Placeholders::new(), regexes: Regexes::Sound };
            let of_packed = sigma::load_documents(name, documents, given);
            let of_text = sigma::load_sigma(&Source::new(*name, *text));
            assert_eq!(format!("{of_packed:?}"), format!("{of_text:?}"), "{name}");
        }
    }
}
