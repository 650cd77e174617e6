//! Checkpoints on disk: the newest one, and the history that holds us to the older ones.
//!
//! `ledger/checkpoint` is the newest signed note, replaced as a whole. `ledger/checkpoints` is append-only: signed
//! notes, each followed by an empty line. The history keeps at most one a minute, and every one that was made when
//! a frame file was closed, a key was changed or the ledger was shut down; the others are replaced unkept.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use host::{Access, Disk, DiskFile, Secrecy, read_all, replace_file};
use tlog::{Checkpoint, CheckpointError, Note};

use crate::layout::Layout;

/// Largest checkpoint file that is read, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 64 << 10;
/// Largest history that is read, in bytes: about five million checkpoints.
const HISTORY_BYTES_MAX: u64 = 1 << 30;

/// The history, open for appending.
pub(crate) struct History {
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl History {
    /// Opens the history and cuts off a note that a crash left unfinished.
    pub(crate) fn open(disk: &dyn Disk, layout: &Layout) -> io::Result<Self> {
        let path = layout.history();
        let file = match disk.open(&path, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = disk.open(&path, Access::Create(Secrecy::Shared))?;
                disk.sync_dir(&layout.ledger())?;
                file
            }
            result => result?,
        };
        let bytes = read_all(disk, &path, HISTORY_BYTES_MAX)?;
        let (notes, length) = whole_notes(&bytes);
        // The last note may only be in memory when its sync failed; writing it again makes it durable.
        let last_start = length - notes.last().map_or(0, |note| note.len() + 1);
        let mut history = Self { file, length: last_start as u64 };
        history.append_text(&bytes[last_start..length])?;
        Ok(history)
    }

    pub(crate) fn append(&mut self, note: &Note) -> io::Result<()> {
        self.append_text(format!("{note}\n").as_bytes())
    }

    fn append_text(&mut self, text: &[u8]) -> io::Result<()> {
        // A longer note that failed before must not show behind a shorter one.
        self.file.set_len(self.length)?;
        self.file.write_at(&[IoSlice::new(text)], self.length)?;
        self.file.sync_data()?;
        self.length += text.len() as u64;
        Ok(())
    }
}

/// All notes in the history, oldest first; `Err` holds the text of one that cannot be read.
pub(crate) fn read_history(disk: &dyn Disk, layout: &Layout) -> io::Result<Vec<Result<Note, String>>> {
    let bytes = match read_all(disk, &layout.history(), HISTORY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (notes, _) = whole_notes(&bytes);
    Ok(notes.into_iter().map(|text| text.parse().map_err(|_| text.to_owned())).collect())
}

/// Puts the newest checkpoint in its place.
pub(crate) fn write_checkpoint(disk: &dyn Disk, layout: &Layout, note: &Note) -> io::Result<()> {
    let text = note.to_string();
    replace_file(disk, &layout.checkpoint(), Secrecy::Shared, text.as_bytes())
}

/// The newest checkpoint; `None` when none was ever made.
pub(crate) fn read_checkpoint(
    disk: &dyn Disk,
    layout: &Layout,
) -> io::Result<Option<Result<(Note, Checkpoint), CheckpointError>>> {
    match read_all(disk, &layout.checkpoint(), CHECKPOINT_BYTES_MAX) {
        Ok(bytes) => Ok(Some(parse(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Result<(Note, Checkpoint), CheckpointError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CheckpointError::Text)?;
    let note: Note = text.parse()?;
    let checkpoint = Checkpoint::try_from(&note)?;
    Ok((note, checkpoint))
}

/// The texts of the notes that are there as a whole, and the bytes that they take. A note is text, an empty line,
/// signatures, an empty line.
fn whole_notes(bytes: &[u8]) -> (Vec<&str>, usize) {
    let mut notes = Vec::new();
    let mut start = 0;
    let blank = |from: usize| bytes[from..].windows(2).position(|pair| pair == b"\n\n").map(|at| from + at);
    while let Some(text_end) = blank(start)
        && let Some(end) = blank(text_end + 2)
    {
        // What is not UTF-8 is no note; it stays in the list as an empty text, so that verifying finds it.
        notes.push(std::str::from_utf8(&bytes[start..=end]).unwrap_or_default());
        start = end + 2;
    }
    (notes, start)
}
