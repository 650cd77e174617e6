//! Reading the log: in the process that writes it, and in others while it is written.

use std::{
    ops::{ControlFlow, Range},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use host::{Access, Host};
use tlog::{Checkpoint, Hash, LeafIndex, Note, TreeSize, VerifierKey};

use crate::{
    Archive, ArchiveError, Batch, EntryView, Visitor,
    directory::{DirectoryError, open_to_read},
    history,
    key_ring::{KeyRingError, read_verifiers},
    layout::{Layout, segment_first},
    recent::Recent,
    segment::{Segment, SegmentError},
    tree::TileFiles,
    view::View,
};

/// How often a reader in another process looks for new entries while it waits.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Reads entries. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pub(crate) view: Arc<View>,
    follows: Follows,
}

/// How a reader learns of new entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// The writer, in this process, tells.
    Writer,
    /// The reader looks at the files.
    Files,
}

/// An entry that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub index: LeafIndex,
    /// What the payload is; the ledger does not know the codes.
    pub format: u8,
    /// When it was received, in microseconds since 1970.
    pub received: i64,
    /// Which cluster it came from.
    pub cluster: String,
    /// The exact bytes that arrived.
    pub payload: Vec<u8>,
}

/// Why entries cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory cannot be opened.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// A frame file is damaged or cannot be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// Its frames have been released and the archive fails.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its frames are gone and nobody else holds it. An erased entry is like that.
    #[error("entry {index} is in no frame file and not in the archive")]
    Missing {
        /// The first such entry.
        index: LeafIndex,
    },
    /// Beyond the end of the log.
    #[error("entry {index} is beyond the end of the log, which has {size} entries")]
    Beyond {
        /// The entry.
        index: LeafIndex,
        /// The log's size.
        size: TreeSize,
    },
    /// Another file of the ledger cannot be read.
    #[error("cannot read {path}")]
    Disk {
        /// The file or directory.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

impl EntryView<'_> {
    /// A copy that owns its bytes.
    pub fn to_owned(&self) -> Entry {
        Entry {
            index: self.index,
            format: self.format,
            received: self.received,
            cluster: self.cluster.to_owned(),
            payload: self.payload.to_vec(),
        }
    }
}

impl Entry {
    /// The entry, borrowed.
    pub fn view(&self) -> EntryView<'_> {
        EntryView {
            index: self.index,
            format: self.format,
            received: self.received,
            cluster: &self.cluster,
            payload: &self.payload,
            note: &[],
        }
    }
}

impl Reader {
    pub(crate) fn of_writer(view: Arc<View>) -> Self {
        Self { view, follows: Follows::Writer }
    }

    /// Opens a data directory to read only, also while a server writes it. What it sees of the last group may not be
    /// durable yet.
    pub fn open(host: &Host, directory: &Path) -> Result<Self, ReadError> {
        let (layout, identity) = open_to_read(host, directory)?;
        let tiles = TileFiles::new(host.disk.clone(), layout.clone(), Access::Read);
        let view = View::new(host.clone(), layout, identity.origin, tiles, Recent::new(0), Vec::new(), 0);
        let reader = Self { view: Arc::new(view), follows: Follows::Files };
        reader.refresh()?;
        Ok(reader)
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.view.origin
    }

    /// All public keys of the log, oldest first; the last one signs now.
    pub fn verifier_keys(&self) -> Result<Vec<VerifierKey>, ReadError> {
        Ok(read_verifiers(&self.view.host, &self.view.layout)?)
    }

    /// Entries in the log, as far as this reader knows; see [`Reader::refresh`].
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.view.size())
    }

    /// Bytes of the newest entries in memory that a follower whose next entry this is has still to read.
    pub fn recent_bytes_from(&self, next: LeafIndex) -> usize {
        self.view.recent.bytes_from(next.get())
    }

    /// First entry that is still in frames; the archive has those before it.
    pub fn frames_start(&self) -> LeafIndex {
        LeafIndex::new(self.view.frames_start())
    }

    /// Gives the place where entries below [`Reader::frames_start`] are read, to this reader and all its clones.
    pub fn set_archive(&self, archive: Arc<dyn Archive>) {
        self.view.set_archive(archive);
    }

    /// Looks for entries that another process appended, and returns the size. In the writer's process this is [`Reader::size`].
    pub fn refresh(&self) -> Result<TreeSize, ReadError> {
        if self.follows == Follows::Files {
            let segments = self.open_new_segments()?;
            if let Some(last) = segments.last() {
                self.view.publish_size(extend(last)?);
            }
        }
        Ok(self.size())
    }

    /// Waits until the log has at least this size or the time is over; returns the size it has.
    pub fn wait_for(&self, size: TreeSize, timeout: Duration) -> Result<TreeSize, ReadError> {
        if self.follows == Follows::Writer {
            return Ok(TreeSize::new(self.view.wait_for(size.get(), timeout)));
        }
        let deadline = Instant::now() + timeout;
        loop {
            let found = self.refresh()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if found >= size || left.is_zero() {
                return Ok(found);
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
    }

    /// Shows the entries of a range in order, until the visitor breaks. Entries from the archive and from frames look alike.
    pub fn read(
        &self,
        range: Range<LeafIndex>,
        mut visit: impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut next = range.start;
        let visit_next = &mut |entry: EntryView<'_>| {
            if entry.index != next {
                return Err(ReadError::Missing { index: next });
            }
            next = LeafIndex::new(next.get() + 1);
            Ok(visit(entry))
        };
        if self.scan(range.clone(), visit_next)?.is_continue() && next < range.end {
            return Err(ReadError::Missing { index: next });
        }
        Ok(())
    }

    /// The entry at a place.
    pub fn get(&self, index: LeafIndex) -> Result<Entry, ReadError> {
        let mut found = None;
        self.read(index..LeafIndex::new(index.get().saturating_add(1)), |entry| {
            found = Some(entry.to_owned());
            ControlFlow::Break(())
        })?;
        found.ok_or(ReadError::Missing { index })
    }

    /// The newest checkpoint, as it was signed, not verified; `None` before the first one.
    pub fn checkpoint(&self) -> Result<Option<(Note, Checkpoint)>, ReadError> {
        let path = self.view.layout.checkpoint();
        let damaged = |cause| std::io::Error::new(std::io::ErrorKind::InvalidData, cause);
        history::read_checkpoint(&*self.view.host.disk, &self.view.layout)
            .and_then(|found| found.transpose().map_err(damaged))
            .map_err(|cause| ReadError::Disk { path, cause })
    }

    /// The checkpoints that are kept, oldest first, as they were signed, not verified.
    pub fn checkpoints(&self) -> Result<Vec<Note>, ReadError> {
        let damaged = |_| std::io::Error::new(std::io::ErrorKind::InvalidData, "a checkpoint is no signed note");
        history::read_history(&*self.view.host.disk, &self.view.layout)
            .and_then(|notes| notes.into_iter().map(|note| note.map_err(damaged)).collect())
            .map_err(|cause| ReadError::Disk { path: self.view.layout.history(), cause })
    }

    /// Shows the entries of a range that exist, in order; those that are in neither place are left out.
    pub(crate) fn scan(
        &self,
        range: Range<LeafIndex>,
        visit: &mut dyn FnMut(EntryView<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let size = self.view.size();
        if range.end.get() > size {
            return Err(ReadError::Beyond { index: range.end, size: TreeSize::new(size) });
        }
        let (mut start, end) = (range.start.get(), range.end.get());
        while start < end {
            // Asked anew each time: what is released meanwhile is read from the archive.
            let archived_end = self.view.frames_start().min(end);
            let flow = match self.view.segment_of(start) {
                Some(segment) => match self.view.recent.batch_of(start) {
                    Some((first, batch)) => scan_batch(first, &batch, start..end, visit)?,
                    None => scan_segment(&segment, start..end, visit)?,
                },
                None => self.scan_archive(start..archived_end, visit)?,
            };
            match flow {
                ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
                ControlFlow::Continue(next) => start = next,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn scan_archive(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(EntryView<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<(), u64>, ReadError> {
        let Some(archive) = self.view.archive() else {
            return Ok(ControlFlow::Continue(range.end));
        };
        let mut outcome = Ok(ControlFlow::Continue(()));
        let visit_one: &mut Visitor<'_> = &mut |entry| {
            outcome = visit(entry);
            match outcome {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        };
        archive.entries(LeafIndex::new(range.start)..LeafIndex::new(range.end), visit_one)?;
        Ok(match outcome? {
            ControlFlow::Continue(()) => ControlFlow::Continue(range.end),
            ControlFlow::Break(()) => ControlFlow::Break(()),
        })
    }

    /// Notices frame files that came or went.
    fn open_new_segments(&self) -> Result<Vec<Arc<Segment>>, ReadError> {
        let disk = &*self.view.host.disk;
        let known = self.view.segments();
        let mut segments = Vec::new();
        for (first, path) in list_segments(disk, &self.view.layout)? {
            match known.iter().find(|segment| segment.first == first) {
                Some(segment) => segments.push(segment.clone()),
                None => match Segment::open(disk, &path, Access::Read) {
                    // The writer released it since the directory was listed.
                    Err(SegmentError::Disk { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {}
                    result => segments.push(Arc::new(result?)),
                },
            }
        }
        self.view.set_segments(segments.clone());
        Ok(segments)
    }
}

/// Paths of all frame files with their first entries, in order.
pub(crate) fn list_segments(
    disk: &dyn host::Disk,
    layout: &Layout,
) -> Result<Vec<(u64, std::path::PathBuf)>, ReadError> {
    let path = layout.frames();
    let paths = disk.list(&path).map_err(|cause| ReadError::Disk { path, cause })?;
    let mut segments: Vec<_> = paths.into_iter().filter_map(|path| Some((segment_first(&path)?, path))).collect();
    segments.sort();
    Ok(segments)
}

/// Notes the whole frames at the end of a file that another process writes; returns the end of the log.
fn extend(segment: &Segment) -> Result<u64, SegmentError> {
    let (mut end, offset) = segment.known_end();
    let mut frames = segment.frames(offset);
    while let Some((header, _)) = frames.next()? {
        if header.first != end {
            break;
        }
        segment.note(&header);
        end = header.end();
    }
    Ok(end)
}

/// Shows the entries of a batch that is in memory; continues with the place behind it.
fn scan_batch(
    first: u64,
    batch: &Batch,
    range: Range<u64>,
    visit: &mut dyn FnMut(EntryView<'_>) -> Result<ControlFlow<()>, ReadError>,
) -> Result<ControlFlow<(), u64>, ReadError> {
    let end = range.end.min(first + batch.len() as u64);
    for index in range.start..end {
        if visit(batch.entry(index.into(), (index - first) as usize))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(end))
}

/// Shows the entries of one segment; continues with the place where the next segment begins.
fn scan_segment(
    segment: &Segment,
    range: Range<u64>,
    visit: &mut dyn FnMut(EntryView<'_>) -> Result<ControlFlow<()>, ReadError>,
) -> Result<ControlFlow<(), u64>, ReadError> {
    let mut next = range.start;
    if next >= segment.known_end().0 {
        segment.discover(next)?;
    }
    let mut frames = segment.frames(segment.locate(next));
    while next < range.end {
        let offset = frames.offset;
        let Some((header, body)) = frames.next()? else {
            // The end of a file that has a successor, or damage: then the next try makes no progress.
            if next > range.start {
                return Ok(ControlFlow::Continue(next));
            }
            return Err(segment.damaged(offset, next).into());
        };
        if header.first > next || header.end() <= next {
            return Err(segment.damaged(offset, next).into());
        }
        for entry in body.entries(next..range.end) {
            let entry = entry.ok_or_else(|| segment.damaged(offset, next))?;
            next += 1;
            if visit(entry)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(next))
}

/// A leaf hash per entry of a range, where there is an entry.
pub(crate) fn leaf_hashes(reader: &Reader, range: Range<u64>) -> Result<Vec<Option<Hash>>, ReadError> {
    let mut hashes = vec![None; (range.end - range.start) as usize];
    let places = LeafIndex::new(range.start)..LeafIndex::new(range.end);
    let _ = reader.scan(places, &mut |entry| {
        hashes[(entry.index.get() - range.start) as usize] = Some(entry.leaf_hash());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(hashes)
}
