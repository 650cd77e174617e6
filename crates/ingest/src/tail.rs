//! Follows log files: through every kind of rotation, and on from the same place after a restart.
//!
//! The place is saved only after the ledger has committed what stands before it, so a crash repeats lines (which the ledger
//! recognises) and never skips one. A last line without its newline waits until it is complete.

mod follow;
mod position;
mod rotation;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use notify::Watcher;

use rotation::parent;
pub(crate) use rotation::{Packing, Rotated, matching};

use crate::feeder::StopFlag;
use crate::intake::{Deliver, Undelivered};
use follow::Log;
use position::Positions;

/// How a log is followed.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// A file, or a pattern with `*` and `?` in its last part.
    pub pattern: PathBuf,
    /// Where places are kept over restarts.
    pub positions: PathBuf,
    /// Longest time until a change is noticed when the system does not tell.
    pub poll_interval: Duration,
    /// A rotated file that did not grow for so long is complete, even if its last line has no newline.
    pub partial_line_patience: Duration,
}

impl TailOptions {
    /// Follows `pattern`, keeping places in the file `positions`.
    pub fn new(pattern: PathBuf, positions: PathBuf) -> Self {
        Self {
            pattern,
            positions,
            poll_interval: Duration::from_millis(500),
            partial_line_patience: Duration::from_secs(60),
        }
    }
}

/// Follows the files of one pattern. Drive it with [`Tail::run`], or step by step with [`Tail::poll`].
#[derive(Debug)]
pub struct Tail {
    options: TailOptions,
    positions: Positions,
    logs: Vec<Log>,
}

impl Tail {
    /// Loads the places. The files need not exist yet.
    ///
    /// # Errors
    /// When the file of places exists and cannot be read.
    pub fn open(options: TailOptions) -> io::Result<Self> {
        let positions = Positions::load(options.positions.clone())?;
        Ok(Self { options, positions, logs: Vec::new() })
    }

    /// Reads everything that is there now, delivers its complete lines and saves the places.
    ///
    /// # Errors
    /// When `deliver` fails. A file that cannot be read is logged and tried again at the next call.
    pub fn poll(&mut self, deliver: &mut dyn Deliver) -> Result<Progress, Undelivered> {
        for path in self.live_files() {
            if !self.logs.iter().any(|log| log.live() == path) {
                self.logs.push(Log::new(path));
            }
        }
        let mut progress = Progress::Idle;
        for log in &mut self.logs {
            let read = log.poll(&mut self.positions, &self.options, deliver)?;
            if read == Progress::Read {
                progress = Progress::Read;
            }
        }
        if progress == Progress::Read
            && let Err(error) = self.positions.save()
        {
            tracing::warn!(path = %self.options.positions.display(), %error, "cannot save the places in logs");
        }
        Ok(progress)
    }

    /// Follows until `deliver` says that it is stopping. When the ledger fails, the same lines are tried again.
    pub fn run(mut self, deliver: &mut dyn Deliver, stop: &StopFlag) {
        let (wake, woken) = sync_channel(1);
        let watcher = self.watch(move || {
            let _ = wake.try_send(()); // full means that it is woken already
        });
        while !stop.is_raised() {
            let looked = Instant::now();
            match self.poll(deliver) {
                Ok(Progress::Read) => continue,
                Ok(Progress::Idle) => {}
                Err(Undelivered::Stopped) => return,
                Err(error) => {
                    let error = crate::chain(&error);
                    tracing::warn!(error, "cannot keep what the log says; trying again");
                    std::thread::sleep(FAILED_PAUSE);
                }
            }
            match watcher {
                Some(_) => {
                    let _ = woken.recv_timeout(self.options.poll_interval); // over or woken: look either way
                }
                None => std::thread::sleep(self.options.poll_interval),
            }
            // A busy log would wake us for every line; the pause also gathers lines into fewer commits.
            std::thread::sleep(GATHER.saturating_sub(looked.elapsed()));
        }
    }

    fn live_files(&self) -> Vec<PathBuf> {
        matching(&self.options.pattern, Rotated::LeftOut).unwrap_or_default() // a directory that comes later
    }

    fn watch(&self, wake: impl Fn() + Send + 'static) -> Option<notify::RecommendedWatcher> {
        let mut watcher = notify::recommended_watcher(move |_| wake()).ok()?;
        watcher.watch(parent(&self.options.pattern), notify::RecursiveMode::NonRecursive).ok()?;
        Some(watcher)
    }
}

/// Pause after the ledger refused what was read.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// Least time between two looks.
const GATHER: Duration = Duration::from_millis(50);

/// What a look at the files gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new.
    Idle,
    /// Something was delivered; there may be more.
    Read,
}

/// Reads standard input (or any reader) to its end and delivers it as it comes.
///
/// # Errors
/// When reading fails; an [`Undelivered`] comes inside an [`io::Error`].
pub fn drain(mut input: impl io::Read, deliver: &mut dyn Deliver) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    let ended = loop {
        match input.read(&mut buffer) {
            Ok(0) => break Ok(total),
            Ok(read) => {
                deliver.push(&buffer[..read]).map_err(io::Error::other)?;
                total += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error), // what came before the damage is kept
        }
    };
    deliver.finish().map_err(io::Error::other)?;
    ended
}

/// Name of the file of places for a pattern, below `directory`.
pub fn positions_file(directory: &Path, pattern: &Path) -> PathBuf {
    let name: String = pattern
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
        .collect();
    let sample = position::Sample::of(pattern.as_os_str().as_encoded_bytes());
    directory.join(format!("{}-{}", &sample.name()[..8], &name[name.len().saturating_sub(80)..]))
}
