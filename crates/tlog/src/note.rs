//! Signed notes: text followed by lines of signatures.

use std::{fmt, str::FromStr};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{
    Algorithm, KeyId, SigningKey, VerifierKey,
    key::{KeyError, check_name},
};

/// Largest note that is read, in bytes.
const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signatures that are read.
const SIGNATURES_MAX: usize = 100;
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Text with signatures over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line: who, which key, and the signature's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: KeyId,
    /// What the key's algorithm makes.
    pub bytes: Vec<u8>,
}

/// Why bytes are no note, or no note of this key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Over the size that is read.
    #[error("a signed note of {found} bytes is over the limit of {NOTE_BYTES_MAX}")]
    Large {
        /// Bytes found.
        found: usize,
    },
    /// Over the number of signatures that are read.
    #[error("a signed note has more than {SIGNATURES_MAX} signatures")]
    Signatures,
    /// Not text, a blank line and signature lines.
    #[error("not a signed note: expected text, a blank line and signature lines")]
    Text,
    /// No signature by a key that was asked for.
    #[error("not signed by {name} (key {id})")]
    Unsigned {
        /// Name of the key that was asked for.
        name: String,
        /// Its id.
        id: KeyId,
    },
    /// There is a signature by that name and id, but it is not over this text.
    #[error("the signature of {name} (key {id}) is wrong")]
    Forged {
        /// Name of the key.
        name: String,
        /// Its id.
        id: KeyId,
    },
}

impl Note {
    /// A note without signatures. The text ends with a line break and has no control characters but line breaks.
    pub fn new(text: String) -> Result<Self, NoteError> {
        let is_bad = |c: char| c < ' ' && c != '\n';
        if text.len() < 2 || !text.ends_with('\n') || text.contains(is_bad) {
            return Err(NoteError::Text);
        }
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Large { found: text.len() });
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Adds the signature of a key over the text.
    pub fn sign(mut self, key: &SigningKey) -> Self {
        let bytes = key.sign(self.text.as_bytes());
        self.push(key.verifier(), bytes);
        self
    }

    pub(crate) fn push(&mut self, key: &VerifierKey, bytes: Vec<u8>) {
        let signature = Signature { name: key.name().to_owned(), id: key.id(), bytes };
        self.signatures.push(signature);
    }

    /// The text that is signed, with its last line break.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, verified or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Signature of this name and id, not yet verified.
    pub(crate) fn signature_by(&self, key: &VerifierKey) -> Result<&Signature, NoteError> {
        let id = key.id();
        self.signatures
            .iter()
            .find(|signature| signature.name == key.name() && signature.id == id)
            .ok_or_else(|| NoteError::Unsigned { name: key.name().to_owned(), id })
    }

    /// Checks that the key signed the text.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let signature = self.signature_by(key)?;
        let is_good = key.algorithm() == Algorithm::Ed25519 && key.accepts(self.text.as_bytes(), &signature.bytes);
        if is_good {
            return Ok(());
        }
        Err(NoteError::Forged { name: key.name().to_owned(), id: key.id() })
    }

    /// Checks that one of the keys signed the text, and returns that key. A wrong signature by one of them is an error.
    pub fn verify_any<'k>(&self, keys: &'k [VerifierKey]) -> Result<&'k VerifierKey, NoteError> {
        let mut unsigned = None;
        for key in keys {
            match self.verify(key) {
                Ok(()) => return Ok(key),
                Err(error @ NoteError::Unsigned { .. }) => unsigned = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(unsigned.unwrap_or(NoteError::Text))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Large { found: note.len() });
        }
        let blank = note.rfind("\n\n").ok_or(NoteError::Text)?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Text)?;
        let mut parsed = Self::new(text.to_owned())?;
        for line in lines.split('\n') {
            if parsed.signatures.len() == SIGNATURES_MAX {
                return Err(NoteError::Signatures);
            }
            parsed.signatures.push(signature(line)?);
        }
        Ok(parsed)
    }
}

fn signature(line: &str) -> Result<Signature, NoteError> {
    let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(NoteError::Text)?;
    let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Text)?;
    check_name(name).map_err(|_: KeyError| NoteError::Text)?;
    let content = BASE64_STANDARD.decode(encoded).map_err(|_| NoteError::Text)?;
    let (id, bytes) = content.split_first_chunk().ok_or(NoteError::Text)?;
    if bytes.is_empty() {
        return Err(NoteError::Text);
    }
    Ok(Signature { name: name.to_owned(), id: KeyId(*id), bytes: bytes.to_vec() })
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, id, bytes } in &self.signatures {
            let encoded = BASE64_STANDARD.encode([&id.0[..], bytes].concat());
            writeln!(f, "{SIGNATURE_PREFIX}{name} {encoded}")?;
        }
        Ok(())
    }
}
