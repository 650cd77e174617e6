//! What is wrong with a query, where, and what was meant.

use std::fmt;

/// A query that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct ParseError {
    /// Place of the first wrong character, from one.
    pub column: usize,
    /// Number of wrong characters, at least one.
    pub width: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// Kinds of mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Problem {
    TooLong { bytes: usize, limit: usize },
    TooDeep { limit: usize },
    TooManyTerms { limit: usize },
    Expected { what: &'static str, found: String },
    Unclosed { what: &'static str },
    UnknownField { name: String, nearest: Option<String> },
    WrongValue { field: String, value: String, expected: &'static str },
    NotOrdered { field: String },
    EmptyRange,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes, limit } => write!(f, "the query has {bytes} bytes; the limit is {limit}"),
            Self::TooDeep { limit } => write!(f, "nested deeper than {limit} levels"),
            Self::TooManyTerms { limit } => write!(f, "more than {limit} terms"),
            Self::Expected { what, found } if found.is_empty() => write!(f, "expected {what}, found the end"),
            Self::Expected { what, found } => write!(f, "expected {what}, found `{found}`"),
            Self::Unclosed { what } => write!(f, "the {what} is never closed"),
            Self::UnknownField { name, nearest: Some(nearest) } => {
                write!(
                    f,
                    "there is no field `{name}`; did you mean `{nearest}`? To look for the text, put it in quotes"
                )
            }
            Self::UnknownField { name, nearest: None } => {
                write!(f, "there is no field `{name}`; to look for the text, put it in quotes")
            }
            Self::WrongValue { field, value, expected } => {
                write!(f, "`{value}` does not fit `{field}`: expected {expected}")
            }
            Self::NotOrdered { field } => {
                write!(f, "`{field}` has no order: use `{field}:value`, not a comparison or range")
            }
            Self::EmptyRange => f.write_str("the range ends before it begins"),
        }
    }
}

impl ParseError {
    /// The query with carets under what is wrong, and the message below.
    pub fn render(&self, query: &str) -> String {
        /// Characters of a long query that are shown around the mistake.
        const SHOWN: usize = 100;
        let start = (self.column - 1).saturating_sub(SHOWN / 2);
        // Line breaks and tabs would move the carets.
        let shown: String =
            query.chars().skip(start).take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = self.column - 1 - start;
        let carets = self.width.clamp(1, SHOWN - before.min(SHOWN - 1));
        format!("{shown}\n{}{}\n{}", " ".repeat(before), "^".repeat(carets), self.problem)
    }
}
