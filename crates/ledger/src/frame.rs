//! Frames: one commit group as it stands in a frame file.
//!
//! ```text
//! 0   4  magic "KWFR"
//! 4   4  length of the body in bytes
//! 8   8  place of the first entry
//! 16  4  number of entries, at least one
//! 20  4  CRC-32C of the body
//! 24  4  zero
//! 28  4  CRC-32C of the file's salt and of bytes 0..28
//! 32     body: for each entry the end of its record (4 bytes) counted from the first record; then the records
//! ```
//! All numbers are little-endian. The salt, which only the file's header knows, keeps a payload from
//! containing something that passes for a frame.

use std::{io::IoSlice, ops::Range};

use crc32c::crc32c_append;
use tlog::LeafIndex;

use crate::{EntryView, record};

pub(crate) const HEADER_LEN: usize = 32;
const MAGIC: [u8; 4] = *b"KWFR";
const OFFSET_LEN: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) body_len: u32,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) body_crc: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self, salt: u64) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = header_crc(salt, &bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the beginning of some bytes; `None` when there is none.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..4] != MAGIC || word(28) != header_crc(salt, &bytes[..28]) {
            return None;
        }
        let first = u64::from(word(8)) | u64::from(word(12)) << 32;
        let header = Self { body_len: word(4), first, count: word(16), body_crc: word(20) };
        let is_possible = header.count > 0
            && u64::from(header.count) * OFFSET_LEN as u64 <= u64::from(header.body_len)
            && first.checked_add(u64::from(header.count)).is_some();
        is_possible.then_some(header)
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.body_len)
    }

    /// One past the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// Whether a valid frame header begins anywhere in these bytes.
pub(crate) fn contains_header(bytes: &[u8], salt: u64) -> bool {
    let mut rest = bytes;
    while let Some(found) = rest.iter().position(|byte| *byte == MAGIC[0]) {
        rest = &rest[found..];
        if FrameHeader::decode(rest, salt).is_some() {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// A frame about to be written: its header and record ends, and its records where they stand.
pub(crate) struct FrameWriter<'a> {
    ends: Vec<u8>,
    runs: Vec<&'a [u8]>,
    records_len: usize,
}

impl<'a> FrameWriter<'a> {
    pub(crate) fn new() -> Self {
        Self { ends: Vec::new(), runs: Vec::new(), records_len: 0 }
    }

    /// Adds consecutive records, of which the lengths are given.
    pub(crate) fn push(&mut self, records: &'a [u8], lengths: impl Iterator<Item = usize>) {
        for length in lengths {
            self.records_len += length;
            self.ends.extend_from_slice(&(self.records_len as u32).to_le_bytes());
        }
        self.runs.push(records);
    }

    pub(crate) fn count(&self) -> usize {
        self.ends.len() / OFFSET_LEN
    }

    pub(crate) fn frame_len(&self) -> u64 {
        (HEADER_LEN + self.ends.len() + self.records_len) as u64
    }

    /// The header of the frame when its first entry stands at `first`.
    pub(crate) fn header(&self, first: u64) -> FrameHeader {
        let crc = crc32c_append(0, &self.ends);
        FrameHeader {
            body_len: (self.ends.len() + self.records_len) as u32,
            first,
            count: self.count() as u32,
            body_crc: self.runs.iter().fold(crc, |crc, run| crc32c_append(crc, run)),
        }
    }

    /// The whole frame behind its encoded header, ready to write.
    pub(crate) fn slices<'s>(&'s self, header: &'s [u8]) -> Vec<IoSlice<'s>> {
        let runs = self.runs.iter().map(|run| IoSlice::new(run));
        [IoSlice::new(header), IoSlice::new(&self.ends)].into_iter().chain(runs).collect()
    }
}

/// The body of a frame whose checksum was verified.
#[derive(Clone, Copy)]
pub(crate) struct FrameBody<'a> {
    first: u64,
    ends: &'a [u8],
    records: &'a [u8],
}

impl<'a> FrameBody<'a> {
    /// Verifies and opens the body; `None` when it is not what the header says.
    pub(crate) fn open(header: &FrameHeader, body: &'a [u8]) -> Option<Self> {
        if body.len() != header.body_len as usize || crc32c_append(0, body) != header.body_crc {
            return None;
        }
        let (ends, records) = body.split_at_checked(header.count as usize * OFFSET_LEN)?;
        Some(Self { first: header.first, ends, records })
    }

    /// The entries in a range of places; the inner `None` is a record that cannot be read.
    pub(crate) fn entries(self, range: Range<u64>) -> impl Iterator<Item = Option<EntryView<'a>>> {
        let count = (self.ends.len() / OFFSET_LEN) as u64;
        let start = range.start.clamp(self.first, self.first + count) - self.first;
        let end = range.end.clamp(self.first, self.first + count) - self.first;
        (start..end).map(move |item| {
            let record = self.records.get(self.end(item.checked_sub(1))..self.end(Some(item)))?;
            record::decode(LeafIndex::new(self.first + item), record)
        })
    }

    fn end(&self, item: Option<u64>) -> usize {
        let Some(item) = item else { return 0 };
        let at = item as usize * OFFSET_LEN;
        let bytes = self.ends[at..].first_chunk().copied().unwrap_or_default();
        u32::from_le_bytes(bytes) as usize
    }
}

fn header_crc(salt: u64, bytes: &[u8]) -> u32 {
    crc32c_append(crc32c_append(0, &salt.to_le_bytes()), bytes)
}
