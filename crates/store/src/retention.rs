//! Retention and legal holds: which parts of which segments may go. Planning is pure.

use audit::Micros;
use serde::{Deserialize, Serialize};

/// A named reason to keep entries whatever their age. Every limit that is absent does not limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Name, unique in the store.
    pub name: String,
    /// Only this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Events at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Micros>,
    /// Events before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
}
