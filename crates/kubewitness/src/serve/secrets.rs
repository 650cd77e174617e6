//! What is made at the first start and kept secret: the tokens of the webhook and of the API.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use host::Host;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 24;

/// The tokens of a data directory.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// File of the webhook's token, in the form of a token file.
    pub(crate) webhook_path: PathBuf,
    pub(crate) webhook: String,
    /// File of the API's token.
    pub(crate) api_path: PathBuf,
    pub(crate) api: String,
}

impl Secrets {
    /// Reads the tokens, or makes them.
    pub(crate) fn ensure(host: &Host, data_dir: &Path) -> anyhow::Result<Self> {
        let keys = data_dir.join("keys");
        fs::create_dir_all(&keys).with_context(|| format!("cannot make {}", keys.display()))?;
        let (webhook_path, api_path) = (keys.join("webhook.token"), keys.join("api.token"));
        let webhook = ensure_token(host, &webhook_path)?;
        let api = ensure_token(host, &api_path)?;
        Ok(Self { webhook_path, webhook, api_path, api })
    }
}

fn ensure_token(host: &Host, path: &Path) -> anyhow::Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        let token = text.split_whitespace().next().unwrap_or_default().to_owned();
        anyhow::ensure!(
            token.len() >= ingest::TOKEN_BYTES_MIN,
            "{} holds no token of {} characters or more: delete it to have a new one made",
            path.display(),
            ingest::TOKEN_BYTES_MIN
        );
        return Ok(token);
    }
    let mut random = [0; TOKEN_BYTES];
    host.entropy.fill(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    Ok(token)
}
