//! What the manifests say, in the words of `cargo metadata`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Metadata<P> {
    packages: Vec<P>,
}

/// A crate that is built into something of ours, our own among them.
#[derive(Deserialize)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
}

/// One member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    manifest_path: PathBuf,
}

/// One edge from a member.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev` or `build`; none for an ordinary one.
    pub(crate) kind: Option<String>,
    /// Where it is, for our own crates.
    pub(crate) path: Option<PathBuf>,
}

impl Package {
    /// The manifest, relative to the root.
    pub(crate) fn manifest<'a>(&'a self, root: &Path) -> &'a Path {
        self.manifest_path.strip_prefix(root).unwrap_or(&self.manifest_path)
    }
}

/// The members of the workspace, without anything that is fetched.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>> {
    metadata(root, &["--no-deps", "--offline"])
}

/// Everything that any feature builds on any target; what is not here yet is fetched.
pub(crate) fn crates(root: &Path) -> Result<Vec<Crate>> {
    metadata(root, &["--all-features", "--locked"])
}

fn metadata<P: DeserializeOwned>(root: &Path, arguments: &[&str]) -> Result<Vec<P>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice::<Metadata<P>>(&output.stdout)?.packages)
}
