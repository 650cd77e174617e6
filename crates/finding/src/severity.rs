//! How grave a finding is.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How grave a finding is; the names are Sigma's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing in an investigation; nobody is woken.
    Informational,
    /// Unusual; explains itself more often than not.
    Low,
    /// Should be looked at today.
    Medium,
    /// Should be looked at now.
    High,
    /// An attack in all likelihood, with far-reaching effect.
    Critical,
}

/// A word that is no severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSeverityError(String);

impl fmt::Display for ParseSeverityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no severity; write informational, low, medium, high or critical", self.0)
    }
}

impl std::error::Error for ParseSeverityError {}

impl Severity {
    /// All severities, the least grave first.
    pub const ALL: [Severity; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = ParseSeverityError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let lower = word.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|severity| severity.name() == lower || (lower == "info" && *severity == Self::Informational))
            .ok_or_else(|| ParseSeverityError(word.to_owned()))
    }
}
