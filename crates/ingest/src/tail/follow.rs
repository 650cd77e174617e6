//! One log: its live file and what it was rotated to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::position::{Position, Positions, SAMPLE_BYTES, Sample, Stamp};
use super::rotation::{Packing, rotated};
use super::{Progress, TailOptions};
use crate::intake::{Deliver, Undelivered};
use crate::unpack::unpack;

/// Bytes read and delivered at a time: one commit each.
const CHUNK_BYTES: usize = 1 << 20;
/// A line beyond this is not waited for: it is delivered in pieces of this size, which end in quarantine.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// A log and the files it consists of now.
#[derive(Debug)]
pub(super) struct Log {
    live: PathBuf,
    /// Oldest first. A file stays until it was read to its end, even when its name is gone.
    files: Vec<Followed>,
}

/// A file that is being read.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    file: File,
    packing: Packing,
    position: Position,
    /// Since when it has not grown.
    quiet: Instant,
}

impl Log {
    pub(super) fn new(live: PathBuf) -> Self {
        Self { live, files: Vec::new() }
    }

    pub(super) fn live(&self) -> &Path {
        &self.live
    }

    /// Reads one chunk from the oldest file that has something new.
    pub(super) fn poll(
        &mut self,
        positions: &mut Positions,
        options: &TailOptions,
        deliver: &mut dyn Deliver,
    ) -> Result<Progress, Undelivered> {
        let mut paths = rotated(&self.live).unwrap_or_default();
        paths.push(self.live.clone());
        for path in &paths {
            match self.find(path, positions) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => warn(path, &error),
                _ => {}
            }
        }
        let mut progress = Progress::Idle;
        for followed in &mut self.files {
            let rest = Rest::of(followed, &self.live, options);
            match followed.read_on(rest, deliver) {
                Ok(Progress::Idle) => {}
                Ok(Progress::Read) => {
                    progress = Progress::Read;
                    break;
                }
                Err(ReadError::Undelivered(error)) => return Err(error),
                Err(ReadError::Io(error)) => warn(&followed.path, &error),
            }
        }
        self.settle(&paths, positions, options);
        Ok(progress)
    }

    /// Makes sure that the file at `path` is followed, from where its content was read to.
    fn find(&mut self, path: &Path, positions: &Positions) -> io::Result<()> {
        let stamp = Stamp::of(&fs::metadata(path)?);
        if let Some(followed) = self.files.iter_mut().find(|followed| followed.position.stamp.same_file(&stamp)) {
            path.clone_into(&mut followed.path); // it may have been renamed
            return Ok(());
        }
        if positions.known.values().any(|position| position.complete && position.stamp == stamp) {
            return Ok(());
        }
        let file = File::open(path)?;
        let packing = Packing::of(path.to_str().unwrap_or("")).0;
        let being_read = self.files.iter().map(|followed| &followed.position);
        let known = being_read
            .chain(positions.known.values())
            .filter(|position| continues(&file, packing, position).unwrap_or(false))
            .max_by_key(|position| position.offset)
            .cloned()
            .unwrap_or_default();
        let position = Position { stamp: Stamp { size: 0, ..stamp }, complete: false, ..known };
        let live_place = self.files.iter().position(|followed| followed.path == self.live);
        let place = live_place.filter(|_| path != self.live).unwrap_or(self.files.len());
        self.files.insert(place, Followed { path: path.to_owned(), file, packing, position, quiet: Instant::now() });
        Ok(())
    }

    /// Records places, and lets go of files that are complete and no longer the live one.
    fn settle(&mut self, paths: &[PathBuf], positions: &mut Positions, options: &TailOptions) {
        let stamps = paths.iter().filter_map(|path| Some((path, Stamp::of(&fs::metadata(path).ok()?))));
        let named: Vec<(&PathBuf, Stamp)> = stamps.collect();
        let name_of = |followed: &Followed| {
            named.iter().find(|(_, stamp)| stamp.same_file(&followed.position.stamp)).map(|(path, _)| *path)
        };
        positions.known.retain(|path, _| !self.owns(path) || named.iter().any(|(named, _)| *named == path));
        for followed in &self.files {
            if let Some(path) = name_of(followed) {
                positions.known.insert(path.clone(), followed.position.clone());
            }
        }
        self.files.retain(|followed| match name_of(followed) {
            Some(path) if *path == self.live => true,
            Some(_) => !followed.position.complete || followed.quiet.elapsed() < options.partial_line_patience,
            None => !followed.position.complete,
        });
    }

    fn owns(&self, path: &Path) -> bool {
        path.parent() == self.live.parent()
    }
}

fn warn(path: &Path, error: &io::Error) {
    tracing::warn!(path = %path.display(), %error, "cannot read a log; trying again");
}

/// What to do with a last line that has no newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Wait: the file may grow.
    Waits,
    /// Deliver it: nobody will complete it.
    Goes,
}

impl Rest {
    fn of(followed: &Followed, live: &Path, options: &TailOptions) -> Self {
        let over = followed.path != live && followed.quiet.elapsed() >= options.partial_line_patience;
        if over { Self::Goes } else { Self::Waits }
    }
}

enum ReadError {
    Undelivered(Undelivered),
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Undelivered> for ReadError {
    fn from(error: Undelivered) -> Self {
        Self::Undelivered(error)
    }
}

impl Followed {
    fn read_on(&mut self, rest: Rest, deliver: &mut dyn Deliver) -> Result<Progress, ReadError> {
        let stamp = Stamp::of(&self.file.metadata()?);
        if stamp != self.position.stamp {
            self.quiet = Instant::now();
        } else if self.position.complete || rest == Rest::Waits {
            return Ok(Progress::Idle);
        }
        let progress = match self.packing {
            Packing::Plain => self.read_plain(rest, stamp, deliver)?,
            Packing::Gzip | Packing::Zstd => self.read_packed(rest, deliver)?,
        };
        if progress == Progress::Idle || self.packing != Packing::Plain {
            self.position.stamp = stamp;
        }
        Ok(progress)
    }

    fn read_plain(&mut self, rest: Rest, stamp: Stamp, deliver: &mut dyn Deliver) -> Result<Progress, ReadError> {
        if !continues(&self.file, Packing::Plain, &self.position)? && self.position.offset > 0 {
            tracing::info!(path = %self.path.display(), "the log was truncated or replaced; reading from its beginning");
            self.position = Position { stamp: Stamp { size: 0, ..stamp }, ..Position::default() };
        }
        let mut want = CHUNK_BYTES;
        let chunk = loop {
            let chunk = read_at(&self.file, self.position.offset, want)?;
            let complete_lines = complete_part(&chunk);
            if complete_lines > 0 {
                break chunk[..complete_lines].to_vec();
            }
            if chunk.len() < want {
                let gone = rest == Rest::Goes && !chunk.is_empty();
                break if gone { chunk } else { Vec::new() };
            }
            if want >= LINE_BYTES_MAX {
                break chunk;
            }
            want *= 4;
        };
        if !chunk.is_empty() {
            let text = &chunk[chunk.iter().take_while(|byte| **byte == 0).count()..];
            if !text.is_empty() {
                deliver.push(text)?;
                deliver.finish()?;
            }
            self.position.advance(&chunk);
        }
        self.position.complete = self.position.offset >= stamp.size;
        Ok(if chunk.is_empty() { Progress::Idle } else { Progress::Read })
    }

    /// Reads a packed file to its end. One that ends early may still be written; it is given time.
    fn read_packed(&mut self, rest: Rest, deliver: &mut dyn Deliver) -> Result<Progress, ReadError> {
        let mut content = unpack(File::open(&self.path)?, self.packing)?;
        io::copy(&mut content.by_ref().take(self.position.offset), &mut io::sink())?;
        let mut line = Vec::new();
        let mut progress = Progress::Idle;
        loop {
            let start = line.len();
            let read = content.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut line);
            let ended = line.len() == start;
            if let (Err(error), Rest::Waits) = (&read, rest) {
                tracing::debug!(path = %self.path.display(), %error, "a packed log is not whole yet");
                self.position.complete = false;
                return Ok(progress);
            }
            let goes =
                if ended || read.is_err() || line.len() >= LINE_BYTES_MAX { line.len() } else { complete_part(&line) };
            if goes > 0 {
                deliver.push(&line[..goes])?;
                deliver.finish()?;
                self.position.advance(&line[..goes]);
                line.drain(..goes);
                progress = Progress::Read;
            }
            if ended || read.is_err() {
                self.position.complete = true;
                return Ok(progress);
            }
        }
    }
}

/// Bytes up to and with the last newline. Leading zero bytes are what a truncated sparse file begins with; they count as
/// a part of their own, so that a file of nothing else does not have to fit in memory.
fn complete_part(bytes: &[u8]) -> usize {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => newline + 1,
        None => bytes.iter().take_while(|byte| **byte == 0).count(),
    }
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let available = file.metadata()?.len().saturating_sub(offset);
    let mut bytes = vec![0; length.min(usize::try_from(available).unwrap_or(usize::MAX))];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Whether the (unpacked) content of `file` is the one that `position` speaks of.
fn continues(file: &File, packing: Packing, position: &Position) -> io::Result<bool> {
    let Position { offset, head, before, .. } = position;
    if *offset == 0 {
        return Ok(false);
    }
    if packing == Packing::Plain {
        let first = read_at(file, 0, head.length)?;
        let last = read_at(file, offset - before.length as u64, before.length)?;
        return Ok(head.fits(&first) && before.fits(&last));
    }
    packed_continues(&mut unpack(rewound(file)?, packing)?, *offset, head, before)
}

fn rewound(file: &File) -> io::Result<File> {
    use std::io::Seek;
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(file)
}

fn packed_continues(content: &mut dyn Read, offset: u64, head: &Sample, before: &Sample) -> io::Result<bool> {
    let mut first = Vec::new();
    content.take(head.length as u64).read_to_end(&mut first)?;
    if !head.fits(&first) {
        return Ok(false);
    }
    let mut last = first;
    let mut left = offset.saturating_sub(last.len() as u64);
    while left > 0 {
        let read = content.take(left.min(CHUNK_BYTES as u64)).read_to_end(&mut last)? as u64;
        if read == 0 {
            return Ok(false);
        }
        left -= read;
        let surplus = last.len().saturating_sub(SAMPLE_BYTES);
        last.drain(..surplus);
    }
    Ok(before.fits(&last[last.len().saturating_sub(before.length)..]))
}
