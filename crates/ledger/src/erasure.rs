//! Erasures: entries whose bytes retention dropped. Their leaf hashes stay, so that every proof goes on to hold.
//!
//! An erasure is a signed note in `ledger/erased/NNNNNNNNNN`, written after the leaf hashes of its ranges are durable in
//! `tiles/0` and before the bytes are dropped:
//!
//! ```text
//! kubewitness erasure v1
//! <origin>
//! <when, microseconds since 1970>
//! <reason, one line>
//! <first> <end>
//! ...
//! ```

use std::{io, ops::Range};

use host::{Host, Secrecy, Timestamp, read_all, replace_file};
use tlog::{Hash, LeafIndex, Note, VerifierKey};

use crate::{AppendError, Ledger, ReadError, Reader, log::Log, reader::leaf_hashes};

/// First line of every erasure.
const TITLE: &str = "kubewitness erasure v1";
/// Longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 1000;
/// Most ranges in one record; more are spread over several.
const RANGES_MAX: usize = 10_000;
/// Largest erasure that is read, in bytes.
const ERASURE_BYTES_MAX: u64 = 1 << 20;
/// Entries whose leaf hashes are stored in one step.
const STEP: u64 = 1 << 16;

/// Entries whose bytes were dropped on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Why, in the words of whoever asked for it.
    pub reason: String,
    /// The entries, in ascending order.
    pub ranges: Vec<Range<LeafIndex>>,
}

/// Why entries were not erased. Their bytes must not be dropped.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Their hashes cannot be computed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The hashes or the record cannot be written.
    #[error(transparent)]
    Write(#[from] AppendError),
}

impl Ledger {
    /// Stores the leaf hashes of the entries and records, signed, that they are erased and why. After this returns, and
    /// not before, the archive may drop their bytes. Entries that are still in frames must be released first.
    pub fn erase(&self, ranges: &[Range<LeafIndex>], reason: &str) -> Result<(), EraseError> {
        let reader = self.reader();
        for range in ranges {
            store_leaf_hashes(&reader, range.start.get()..range.end.get())?;
        }
        let mut log = self.log.lock();
        let path = self.view.layout.erased();
        let failed = |cause| AppendError::Disk { path: path.clone(), cause: std::sync::Arc::new(cause) };
        log.sync_tiles()?;
        for ranges in ranges.chunks(RANGES_MAX) {
            record(&log, ranges, reason).map_err(failed)?;
        }
        Ok(())
    }
}

impl Reader {
    /// All erasures, oldest first; `Err` names a record that cannot be read or is not signed by the log.
    pub fn erasures(&self) -> Result<Vec<Result<Erasure, std::path::PathBuf>>, ReadError> {
        let keys = self.verifier_keys()?;
        let (host, layout) = (&self.view.host, &self.view.layout);
        let path = layout.erased();
        let paths = match host.disk.list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            result => result.map_err(|cause| ReadError::Disk { path, cause })?,
        };
        let records = paths.into_iter().filter(|path| path.extension().is_none());
        Ok(records.map(|path| read(host, &path, &self.view.origin, &keys).ok_or(path)).collect())
    }

    /// Leaf hashes that were stored when entries were erased; `None` for those that were not.
    pub(crate) fn stored_leaf_hashes(&self, first: u64, count: usize) -> Result<Vec<Option<Hash>>, ReadError> {
        let path = self.view.layout.tile_level(0);
        let found = self.view.tiles.read(0, first, count);
        let found = found.map_err(|cause| ReadError::Disk { path, cause })?;
        // Places that were never stored are holes, which read as zeros; no leaf has that hash.
        let is_stored = |hash: &Hash| hash.as_bytes().iter().any(|byte| *byte != 0);
        let mut stored: Vec<_> = found.into_iter().map(|hash| Some(hash).filter(is_stored)).collect();
        stored.resize(count, None);
        Ok(stored)
    }
}

fn store_leaf_hashes(reader: &Reader, range: Range<u64>) -> Result<(), EraseError> {
    let path = reader.view.layout.tile_level(0);
    let failed = |cause| AppendError::Disk { path: path.clone(), cause: std::sync::Arc::new(cause) };
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start + STEP);
        for (index, hash) in (start..end).zip(leaf_hashes(reader, start..end)?) {
            // What is gone already was stored when it went.
            let Some(hash) = hash else { continue };
            reader.view.tiles.write(0, index, &[hash]).map_err(failed)?;
        }
        let stored = reader.stored_leaf_hashes(start, (end - start) as usize)?;
        if let Some(missing) = stored.iter().position(Option::is_none) {
            return Err(ReadError::Missing { index: (start + missing as u64).into() }.into());
        }
        start = end;
    }
    Ok(())
}

fn record(log: &Log, ranges: &[Range<LeafIndex>], reason: &str) -> io::Result<()> {
    let view = &log.view;
    let disk = &*view.host.disk;
    let number = next_number(&disk.list(&view.layout.erased())?);
    let Timestamp(at) = view.host.clock.now();
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let mut text = format!("{TITLE}\n{}\n{at}\n{reason}\n", view.origin);
    for range in ranges {
        text.push_str(&format!("{} {}\n", range.start, range.end));
    }
    let note = Note::new(text).map_err(io::Error::other)?.sign(&log.keys.signing);
    let path = view.layout.erasure(number);
    replace_file(disk, &path, Secrecy::Shared, note.to_string().as_bytes())
}

/// One more than the largest number in use.
fn next_number(paths: &[std::path::PathBuf]) -> u64 {
    let numbers = paths.iter().filter_map(|path| path.file_stem()?.to_str()?.parse::<u64>().ok());
    numbers.max().map_or(0, |last| last + 1)
}

fn read(host: &Host, path: &std::path::Path, origin: &str, keys: &[VerifierKey]) -> Option<Erasure> {
    let bytes = read_all(&*host.disk, path, ERASURE_BYTES_MAX).ok()?;
    let note: Note = std::str::from_utf8(&bytes).ok()?.parse().ok()?;
    note.verify_any(keys).ok()?;
    let mut lines = note.text().lines();
    if lines.next()? != TITLE || lines.next()? != origin {
        return None;
    }
    let at = lines.next()?.parse().ok()?;
    let reason = lines.next()?.to_owned();
    let ranges = lines.map(range).collect::<Option<Vec<_>>>()?;
    Some(Erasure { at, reason, ranges })
}

fn range(line: &str) -> Option<Range<LeafIndex>> {
    let (first, end) = line.split_once(' ')?;
    let (first, end): (u64, u64) = (first.parse().ok()?, end.parse().ok()?);
    (first < end).then(|| LeafIndex::new(first)..LeafIndex::new(end))
}
