//! Every text of every built-in rule is there in each language, and no translation is left over.

use std::collections::BTreeSet;

use rule::{Dictionary, Loaded, Meta, load_builtin, remark};

const LANGUAGES: [&str; 2] = ["zh-Hant", "zh-Hans"];

/// What rules and correlations say about themselves, but not the parts of a correlation: these make no findings.
fn texts(loaded: &Loaded) -> Vec<&Meta> {
    let rules = loaded.rules.iter().map(|rule| &rule.meta).filter(|meta| !meta.title.ends_with(" (part)"));
    rules.chain(loaded.correlations.iter().map(|correlation| &correlation.meta)).collect()
}

fn sentences<'r>(texts: &[&'r Meta]) -> BTreeSet<&'r str> {
    let remarks = texts.iter().flat_map(|text| text.extension.containment.lines()).filter_map(remark);
    let alarms = texts.iter().flat_map(|text| &text.false_positives).map(String::as_str);
    alarms.chain(remarks.map(|(_, remark)| remark)).collect()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

#[test]
fn every_rule_says_everything_in_english() {
    let loaded = load_builtin();
    let texts = texts(&loaded);
    let lacking = texts.iter().filter(|text| {
        let said = [&text.title, &text.description, &text.extension.containment, &text.extension.story];
        said.iter().any(|said| said.trim().is_empty() || is_chinese(said)) || text.false_positives.is_empty()
    });
    assert_eq!(lacking.map(|text| text.title.as_str()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_rule_says_everything_in_each_language() {
    let loaded = load_builtin();
    let texts = texts(&loaded);
    for language in LANGUAGES {
        let dictionary = Dictionary::of(language).expect(language);
        let lacking = texts.iter().filter(|text| {
            let of = dictionary.rule(&text.id);
            !of.is_some_and(|of| is_chinese(&of.title) && is_chinese(&of.description))
        });
        assert_eq!(
            lacking.map(|text| text.title.as_str()).collect::<Vec<_>>(),
            [""; 0],
            "{language}: no title or description"
        );
        let english: Vec<_> = sentences(&texts).into_iter().filter(|said| dictionary.phrase(said) == *said).collect();
        assert_eq!(english, [""; 0], "{language}: not translated");
    }
}

#[test]
fn placeholders_and_scripts_are_kept() {
    let loaded = load_builtin();
    let texts = texts(&loaded);
    for language in LANGUAGES {
        let dictionary = Dictionary::of(language).expect(language);
        for said in sentences(&texts) {
            let told = dictionary.phrase(said);
            for placeholder in ["{user}", "{ip}", "{name}", "{namespace}"] {
                assert_eq!(said.matches(placeholder).count(), told.matches(placeholder).count(), "{language}: {said}");
            }
        }
    }
    // Characters that only one of the scripts writes.
    let scripts =
        [("zh-Hant", "们这个发对设权录读写动关开员东时间"), ("zh-Hans", "們這個發對設權錄讀寫動關開員東時間")];
    for (language, foreign) in scripts {
        let dictionary = Dictionary::of(language).expect(language);
        let of_rules =
            texts.iter().filter_map(|text| dictionary.rule(&text.id)).flat_map(|of| [&of.title, &of.description]);
        let told =
            of_rules.map(String::as_str).chain(sentences(&texts).into_iter().map(|said| dictionary.phrase(said)));
        let mixed: Vec<_> = told.filter(|told| told.contains(|letter| foreign.contains(letter))).collect();
        assert_eq!(mixed, [""; 0], "{language}");
    }
}

#[test]
fn no_translation_is_left_over() {
    let loaded = load_builtin();
    let texts = texts(&loaded);
    let (ids, said): (BTreeSet<_>, _) = (texts.iter().map(|text| text.id.as_str()).collect(), sentences(&texts));
    for language in LANGUAGES {
        let dictionary = Dictionary::of(language).expect(language);
        let over = dictionary
            .rules()
            .filter(|id| !ids.contains(id))
            .chain(dictionary.phrases().filter(|of| !said.contains(of)));
        assert_eq!(over.collect::<Vec<_>>(), [""; 0], "{language}");
    }
}
