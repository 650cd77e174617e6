//! Standard input of a server: it may pause for hours, and cannot be read a second time.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::feeder::{Feeder, StopFlag};
use crate::intake::{Deliver as _, Undelivered};

/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait while the ledger is busy; the writer of the pipe waits then.
const PIECES_AHEAD: usize = 16;
/// A pause of this length commits what is complete.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes after which is committed without a pause.
const UNSETTLED_BYTES_MAX: usize = 8 << 20;
/// Wait before the log is tried again after it refused.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Reads a pipe to its end. Complete events are committed whenever nothing more comes for a moment.
///
/// What the log does not take is kept and offered again until it does, or `stop` is raised; memory is bounded by the longest
/// item. Returns the bytes read.
///
/// # Errors
/// When the pipe cannot be read. What came before is committed.
pub fn follow_pipe(pipe: impl Read + Send + 'static, feeder: &mut Feeder, stop: &StopFlag) -> io::Result<u64> {
    let (sender, pieces) = sync_channel(PIECES_AHEAD);
    // A blocked read cannot be interrupted, so its thread is left to the end of the process.
    std::thread::Builder::new().name("pipe".to_owned()).spawn(move || read(pipe, &sender))?;
    Follower { feeder, stop, unsettled: Vec::new(), total: 0 }.run(&pieces)
}

fn read(mut pipe: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer[..read].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = piece.is_err();
        if sender.send(piece).is_err() || is_last {
            return;
        }
    }
}

struct Follower<'a> {
    feeder: &'a mut Feeder,
    stop: &'a StopFlag,
    /// What was read and is not known to be committed.
    unsettled: Vec<u8>,
    total: u64,
}

impl Follower<'_> {
    fn run(mut self, pieces: &Receiver<io::Result<Vec<u8>>>) -> io::Result<u64> {
        let ended = loop {
            match pieces.recv_timeout(PAUSE) {
                Ok(Ok(piece)) => self.take(&piece),
                Ok(Err(error)) => break Err(error),
                Err(RecvTimeoutError::Timeout) => self.settle(),
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
            }
            if self.stop.is_raised() {
                break Ok(());
            }
        };
        self.settle();
        if let Err(error) = self.feeder.finish() {
            tracing::error!(
                bytes = self.unsettled.len(),
                "the end of the pipe could not be kept: {}",
                crate::chain(&error)
            );
        }
        ended.map(|()| self.total)
    }

    fn take(&mut self, piece: &[u8]) {
        self.total += piece.len() as u64;
        self.unsettled.extend_from_slice(piece);
        if let Err(error) = self.feeder.push(piece) {
            self.offer_again(error);
        }
        if self.unsettled.len() - self.feeder.unfinished() > UNSETTLED_BYTES_MAX {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.unsettled.len() > self.feeder.unfinished() {
            match self.feeder.settle() {
                Ok(()) => self.forget_settled(),
                Err(error) => self.offer_again(error),
            }
        }
    }

    /// The log recognises what it took the first time.
    fn offer_again(&mut self, mut error: Undelivered) {
        while !self.stop.is_raised() {
            tracing::warn!(
                bytes = self.unsettled.len(),
                "the log refuses what the pipe brings: {}",
                crate::chain(&error)
            );
            std::thread::sleep(RETRY_WAIT);
            match self.feeder.push(&self.unsettled).and_then(|()| self.feeder.settle()) {
                Ok(()) => return self.forget_settled(),
                Err(again) => error = again,
            }
        }
    }

    fn forget_settled(&mut self) {
        let settled = self.unsettled.len() - self.feeder.unfinished().min(self.unsettled.len());
        self.unsettled.drain(..settled);
    }
}
