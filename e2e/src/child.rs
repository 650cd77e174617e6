//! A process of ours: started with its output in a file, told to stop, waited for within a limit.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{ChildStdin, Command};

/// A running child. It is killed when this is dropped, so that nothing is left behind.
pub(crate) struct Child {
    name: &'static str,
    errors: PathBuf,
    pub(crate) process: tokio::process::Child,
    /// Held open: the end of its input tells the child that we are gone, and waiting for it would close it.
    _input: Option<ChildStdin>,
}

impl Child {
    /// Starts `program`; its standard error is appended to `errors`, its standard output is a pipe.
    pub(crate) fn start(name: &'static str, program: &Path, arguments: &[OsString], errors: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(errors)?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let input = process.stdin.take();
        Ok(Self { name, errors: errors.to_owned(), process, _input: input })
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.process.kill().await.with_context(|| format!("killing {}", self.name))
    }

    /// SIGTERM, and the wait for an orderly end.
    pub(crate) async fn stop(mut self, wait_max: Duration) -> Result<ExitStatus> {
        let id = self.process.id().with_context(|| format!("{} had already ended", self.name))?;
        terminate(id)?;
        match tokio::time::timeout(wait_max, self.process.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("{} did not end within {wait_max:?} of SIGTERM\n{}", self.name, self.last_words()),
        }
    }

    /// Fails if the process has ended by itself.
    pub(crate) fn must_live(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.last_words()),
        }
    }

    /// The last lines of its standard error.
    fn last_words(&self) -> String {
        let text = std::fs::read(&self.errors).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// Sends SIGTERM to a process that we started and have not yet waited for, so that the number is still its own.
#[expect(unsafe_code, reason = "the standard library cannot send SIGTERM")]
fn terminate(id: u32) -> Result<()> {
    let id = libc::pid_t::try_from(id)?;
    // SAFETY: kill takes two numbers and touches no memory of ours.
    let answer = unsafe { libc::kill(id, libc::SIGTERM) };
    if answer == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
