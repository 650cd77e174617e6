//! `docs/rules/coverage.md` is what the rules say about themselves. `UPDATE_EXPECT=1 cargo test -p rule` rewrites it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use rule::{Loaded, Meta, load_builtin};

/// One file of rules, as the page shows it.
struct Entry<'r> {
    name: String,
    folder: String,
    meta: &'r Meta,
}

impl<'r> Entry<'r> {
    fn of(meta: &'r Meta) -> Self {
        let path = Path::new(&meta.file);
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        Self { name: text(path.file_stem()), folder: text(path.parent().and_then(Path::file_name)), meta }
    }
}

/// The rules that speak for themselves, and the correlations; not the rules that only feed a correlation.
fn entries(loaded: &Loaded) -> Vec<Entry<'_>> {
    let rules = loaded.rules.iter().map(|rule| &rule.meta).filter(|meta| !meta.extension.tests.is_empty());
    let metas = rules.chain(loaded.correlations.iter().map(|correlation| &correlation.meta));
    let mut entries: Vec<_> = metas.map(Entry::of).collect();
    entries.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    entries
}

fn page(entries: &[Entry<'_>]) -> String {
    let ideas: Vec<&str> = include_str!("data/ideas.txt").lines().collect();
    let mut by_idea: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        entry.meta.extension.matrix.iter().for_each(|idea| by_idea.entry(*idea).or_default().push(&entry.name));
    }
    let mut page = format!(
        "# What the built-in rules cover\n\nWritten by a test from the rules themselves; do not edit.\n\n{} rules cover {} of {} ideas that \
         other tools detect; {} of them go beyond that list.\nIdeas that call for a learned profile are covered by first-seen \
         or by a fixed threshold.\n\n## Rules\n\n\
         | rule | says | level | ATT&CK | threat matrix | ideas |\n|---|---|---|---|---|---|\n",
        entries.len(),
        by_idea.len(),
        ideas.len(),
        entries.iter().filter(|entry| entry.meta.extension.matrix.is_empty()).count(),
    );
    for entry in entries {
        let numbers: Vec<String> = entry.meta.extension.matrix.iter().map(ToString::to_string).collect();
        let (name, folder, cells) = (&entry.name, &entry.folder, entry.meta.extension.threat_matrix.join(" "));
        let _ = writeln!(
            page,
            "| [{name}](../../crates/rule/rules/{folder}/{name}.yml) | {} | {} | {} | {cells} | {} |",
            entry.meta.title,
            entry.meta.level.name(),
            entry.meta.techniques.join(" "),
            numbers.join(" "),
        );
    }
    page.push_str("\n## Ideas\n\n| # | idea | rules |\n|---|---|---|\n");
    for (number, idea) in (1..).zip(&ideas) {
        let rules = by_idea.get(&number).map_or_else(|| "–".to_owned(), |rules| rules.join(", "));
        let _ = writeln!(page, "| {number} | {idea} | {rules} |");
    }
    page
}

#[test]
fn the_page_tells_what_the_rules_say() {
    let loaded = load_builtin();
    expect_file!["../../../docs/rules/coverage.md"].assert_eq(&page(&entries(&loaded)));
}

#[test]
fn every_rule_has_tests_of_both_kinds_and_an_evasion() {
    let loaded = load_builtin();
    for entry in entries(&loaded) {
        let tests = &entry.meta.extension.tests;
        let matches = tests.iter().filter(|test| test.expected == rule::Expected::Match).count();
        let evasions = tests.iter().filter(|test| test.style == rule::Style::Evasion).count();
        assert!(matches >= 2 && tests.len() - matches >= 2 && evasions >= 1, "{}", entry.name);
    }
}

#[test]
fn every_rule_has_a_technique_a_cell_references_and_containment() {
    let loaded = load_builtin();
    for entry in entries(&loaded) {
        assert!(!entry.meta.techniques.is_empty(), "{}: no ATT&CK technique", entry.name);
        assert!(!entry.meta.extension.threat_matrix.is_empty(), "{}: no cell of the threat matrix", entry.name);
        assert!(entry.meta.references.iter().any(|to| to.starts_with("https://")), "{}: no reference", entry.name);
        assert!(!entry.meta.extension.containment.trim().is_empty(), "{}: no containment", entry.name);
    }
}
