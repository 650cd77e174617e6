//! Files and standard input of the policy commands.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use policy::{Api, ServerVersion};

/// The name of a file, `-` for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The bytes of a policy document.
pub(crate) fn document(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = policy::MAX_DOCUMENT_BYTES as u64 + 1;
    if is_stdin(path) {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(bytes)
}

/// A policy that must load.
pub(crate) fn policy(path: &Path, server: ServerVersion) -> anyhow::Result<policy::Policy> {
    let loaded = policy::load(&document(path)?, server);
    match loaded.policy {
        Ok(policy) => Ok(policy),
        Err(error) => bail!("{error}: from file {}", path.display()),
    }
}

/// What a cluster serves: what Kubernetes itself does, and what a file adds.
pub(crate) fn api(path: Option<&Path>, server: ServerVersion) -> anyhow::Result<Api> {
    let built_in = Api::built_in(server);
    let Some(path) = path else { return Ok(built_in) };
    let text = String::from_utf8_lossy(&document(path)?).into_owned();
    built_in.with_api_resources(&text).with_context(|| format!("cannot use {}", path.display()))
}

/// A file of lines, decompressed by its name: `.gz`, `.zst`, or as it is.
pub(crate) fn lines(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if is_stdin(path) {
        return Ok(Box::new(BufReader::with_capacity(1 << 20, std::io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    Ok(match extension {
        Some("gz") => Box::new(BufReader::with_capacity(1 << 20, flate2::read::MultiGzDecoder::new(file))),
        Some("zst") => Box::new(BufReader::with_capacity(1 << 20, zstd::Decoder::new(file)?)),
        _ => Box::new(BufReader::with_capacity(1 << 20, file)),
    })
}
