//! Which API server: what it accepts differs by version.

use std::fmt;
use std::str::FromStr;

/// A Kubernetes minor version of an API server, `1.MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    minor: u16,
}

/// The text is not a version that this build knows rules for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown server version {text:?}: use 1.{oldest} to 1.{newest}", oldest = ServerVersion::OLDEST.minor, newest = ServerVersion::NEWEST.minor)]
pub struct UnknownVersion {
    text: String,
}

impl ServerVersion {
    /// Oldest version whose rules are known.
    pub const OLDEST: Self = Self { minor: 23 };
    /// Newest version whose rules are known.
    pub const NEWEST: Self = Self { minor: 37 };
    /// The version assumed when none is given.
    pub const DEFAULT: Self = Self { minor: 36 };

    /// The version `1.minor`, if its rules are known.
    pub fn minor(minor: u16) -> Option<Self> {
        (Self::OLDEST.minor..=Self::NEWEST.minor).contains(&minor).then_some(Self { minor })
    }

    /// The minor version.
    pub fn minor_number(self) -> u16 {
        self.minor
    }

    /// Every known version, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::OLDEST.minor..=Self::NEWEST.minor).map(|minor| Self { minor })
    }

    /// `group: "*"` matches every group.
    pub fn has_any_group(self) -> bool {
        self.minor >= 36
    }

    /// Decodes strictly first and logs what it complains about; older servers decode leniently in silence.
    pub fn decodes_strictly(self) -> bool {
        self.minor >= 26
    }

    /// Whether `audit.k8s.io/<version>` is served.
    pub fn serves_audit(self, version: &str) -> bool {
        version == "v1" || (self.minor < 24 && matches!(version, "v1beta1" | "v1alpha1"))
    }

    /// Records a PATCH body only after checking that it is JSON.
    pub fn checks_patch_bodies(self) -> bool {
        self.minor >= 37
    }
}

impl Default for ServerVersion {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for ServerVersion {
    type Err = UnknownVersion;

    /// Accepts `1.36`, `v1.36` and `1.36.2`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_start_matches('v').strip_prefix("1.");
        digits
            .and_then(|rest| rest.split(['.', '-', '+']).next())
            .and_then(|minor| minor.parse().ok())
            .and_then(Self::minor)
            .ok_or_else(|| UnknownVersion { text: text.to_owned() })
    }
}
