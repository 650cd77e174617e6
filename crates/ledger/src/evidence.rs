//! Evidence bundles (`.kwe`): entries with everything that proves them, for someone who has nothing else.
//!
//! A zstd stream of JSON lines; see `docs/formats/evidence.md`. The first line is the head with the signed checkpoint and
//! the public key, every other line one entry with its inclusion proof, the last one says how many there were.

use std::io::{self, BufRead, BufReader, Read, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use tlog::{Checkpoint, Hash, InclusionProof, LeafIndex, Note, TreeSize, VerifierKey, verify_inclusion};

use crate::{Entry, ReadError, Reader, options::PAYLOAD_BYTES_MAX};

/// Version of the format that is written and read.
pub const EVIDENCE_VERSION: u32 = 1;
/// Longest line that is read, in bytes: the largest payload as base64 with its proof.
const LINE_BYTES_MAX: u64 = PAYLOAD_BYTES_MAX as u64 * 2 + (1 << 20);
/// Most hashes in an inclusion proof: one for each level of the largest tree.
const PROOF_HASHES_MAX: usize = 64;
const ZSTD_LEVEL: i32 = 9;
/// Largest zstd window that is accepted, as a power of two: 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What the bundle says about itself. Nothing of it is proven but what the checkpoint covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The query that found the entries.
    pub query: String,
    /// When the bundle was made, in microseconds since 1970.
    pub created: i64,
    /// The program that made it, with its version.
    pub by: String,
    /// Anything else that the maker wants to tell.
    #[serde(default)]
    pub note: String,
}

/// What verifying a bundle found: everything in it is in the log that the key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the bundle says about itself.
    pub case: Case,
    /// The checkpoint that covers the entries.
    pub checkpoint: Checkpoint,
    /// The key that signed the checkpoint. Whether it is the right one, the verifier has to know.
    pub key: VerifierKey,
    /// Number of entries.
    pub entries: u64,
}

/// Why a bundle is not written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// No checkpoint covers the entry yet.
    #[error("entry {index} is not covered by a checkpoint yet: try again in a second")]
    Unsigned {
        /// The entry.
        index: LeafIndex,
    },
    /// The newest checkpoint is signed by no key of the log.
    #[error("the newest checkpoint is signed by no key of the log")]
    Key,
    /// An entry or its proof cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bundle cannot be written.
    #[error("cannot write the evidence bundle")]
    Write(#[from] io::Error),
}

/// Why a bundle is not believed.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It cannot be read.
    #[error("cannot read the evidence bundle")]
    Read(#[from] io::Error),
    /// A line is not what the format says.
    #[error("line {line} of the evidence bundle is malformed: {reason}")]
    Malformed {
        /// From one.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It has another version.
    #[error("the evidence bundle has version {found}, this program reads version {EVIDENCE_VERSION}")]
    Version {
        /// The version it has.
        found: u32,
    },
    /// The checkpoint is not signed by the key, or the key is not one of those that the verifier trusts.
    #[error("the checkpoint of the evidence bundle cannot be trusted: {reason}")]
    Checkpoint {
        /// Why not.
        reason: String,
    },
    /// An entry is not in the log as it stands in the bundle.
    #[error("line {line}: entry {index} is not in the log as it stands here: {reason}")]
    Entry {
        /// From one.
        line: u64,
        /// The entry.
        index: LeafIndex,
        /// Why not.
        reason: String,
    },
    /// The end is missing.
    #[error("the evidence bundle is cut off after {entries} entries")]
    Cut {
        /// Entries that were there.
        entries: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Head {
    kubewitness_evidence: u32,
    case: Case,
    key: String,
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(EntryLine),
    End { end: u64 },
}

#[derive(Serialize, Deserialize)]
struct EntryLine {
    index: u64,
    format: u8,
    received: i64,
    cluster: String,
    /// The payload when it is UTF-8, else in `payload_base64`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload_base64: Option<String>,
    proof: Vec<String>,
}

/// Writes a bundle with the entries at these places, proven against the newest checkpoint. Returns how many there are.
pub fn write_evidence(
    out: impl Write,
    reader: &Reader,
    places: impl IntoIterator<Item = LeafIndex>,
    case: &Case,
) -> Result<u64, BundleError> {
    let keys = reader.verifier_keys()?;
    let places: Vec<_> = places.into_iter().collect();
    let first = places.first().copied().unwrap_or_default();
    let (note, checkpoint) = reader.checkpoint()?.ok_or(BundleError::Unsigned { index: first })?;
    let key = note.verify_any(&keys).map_err(|_| BundleError::Key)?;
    let mut out = zstd::Encoder::new(out, ZSTD_LEVEL)?;
    let head = Head {
        kubewitness_evidence: EVIDENCE_VERSION,
        case: case.clone(),
        key: key.to_string(),
        checkpoint: note.to_string(),
    };
    write_line(&mut out, &head)?;
    let prover = reader.prover();
    for index in &places {
        if !checkpoint.size.contains(*index) {
            return Err(BundleError::Unsigned { index: *index });
        }
        let proof = prover.inclusion(*index, checkpoint.size)?;
        write_line(&mut out, &Line::Entry(EntryLine::new(reader.get(*index)?, &proof)))?;
    }
    let end = places.len() as u64;
    write_line(&mut out, &Line::End { end })?;
    out.finish()?.flush()?;
    Ok(end)
}

/// Verifies a bundle with nothing but itself, and shows its entries, each only after it was proven. With `trusted` keys the
/// checkpoint must be signed by one of them; without, the key in the bundle is believed and returned.
pub fn verify_evidence(
    bundle: impl Read,
    trusted: &[VerifierKey],
    mut visit: impl FnMut(&Entry),
) -> Result<Verdict, EvidenceError> {
    let mut decoder = zstd::Decoder::new(bundle)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    let mut lines = Lines { input: BufReader::new(decoder), number: 0, buffer: Vec::new() };
    let head: Head = match lines.next()? {
        Some(head) => head,
        None => return Err(EvidenceError::Cut { entries: 0 }),
    };
    if head.kubewitness_evidence != EVIDENCE_VERSION {
        return Err(EvidenceError::Version { found: head.kubewitness_evidence });
    }
    let (key, checkpoint) = open_checkpoint(&head, trusted).map_err(|reason| EvidenceError::Checkpoint { reason })?;
    let mut entries = 0;
    loop {
        match lines.next()? {
            None => return Err(EvidenceError::Cut { entries }),
            Some(Line::End { end }) if end == entries => break,
            Some(Line::End { end }) => {
                return Err(lines.malformed(format!("it says {end} entries, there are {entries}")));
            }
            Some(Line::Entry(line)) => {
                let (entry, proof) = line.open().map_err(|reason| lines.malformed(reason))?;
                let index = entry.index;
                let leaf = entry.view().leaf_hash();
                verify_inclusion(&proof, leaf, index, checkpoint.size, checkpoint.root)
                    .map_err(|error| EvidenceError::Entry { line: lines.number, index, reason: error.to_string() })?;
                visit(&entry);
                entries += 1;
            }
        }
    }
    Ok(Verdict { case: head.case, checkpoint, key, entries })
}

fn open_checkpoint(head: &Head, trusted: &[VerifierKey]) -> Result<(VerifierKey, Checkpoint), String> {
    let own: VerifierKey = head.key.parse().map_err(|error: tlog::KeyError| error.to_string())?;
    let note: Note = head.checkpoint.parse().map_err(|error: tlog::NoteError| error.to_string())?;
    let own = [own];
    let keys = if trusted.is_empty() { &own } else { trusted };
    let key = note.verify_any(keys).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::try_from(&note).map_err(|error| error.to_string())?;
    if checkpoint.origin != key.name() {
        return Err(format!("it is of {}, but signed by {}", checkpoint.origin, key.name()));
    }
    if checkpoint.size == TreeSize::EMPTY {
        return Err("it covers no entries".to_owned());
    }
    Ok((key.clone(), checkpoint))
}

impl EntryLine {
    fn new(entry: Entry, proof: &InclusionProof) -> Self {
        let (payload, payload_base64) = match String::from_utf8(entry.payload) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(BASE64_STANDARD.encode(error.as_bytes()))),
        };
        Self {
            index: entry.index.get(),
            format: entry.format,
            received: entry.received,
            cluster: entry.cluster,
            payload,
            payload_base64,
            proof: proof.0.iter().map(Hash::to_string).collect(),
        }
    }

    fn open(self) -> Result<(Entry, InclusionProof), String> {
        let payload = match (self.payload, self.payload_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).map_err(|error| error.to_string())?,
            _ => return Err("one of payload and payload_base64 is needed".to_owned()),
        };
        if self.cluster.len() > crate::CLUSTER_BYTES_MAX {
            return Err("the cluster's name is too long".to_owned());
        }
        if self.proof.len() > PROOF_HASHES_MAX {
            return Err("the proof is too long".to_owned());
        }
        let hashes: Result<Vec<Hash>, _> = self.proof.iter().map(|hash| hash.parse()).collect();
        let proof = InclusionProof(hashes.map_err(|error: tlog::HashError| error.to_string())?);
        let entry = Entry {
            index: LeafIndex::new(self.index),
            format: self.format,
            received: self.received,
            cluster: self.cluster,
            payload,
        };
        Ok((entry, proof))
    }
}

/// Lines of JSON, each of bounded length.
struct Lines<R> {
    input: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next<T: for<'a> Deserialize<'a>>(&mut self) -> Result<Option<T>, EvidenceError> {
        self.number += 1;
        self.buffer.clear();
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut self.buffer)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if self.buffer.last() != Some(&b'\n') {
            return Err(self.malformed("it has no end".to_owned()));
        }
        let parsed = serde_json::from_slice(&self.buffer);
        parsed.map(Some).map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(&self, reason: String) -> EvidenceError {
        EvidenceError::Malformed { line: self.number, reason }
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
