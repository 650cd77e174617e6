//! YAML 1.1 as the API server reads it.
//!
//! The server's YAML library decides what loads: it knows `yes`, `on` and `0x1F`, takes UTF-16, stops after
//! the first document and nests at most 10,000 levels. Readers of YAML 1.2 answer differently on exactly the
//! files a person gets wrong, so this module follows the older rules and keeps the place of every node.
//!
//! Does not know what a policy is.

mod parser;
mod reader;
mod resolve;
mod scalar;
mod scanner;
mod tag;
mod token;
mod tree;
mod value;

pub(crate) use reader::decode_text;
pub(crate) use resolve::{Resolved, plain_is_text, resolve};
pub(crate) use tree::{Kind, NodeId, Tree};
pub(crate) use value::{ConvertError, to_json};

/// Deepest nesting of flow or block collections; deeper documents are a syntax error.
pub(crate) const MAX_DEPTH: usize = 10_000;

/// Bytes of JSON that a document may become once its aliases are written out; more is refused, so that a
/// few kilobytes of aliases cannot cost gigabytes.
pub(crate) const MAX_EXPANDED_BYTES: usize = 64 << 20;

/// A place in the decoded text: byte offset, character index, line and column, all from zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: usize,
    pub(crate) index: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Which stage refused the text; it decides how the line number is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Reader,
    Scanner,
    Parser,
    Decoder,
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    origin: Origin,
    problem: String,
    at: Mark,
    context: Mark,
}

impl SyntaxError {
    fn reader(problem: &str) -> Self {
        Self::new(Origin::Reader, problem, Mark::default(), Mark::default())
    }

    fn decoder(problem: impl Into<String>) -> Self {
        Self::new(Origin::Decoder, problem, Mark::default(), Mark::default())
    }

    fn new(origin: Origin, problem: impl Into<String>, at: Mark, context: Mark) -> Self {
        Self { origin, problem: problem.into(), at, context }
    }

    /// Line of the problem, from one, as an editor counts; absent where the library knows none.
    pub(crate) fn editor_line(&self) -> Option<usize> {
        match self.origin {
            Origin::Reader | Origin::Decoder => None,
            Origin::Scanner | Origin::Parser => Some(self.at.line + 1),
        }
    }
}

impl std::fmt::Display for SyntaxError {
    /// The library's own text: parser errors count lines from zero and omit line zero.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = match (self.at.line, self.context.line) {
            (0, context) => context,
            (line, _) if self.origin == Origin::Scanner => line + 1,
            (line, _) => line,
        };
        f.write_str("yaml: ")?;
        if line != 0 {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.problem)
    }
}

/// The comments of a text with their lines, from one, without their `#`.
pub(crate) fn comments(text: &str) -> Vec<(usize, String)> {
    let Ok(tree) = Tree::parse(text.as_bytes()) else { return Vec::new() };
    let inside = tree.scalar_spans();
    let mut found = Vec::new();
    let mut offset = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let mut hashes = line.match_indices('#').filter(|(at, _)| {
            let after_blank = line[..*at].chars().next_back().is_none_or(char::is_whitespace);
            after_blank && !inside.iter().any(|&(start, end)| (start..end).contains(&(offset + at)))
        });
        if let Some((at, _)) = hashes.next() {
            let comment = line[at + 1..].trim_end();
            found.push((i + 1, comment.strip_prefix(' ').unwrap_or(comment).to_owned()));
        }
        offset += line.len();
    }
    found
}
