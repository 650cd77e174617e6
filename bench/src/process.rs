//! Runs a program to its end and says what it took from the machine, in the kernel's own account.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What a process took, its threads and finished children included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all processors.
    pub(crate) processor: Duration,
    /// Largest resident set, in bytes.
    pub(crate) memory_peak: u64,
    /// Time on the clock.
    pub(crate) elapsed: Duration,
}

/// Runs to the end; fails if the program does.
pub(crate) fn run(command: &mut Command) -> Result<Usage> {
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("{command:?}"))?;
    let (status, usage) = wait(child, started)?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(usage)
}

/// Waits for a child and collects its account.
#[expect(unsafe_code, reason = "the standard library does not hand out what wait4 says")]
pub(crate) fn wait(child: Child, started: Instant) -> Result<(ExitStatus, Usage)> {
    let id = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to live variables, and the child has not been waited for by anybody else.
    let waited = unsafe { libc::wait4(id, &mut status, 0, &mut usage) };
    ensure!(waited == id, "wait4: {}", std::io::Error::last_os_error());
    let usage = Usage {
        processor: duration(usage.ru_utime) + duration(usage.ru_stime),
        memory_peak: u64::try_from(usage.ru_maxrss)? * 1024,
        elapsed: started.elapsed(),
    };
    Ok((ExitStatus::from_raw(status), usage))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_usec.unsigned_abs() as u32 * 1_000)
}

/// Asks a process that we started, and have not yet waited for, to end.
#[expect(unsafe_code, reason = "the standard library cannot send SIGTERM")]
pub(crate) fn terminate(child: &Child) -> Result<()> {
    let id = libc::pid_t::try_from(child.id())?;
    // SAFETY: kill takes two numbers and touches no memory of ours.
    let answer = unsafe { libc::kill(id, libc::SIGTERM) };
    ensure!(answer == 0, "kill: {}", std::io::Error::last_os_error());
    Ok(())
}
