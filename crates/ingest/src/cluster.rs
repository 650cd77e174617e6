//! The name of a cluster: where events come from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Name of a cluster: 1 to [`ClusterName::BYTES_MAX`] letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
///
/// Wide enough for the names that EKS, GKE and AKS give, narrow enough to stand in a path, a file name and a metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

/// The text is not a cluster name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a cluster name: use 1 to {} letters, digits, '-', '_' and '.', beginning with a letter or digit",
    ClusterName::BYTES_MAX
)]
pub struct NotAClusterName {
    /// What was given, cut to a readable length.
    pub text: String,
}

impl ClusterName {
    /// Longest name: what fits a DNS label, with room for a cloud's prefix.
    pub const BYTES_MAX: usize = 128;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = NotAClusterName;

    fn from_str(text: &str) -> Result<Self, NotAClusterName> {
        let well_formed = text.len() <= Self::BYTES_MAX
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !well_formed {
            return Err(NotAClusterName { text: text.chars().take(Self::BYTES_MAX).collect() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_narrow() {
        for good in ["prod", "eu-1.prod_a", "9", &"a".repeat(128)] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".", "..", "a/b", "a b", "ü", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
    }
}
