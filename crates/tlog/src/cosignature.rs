//! Cosignatures: a witness's statement that it saw a checkpoint at a time, and never an inconsistent one.

use crate::{Algorithm, Note, NoteError, SigningKey, VerifierKey};

/// A verified cosignature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosignature {
    /// When the witness saw the checkpoint, in seconds since 1970.
    pub time: u64,
}

/// Why there is no valid cosignature.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CosignatureError {
    /// The key signs plain notes.
    #[error("the key is not a witness's key")]
    Algorithm,
    /// No signature by the witness, or a wrong one.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Adds a witness's cosignature to a checkpoint note.
pub fn cosign(mut note: Note, key: &SigningKey, time: u64) -> Result<Note, CosignatureError> {
    if key.verifier().algorithm() != Algorithm::Cosignature {
        return Err(CosignatureError::Algorithm);
    }
    let mut bytes = time.to_be_bytes().to_vec();
    bytes.extend(key.sign(&message(note.text(), time)));
    note.push(key.verifier(), bytes);
    Ok(note)
}

/// Checks a witness's cosignature on a checkpoint note.
pub fn verify_cosignature(note: &Note, key: &VerifierKey) -> Result<Cosignature, CosignatureError> {
    if key.algorithm() != Algorithm::Cosignature {
        return Err(CosignatureError::Algorithm);
    }
    let signature = note.signature_by(key)?;
    let forged = NoteError::Forged { name: key.name().to_owned(), id: key.id() };
    let Some((time, bytes)) = signature.bytes.split_first_chunk() else {
        return Err(forged.into());
    };
    let time = u64::from_be_bytes(*time);
    if !key.accepts(&message(note.text(), time), bytes) {
        return Err(forged.into());
    }
    Ok(Cosignature { time })
}

//= https://c2sp.org/tlog-cosignature#format
//# the fixed string "cosignature/v1", a newline, "time ", the timestamp, a newline, the whole note body
fn message(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}
