//! Checkpoints: which log, how many entries, which root.

use std::{fmt, str::FromStr};

use crate::{Hash, Note, NoteError, SigningKey, TreeSize};

/// The state of a log at one size. Signed, it is a promise that can be held against the log for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: TreeSize,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Why text is no checkpoint.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The three lines are not there or not in their form.
    #[error("not a checkpoint: expected the lines origin, size and root")]
    Text,
    /// The note around it is not one.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The checkpoint as a note signed by each of the keys.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Note, NoteError> {
        let note = Note::new(self.to_string())?;
        Ok(keys.iter().fold(note, |note, key| note.sign(key)))
    }
}

/// The text that is signed. Lines after the third are extensions and are not kept.
impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Text)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Text);
        };
        let number: u64 = size.parse().map_err(|_| CheckpointError::Text)?;
        let root = root.parse().map_err(|_| CheckpointError::Text)?;
        // A size has one spelling: no sign, no leading zeros.
        if origin.is_empty() || number.to_string() != size || lines.any(str::is_empty) {
            return Err(CheckpointError::Text);
        }
        Ok(Self { origin: origin.to_owned(), size: TreeSize::new(number), root })
    }
}

impl TryFrom<&Note> for Checkpoint {
    type Error = CheckpointError;

    fn try_from(note: &Note) -> Result<Self, CheckpointError> {
        note.text().parse()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}
