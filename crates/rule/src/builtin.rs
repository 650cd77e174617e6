//! The rules that come with the product, as they stand in `rules/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::node::Node;
use crate::packed;
use crate::problem::Source;
use crate::rule::{Loaded, Origin};
use crate::sigma::{self, Placeholders};
use crate::yaml::{self, Cut};

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
            Some(documents) => sigma::load_documents(name, documents, &Placeholders::new()),
            // What was broken when the product was built is told as it is of any file.
            None => sigma::load_sigma(&Source::new(*name, *text)),
        });
    }
    loaded.from_origin(Origin::Builtin)
}

/// Title and description of a rule in another language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "named as in a rule")]
pub struct Translation {
    pub title: String,
    pub description: String,
}

/// The built-in rule `id` in `language` (`zh-Hant`, `zh-Hans`), if it is translated.
pub fn translation(language: &str, id: &str) -> Option<&'static Translation> {
    static ALL: LazyLock<HashMap<(String, String), Translation>> = LazyLock::new(|| {
        let languages = TRANSLATIONS.iter().filter_map(|(name, text)| Some((name.strip_suffix(".yml")?, *text)));
        languages
            .flat_map(|(language, text)| translations(text).map(move |(id, of)| ((language.to_owned(), id), of)))
            .collect()
    });
    ALL.get(&(language.to_owned(), id.to_owned()))
}

fn translations(text: &str) -> impl Iterator<Item = (String, Translation)> {
    let documents = yaml::load(text, Cut::Documents).0;
    let entries = documents.into_iter().flat_map(|document| document.entries().to_vec());
    entries.filter_map(|(id, of)| {
        let text = |key: &str| of.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        Some((id.text()?.to_owned(), Translation { title: text("title"), description: text("description") }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rules_are_the_rules_of_the_text() {
        for (name, text, packed) in FILES {
            let documents = packed::unpack(packed).expect("a file without faults");
            let of_packed = sigma::load_documents(name, documents, &Placeholders::new());
            let of_text = sigma::load_sigma(&Source::new(*name, *text));
            assert_eq!(format!("{of_packed:?}"), format!("{of_text:?}"), "{name}");
        }
    }
}
