//! The reference page of the query language, made from the tables.

use std::fmt::Write;

use crate::field::{Field, Kind};
use crate::path::Root;

const INTRODUCTION: &str = include_str!("reference.md");

/// The page `docs/query.md`: the language, and a table of every field.
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Fields\n\n| field | also | value | what it says |\n|---|---|---|---|\n");
    for field in Field::all() {
        let aliases: Vec<String> = field.aliases().iter().map(|alias| format!("`{alias}`")).collect();
        let (name, about) = (field.name(), field.about());
        let _ = writeln!(page, "| `{name}` | {} | {} | {about} |", aliases.join(", "), kind_name(field.kind()));
    }
    page.push_str("\n## Paths\n\nA path starts at one of these members of the event.\n\n| start | also |\n|---|---|\n");
    for (root, other) in Root::all() {
        let other = if other == root.name() { String::new() } else { format!("`{other}`") };
        let _ = writeln!(page, "| `{}` | {other} |", root.name());
    }
    page
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Keyword => "keyword",
        Kind::Words => "words",
        Kind::Integer => "integer",
        Kind::Size => "size",
        Kind::Duration => "duration",
        Kind::Time => "time",
        Kind::Address => "address",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_what_the_tables_say() {
        expect_test::expect_file!["../../../docs/query.md"].assert_eq(&super::reference_markdown());
    }
}
