//! How far a log file has been read, and how to recognise that file again.
//!
//! A file is recognised by its content, not by its name or inode: the first bytes and the bytes right before the place
//! must be what they were. That one rule covers rename (the content moved), copy-and-truncate (the copy continues, the
//! original starts over), compression (the unpacked content continues) and a reused inode (another content). The bytes
//! before the place end with a timestamp of the API server's, so a client cannot make two files look alike.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

/// Bytes that are compared at the beginning and before the place.
pub(crate) const SAMPLE_BYTES: usize = 1_024;

/// First line of the file of positions.
const HEADER: &str = "kubewitness tail positions 1";

/// A place in a file's (unpacked) content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Bytes before it are in the ledger.
    pub(crate) offset: u64,
    /// The first bytes: those of the first read, up to [`SAMPLE_BYTES`].
    pub(crate) head: Sample,
    /// The bytes before the offset.
    pub(crate) before: Sample,
    /// The file when it was last read.
    pub(crate) stamp: Stamp,
    /// Nothing was left to read then: while the stamp stays the same, the file need not be opened.
    pub(crate) complete: bool,
}

/// Length and hash of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sample {
    pub(crate) length: usize,
    hash: String,
}

impl Sample {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = digest(&SHA256, bytes).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { length: bytes.len(), hash }
    }

    /// The hash, in hexadecimal.
    pub(crate) fn name(&self) -> &str {
        &self.hash
    }

    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length && (self.length == 0 || *self == Self::of(bytes))
    }
}

/// What the file system says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
}

impl Stamp {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec()),
        }
    }

    pub(crate) fn same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Position {
    /// Moves the place behind `read`, the bytes that follow it.
    pub(crate) fn advance(&mut self, read: &[u8]) {
        if self.offset == 0 {
            self.head = Sample::of(&read[..read.len().min(SAMPLE_BYTES)]);
        }
        self.offset += read.len() as u64;
        self.before = Sample::of(&read[read.len() - read.len().min(SAMPLE_BYTES)..]);
    }
}

/// All positions, kept in one file.
#[derive(Debug)]
pub(crate) struct Positions {
    path: PathBuf,
    /// By the path where the file was last seen.
    pub(crate) known: BTreeMap<PathBuf, Position>,
}

impl Positions {
    /// Reads the file; none yet is an empty list. A file that cannot be understood is set aside: logs are then read from
    /// their beginning, and the ledger recognises what it has.
    pub(crate) fn load(path: PathBuf) -> io::Result<Self> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let known = parse(&text).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "cannot understand the positions; reading logs from their beginning");
            BTreeMap::new()
        });
        Ok(Self { path, known })
    }

    /// Replaces the file in one step. Without a sync: an older list only means reading something twice.
    pub(crate) fn save(&self) -> io::Result<()> {
        let mut text = format!("{HEADER}\n");
        for (path, position) in &self.known {
            text.push_str(&line(path, position));
        }
        let fresh = self.path.with_extension("new");
        fs::File::create(&fresh)?.write_all(text.as_bytes())?;
        fs::rename(&fresh, &self.path)
    }
}

fn line(path: &Path, position: &Position) -> String {
    let Position { offset, head, before, stamp, complete } = position;
    format!(
        "{offset}\t{complete}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
        head.length,
        head.hash,
        before.length,
        before.hash,
        stamp.device,
        stamp.inode,
        stamp.size,
        stamp.modified,
        path.display()
    )
}

fn parse(text: &str) -> Option<BTreeMap<PathBuf, Position>> {
    let mut lines = text.lines();
    if text.is_empty() {
        return Some(BTreeMap::new());
    }
    (lines.next()? == HEADER).then_some(())?;
    lines.map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(PathBuf, Position)> {
    let mut fields = line.splitn(11, '\t');
    let mut next = || fields.next();
    let offset = next()?.parse().ok()?;
    let complete = next()?.parse().ok()?;
    let head = Sample { length: next()?.parse().ok()?, hash: next()?.to_owned() };
    let before = Sample { length: next()?.parse().ok()?, hash: next()?.to_owned() };
    let stamp = Stamp {
        device: next()?.parse().ok()?,
        inode: next()?.parse().ok()?,
        size: next()?.parse().ok()?,
        modified: next()?.parse().ok()?,
    };
    Some((PathBuf::from(next()?), Position { offset, head, before, stamp, complete }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("positions");
        let mut positions = Positions::load(path.clone()).unwrap();
        let mut position = Position::default();
        position.advance(b"first line\n");
        position.advance(b"second\n");
        assert!(position.head.fits(b"first line\n") && position.before.fits(b"second\n"));
        assert_eq!(position.offset, 18);
        positions.known.insert("/var/log/a\tb.log".into(), position.clone());
        positions.save().unwrap();
        let again = Positions::load(path.clone()).unwrap();
        assert_eq!(again.known[Path::new("/var/log/a\tb.log")], position);
        fs::write(&path, "something else\n").unwrap();
        assert!(Positions::load(path).unwrap().known.is_empty());
    }
}
