//! Exit codes, the same for every command. The table in `docs/cli.md` is this file.

use std::process::ExitCode;

/// Done; a question found something; a check found nothing wrong.
pub(crate) const OK: u8 = 0;
/// A question found nothing, or a check found something wrong.
pub(crate) const NO: u8 = 1;
/// The command line is wrong (also given by the parser); `scan`: findings at or above `--fail-on`.
pub(crate) const USAGE: u8 = 2;
/// Input or data directory cannot be read or written; the message says what to do.
pub(crate) const DATA: u8 = 3;

/// `OK` if `yes`, else `NO`.
pub(crate) fn found(yes: bool) -> ExitCode {
    ExitCode::from(if yes { OK } else { NO })
}

/// The command line is wrong in a way that the parser cannot see: a query, a time, a name. Ends with [`USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The code that an error ends with.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { USAGE } else { DATA }
}
