//! `kubewitness policy fmt`, `convert` and `schema`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use policy::ServerVersion;

use super::input;

/// Exit codes: 0 done, or already formatted; 1 with --check, not formatted; 3 a file cannot be read or written.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Policy files; `-` formats standard input to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only say which files are not formatted
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut unformatted = false;
        for path in &self.files {
            let bytes = input::document(path)?;
            let policy = load(&bytes, ServerVersion::NEWEST, path)?;
            let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?;
            let formatted = policy::format_text(&text, &policy);
            if self.check {
                if formatted != text {
                    unformatted = true;
                    writeln!(anstream::stdout(), "{}", path.display())?;
                }
            } else if input::is_stdin(path) {
                std::io::stdout().write_all(formatted.as_bytes())?;
            } else if formatted != text {
                std::fs::write(path, formatted).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(crate::exit::found(!unformatted))
    }
}

/// Exit codes: 0 converted, 3 the file cannot be read or does not load in any version.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Policy file of audit.k8s.io/v1beta1 or v1alpha1; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Convert {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let bytes = input::document(&self.file)?;
        let policy = load(&bytes, ServerVersion::OLDEST, &self.file)
            .or_else(|_| load(&bytes, ServerVersion::NEWEST, &self.file))?;
        let text = String::from_utf8_lossy(&bytes);
        std::io::stdout().write_all(policy::format_text(&text, &policy).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn load(bytes: &[u8], server: ServerVersion, path: &std::path::Path) -> anyhow::Result<policy::Policy> {
    match policy::load(bytes, server).policy {
        Ok(policy) => Ok(policy),
        Err(error) => bail!("{error}: from file {}", path.display()),
    }
}

/// Prints the JSON schema of a policy.
pub(super) fn schema() -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout(), "{:#}", policy::schema())?;
    Ok(ExitCode::SUCCESS)
}
