//! The configuration as it is typed. Reading it does nothing.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::settings::nearest;

/// What stands in the file; absent settings have their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConfig {
    pub(crate) data_dir: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) webhook: RawWebhook,
    pub(crate) api: RawApi,
    pub(crate) tail: Vec<RawTail>,
    pub(crate) retention: Vec<RawRetention>,
    pub(crate) ledger: RawLedger,
    pub(crate) store: RawStore,
    pub(crate) log: RawLog,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawWebhook {
    pub(crate) listen: Option<String>,
    pub(crate) transport: Option<String>,
    pub(crate) credential: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) client_authorities: Option<String>,
    pub(crate) tokens: Option<String>,
    pub(crate) body_bytes_max: Option<String>,
    pub(crate) memory_max: Option<String>,
    pub(crate) memory_wait_max: Option<String>,
    pub(crate) connections_max: Option<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawApi {
    pub(crate) listen: Option<String>,
    pub(crate) connections_max: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTail {
    pub(crate) path: String,
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRetention {
    pub(crate) cluster: Option<String>,
    pub(crate) age_max: Option<String>,
    pub(crate) bytes_max: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLedger {
    pub(crate) pending_bytes_max: Option<String>,
    pub(crate) group_wait_max: Option<String>,
    pub(crate) free_bytes_min: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStore {
    pub(crate) seal_after: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLog {
    pub(crate) format: Option<String>,
    pub(crate) filter: Option<String>,
}

impl RawConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// Names the file, the line and the column, and the nearest real setting if one does not exist.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| anyhow::anyhow!("cannot read the configuration {}: {cause}", path.display()))?;
        Self::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    /// Reads YAML; an empty text is the default configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        yaml_serde::from_str(text).map_err(|error| with_suggestion(&error.to_string()))
    }
}

/// Adds the nearest name to the library's "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names[..] {
        [unknown, ref known @ ..] if message.contains("unknown field") => match nearest(unknown, known) {
            Some(nearest) => {
                let place = message.find(" at line").map_or("", |place| &message[place..]);
                format!("there is no setting `{unknown}`{place}; did you mean `{nearest}`?")
            }
            None => message.to_owned(),
        },
        _ => message.to_owned(),
    }
}
