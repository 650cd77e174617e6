//! What is wrong with a rule file, where, and what was probably meant.

use std::fmt;

/// One rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Path or other name, for messages.
    pub name: String,
    /// The YAML text.
    pub text: String,
}

impl Source {
    /// A file by its name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// How much a problem costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the rule works.
    Note,
    /// The rule is loaded but does not do what its author meant.
    Warning,
    /// The rule is not loaded, or can never match. The other rules are not concerned.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a rule file; both numbers from 1, 0 if unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One thing wrong with one rule file. The rest of the file still loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the [`Source`].
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// How much it costs.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// How to mend it, or the nearest right name.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "{}:{line}:{column}: {}: {}", self.file, self.severity, self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// A problem before its file is known; what the parsers return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) severity: Severity,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    pub(crate) fn error(place: Place, what: impl Into<String>) -> Self {
        Self { place, severity: Severity::Error, what: what.into(), hint: None }
    }

    pub(crate) fn warning(place: Place, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, what) }
    }

    pub(crate) fn note(place: Place, what: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(place, what) }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the nearest of `names` to `word` as the hint, if one is near.
    pub(crate) fn nearest<'n>(self, word: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(word, names) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    pub(crate) fn in_file(self, file: &str) -> Problem {
        Problem { file: file.to_owned(), place: self.place, severity: self.severity, what: self.what, hint: self.hint }
    }
}

/// The name most like `word`, if any is like it at all.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const LIKE_MIN: f64 = 0.75;
    // Long words cost their square to compare, and no right name is long.
    const WORD_MAX: usize = 128;
    if word.len() > WORD_MAX {
        return None;
    }
    let score = |name: &str| strsim::jaro_winkler(&word.to_lowercase(), &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= LIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
