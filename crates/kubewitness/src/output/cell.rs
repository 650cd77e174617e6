//! One cell of a table, safe to show.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects};
use audit::Json;
use unicode_width::UnicodeWidthStr;

/// Text with a style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// What a cell says by its colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    /// In the background.
    Dim,
    /// A heading.
    Bold,
    /// Done, allowed, made.
    Good,
    /// Changed, refused.
    Warning,
    /// Deleted, failed.
    Bad,
}

impl Style {
    /// The terminal's sequence; printed through `anstream`, which leaves it out where nobody sees colours.
    pub(crate) fn ansi(self) -> anstyle::Style {
        let style = anstyle::Style::new();
        match self {
            Self::Plain => style,
            Self::Dim => style.effects(Effects::DIMMED),
            Self::Bold => style.bold(),
            Self::Good => style.fg_color(Some(AnsiColor::Green.into())),
            Self::Warning => style.fg_color(Some(AnsiColor::Yellow.into())),
            Self::Bad => style.fg_color(Some(AnsiColor::Red.into())),
        }
    }

    /// The style of a verb.
    pub(crate) fn of_verb(verb: &str) -> Self {
        match verb {
            "delete" | "deletecollection" => Self::Bad,
            "create" => Self::Good,
            "update" | "patch" => Self::Warning,
            _ => Self::Plain,
        }
    }

    /// The style of an HTTP status.
    pub(crate) fn of_code(code: i64) -> Self {
        match code {
            200..=299 => Self::Good,
            400..=499 => Self::Warning,
            500..=599 => Self::Bad,
            _ => Self::Plain,
        }
    }
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Style::Plain)
    }

    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::new(text, Style::Dim)
    }
}

/// A JSON value as a cell's text: lists with `, ` between their elements, `null` as nothing.
pub(crate) fn plain(value: Json<'_>) -> String {
    match value.kind() {
        audit::JsonKind::Null => String::new(),
        audit::JsonKind::Array => {
            value.elements().map(|item| item.display().into_owned()).collect::<Vec<_>>().join(", ")
        }
        _ => value.display().into_owned(),
    }
}

/// Text that a terminal shows as it is: control characters and signs that turn the direction of writing are
/// spelled out, for names and agents come from clients.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` cut to at most `limit` columns, with `…` where something is missing.
pub(crate) fn fitted(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if width(&out) + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) >= limit {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_spelled_out() {
        assert_eq!(visible("a\u{1b}[2J\u{202e}b\n"), "a\\u{1b}[2J\\u{202e}b\\u{a}");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fitted("刪除部署", 5), "刪除…");
        assert_eq!(fitted("abc", 3), "abc");
        assert_eq!(fitted("abcd", 3), "ab…");
    }
}
