//! Segments: the frame files.
//!
//! ```text
//! 0   8  magic "KWLEDGER"
//! 8   4  version, 1
//! 12  4  number of hashes in the frontier
//! 16  8  place of the first entry
//! 24  8  salt of the frame headers, random
//! 32     the frontier's hashes before the first entry, 32 bytes each, largest subtree first
//! …   4  CRC-32C of all before it
//! 4096   frames, one behind the other, then zeros
//! ```
//! The frontier in the header is why opening a log reads only its last file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crc32c::crc32c;
use host::{Access, Disk, DiskFile};
use parking_lot::Mutex;
use tlog::{Frontier, Hash, TreeSize};

use crate::frame::{self, FrameBody, FrameHeader};

const MAGIC: [u8; 8] = *b"KWLEDGER";
const VERSION: u32 = 1;
/// Where the first frame begins.
pub(crate) const FRAMES_START: u64 = 4096;
/// What is read at once: little for the first frame, twice as much each time when frames are read one behind the other.
const READ_AHEAD_MIN: usize = 32 << 10;
const READ_AHEAD_MAX: usize = 1 << 20;

/// A frame file that is open for reading.
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    salt: u64,
    frontier: Frontier,
    known: Mutex<KnownFrames>,
}

/// The frames that were seen so far: the way to a place.
struct KnownFrames {
    /// First entry and offset of each frame.
    starts: Vec<(u64, u64)>,
    /// One past the last entry, and where the next frame would begin.
    end: u64,
    end_offset: u64,
}

/// Why frames cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file's own header is damaged.
    #[error("{path} is damaged: its header cannot be read")]
    Header {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{path} has version {found}, this program reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u32,
    },
    /// Something that is no whole frame stands where the entry must be.
    #[error("{path} is damaged at offset {offset}: entry {index} cannot be read")]
    Frame {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// First entry that is affected.
        index: u64,
    },
    /// The disk refuses.
    #[error("cannot read {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Content of the beginning of a new segment.
pub(crate) fn encode_header(frontier: &Frontier, salt: u64) -> Vec<u8> {
    let roots = frontier.roots();
    let mut bytes = Vec::with_capacity(FRAMES_START as usize);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(roots.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&frontier.size().get().to_le_bytes());
    bytes.extend_from_slice(&salt.to_le_bytes());
    roots.iter().for_each(|root| bytes.extend_from_slice(root.as_bytes()));
    bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
    bytes.resize(FRAMES_START as usize, 0);
    bytes
}

impl Segment {
    pub(crate) fn open(disk: &dyn Disk, path: &Path, access: Access) -> Result<Self, SegmentError> {
        let disk_error = |cause| SegmentError::Disk { path: path.to_owned(), cause };
        let file = disk.open(path, access).map_err(disk_error)?;
        let mut bytes = vec![0; FRAMES_START as usize];
        let read = file.read_at(&mut bytes, 0).map_err(disk_error)?;
        bytes.truncate(read);
        let (salt, frontier) = decode_header(path, &bytes)?;
        let first = frontier.size().get();
        let known = KnownFrames { starts: Vec::new(), end: first, end_offset: FRAMES_START };
        Ok(Self { first, path: path.to_owned(), file, salt, frontier, known: Mutex::new(known) })
    }

    /// The tree before the first entry.
    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(crate) fn salt(&self) -> u64 {
        self.salt
    }

    /// One past the last entry known, and where the next frame begins.
    pub(crate) fn known_end(&self) -> (u64, u64) {
        let known = self.known.lock();
        (known.end, known.end_offset)
    }

    /// Notes a frame that stands at the known end.
    pub(crate) fn note(&self, header: &FrameHeader) {
        let mut known = self.known.lock();
        let offset = known.end_offset;
        known.starts.push((header.first, offset));
        known.end = header.end();
        known.end_offset += header.frame_len();
    }

    /// Where the frame with this entry begins, or where frames that are not known yet begin.
    pub(crate) fn locate(&self, index: u64) -> u64 {
        let known = self.known.lock();
        if index >= known.end {
            return known.end_offset;
        }
        let after = known.starts.partition_point(|(first, _)| *first <= index);
        after.checked_sub(1).map_or(FRAMES_START, |at| known.starts[at].1)
    }

    /// Finds frames from the known end on, up to the one with the entry, by their headers alone.
    pub(crate) fn discover(&self, index: u64) -> Result<(), SegmentError> {
        loop {
            let (end, offset) = self.known_end();
            if index < end {
                return Ok(());
            }
            let mut bytes = [0; frame::HEADER_LEN];
            self.read(&mut bytes, offset)?;
            match FrameHeader::decode(&bytes, self.salt) {
                Some(header) if header.first == end => self.note(&header),
                _ => return Err(self.damaged(offset, end)),
            }
        }
    }

    /// Frames from an offset on, one behind the other.
    pub(crate) fn frames(&self, offset: u64) -> Frames<'_> {
        Frames {
            segment: self,
            offset,
            buffer: Vec::new(),
            filled: 0,
            buffer_start: offset,
            read_ahead: READ_AHEAD_MIN,
        }
    }

    pub(crate) fn damaged(&self, offset: u64, index: u64) -> SegmentError {
        SegmentError::Frame { path: self.path.clone(), offset, index }
    }

    pub(crate) fn len(&self) -> Result<u64, SegmentError> {
        self.file.len().map_err(|cause| SegmentError::Disk { path: self.path.clone(), cause })
    }

    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<usize, SegmentError> {
        self.file.read_at(bytes, offset).map_err(|cause| SegmentError::Disk { path: self.path.clone(), cause })
    }
}

/// Reads frames one behind the other.
pub(crate) struct Frames<'a> {
    segment: &'a Segment,
    /// Where the next frame begins.
    pub(crate) offset: u64,
    /// Of which the first `filled` bytes are the file's.
    buffer: Vec<u8>,
    filled: usize,
    buffer_start: u64,
    read_ahead: usize,
}

impl Frames<'_> {
    /// The next frame, verified; `None` where no whole frame begins.
    pub(crate) fn next(&mut self) -> Result<Option<(FrameHeader, FrameBody<'_>)>, SegmentError> {
        self.fill(frame::HEADER_LEN)?;
        let Some(header) = FrameHeader::decode(self.ahead(), self.segment.salt) else {
            return Ok(None);
        };
        self.fill(header.frame_len() as usize)?;
        let start = (self.offset - self.buffer_start) as usize;
        let whole = start..start + header.frame_len() as usize;
        let Some(frame) = self.buffer[..self.filled].get(whole) else { return Ok(None) };
        let Some(body) = FrameBody::open(&header, &frame[frame::HEADER_LEN..]) else {
            return Ok(None);
        };
        self.offset += header.frame_len();
        Ok(Some((header, body)))
    }

    /// The bytes from the next frame on that are in memory.
    fn ahead(&self) -> &[u8] {
        self.buffer[..self.filled].get((self.offset - self.buffer_start) as usize..).unwrap_or_default()
    }

    /// Reads until `needed` bytes are in memory, or the file ends.
    fn fill(&mut self, needed: usize) -> Result<(), SegmentError> {
        if self.ahead().len() >= needed {
            return Ok(());
        }
        let length = self.segment.len()?;
        // A length that a damaged header claims is not believed beyond the end of the file.
        let left = length.saturating_sub(self.offset) as usize;
        let want = needed.max(self.read_ahead).min(left);
        self.read_ahead = (self.read_ahead * 2).min(READ_AHEAD_MAX);
        let done = ((self.offset - self.buffer_start) as usize).min(self.filled);
        self.buffer.copy_within(done..self.filled, 0);
        self.buffer_start = self.offset;
        self.filled = (self.filled - done).min(want);
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        let read = self.segment.read(&mut self.buffer[self.filled..want], self.offset + self.filled as u64)?;
        self.filled += read;
        Ok(())
    }
}

fn decode_header(path: &Path, bytes: &[u8]) -> Result<(u64, Frontier), SegmentError> {
    let damaged = || SegmentError::Header { path: path.to_owned() };
    if bytes.len() < 32 || bytes[..8] != MAGIC {
        return Err(damaged());
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if word(8) != VERSION {
        return Err(SegmentError::Version { path: path.to_owned(), found: word(8) });
    }
    let count = word(12) as usize;
    let end = 32 + count.min(64) * Hash::SIZE;
    if bytes.len() < end + 4 || word(end) != crc32c(&bytes[..end]) {
        return Err(damaged());
    }
    let roots = bytes[32..end].chunks(Hash::SIZE).filter_map(Hash::from_slice).collect();
    let frontier = Frontier::new(TreeSize::new(long(16)), roots).map_err(|_| damaged())?;
    Ok((long(24), frontier))
}
