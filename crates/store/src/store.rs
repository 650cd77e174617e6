//! The store: head, segments and manifest together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::Micros;
use host::Disk;
use parking_lot::Mutex;

use crate::cache::PageCache;
use crate::column::Column;
use crate::entry::Arrival;
use crate::head::Head;
use crate::manifest::{Manifest, ManifestError, SegmentInfo, segment_path};
use crate::segment::{RowGroup, Segment, SegmentError, SegmentWriter};
use crate::snapshot::{OpenSegment, Snapshot};
use crate::sorted::Sorted;

/// How the store keeps its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Rows after which the head becomes a segment.
    pub head_rows_max: usize,
    /// Bytes of entries after which the head becomes a segment.
    pub head_bytes_max: usize,
    /// Age of its oldest row, in microseconds, after which [`Store::seal_if_due`] makes the head a segment.
    pub head_age_max: Micros,
    /// Level of zstd compression, 1 to 19.
    pub zstd_level: i32,
    /// Memory for what questions read lately, in bytes.
    pub cache_bytes: usize,
}

/// Memory for what questions read lately, when nothing else is asked for: the columns of some million events.
pub(crate) const CACHE_BYTES: usize = 128 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            head_rows_max: 65_536,
            head_bytes_max: 128 << 20,
            head_age_max: 600_000_000,
            zstd_level: 1,
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// Why the store cannot go on. Everything in it can be rebuilt from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be used.
    #[error("cannot {doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A segment cannot be used.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// Values cannot be read.
    #[error(transparent)]
    Page(#[from] crate::PageError),
}

impl StoreError {
    /// Whether a file was not there: in a store that another process writes, it has been replaced.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::Segment(SegmentError::Disk { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound)
    }
}

/// Folds the ledger into columns. One thread appends and seals; [`Reader`]s ask from any thread.
pub struct Store {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    options: Options,
    cache: Arc<PageCache>,
    shared: Arc<Mutex<Shared>>,
}

/// What is visible: always one manifest with its segments, and the rows that came after it.
struct Shared {
    manifest: Arc<Manifest>,
    segments: Vec<Arc<OpenSegment>>,
    head: Head,
    next: u64,
    next_segment: u64,
}

/// What a row group was made from.
pub(crate) enum Source<'s> {
    /// Rows, encoded anew.
    Rows(Sorted),
    /// Another row group, copied byte by byte.
    Group(&'s RowGroup),
}

/// Asks the store; cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Mutex<Shared>>);

impl Store {
    /// Opens the store in `directory`, or makes an empty one. What a crash left half done is removed.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, options: Options) -> Result<Self, StoreError> {
        let failed = |doing| move |cause| StoreError::Disk { doing, path: directory.to_owned(), cause };
        disk.create_dir_all(directory).map_err(failed("make"))?;
        let manifest = Manifest::load(&*disk, directory)?;
        remove_strangers(&*disk, directory, &manifest).map_err(failed("tidy"))?;
        let cache = Arc::new(PageCache::new(options.cache_bytes));
        let segments = open_segments(&*disk, directory, &manifest, &[], &cache)?;
        let (next, next_segment) = (manifest.cursor, manifest.next_segment);
        let shared = Shared { manifest: Arc::new(manifest), segments, head: Head::default(), next, next_segment };
        Ok(Self { disk, directory: directory.to_owned(), options, cache, shared: Arc::new(Mutex::new(shared)) })
    }

    /// Place of the first entry that is in no segment; everything before it needs the ledger no more.
    pub fn cursor(&self) -> u64 {
        self.shared.lock().manifest.cursor
    }

    /// Place of the entry that is wanted next.
    pub fn next(&self) -> u64 {
        self.shared.lock().next
    }

    /// Adds entries, which are visible on return. Those before [`Self::next`] are known and skipped.
    /// Seals when the head has reached its limits.
    pub fn append<'a, A: Into<Arrival<'a>>>(
        &mut self,
        arrivals: impl IntoIterator<Item = A>,
    ) -> Result<(), StoreError> {
        for arrival in arrivals {
            let full = self.append_one(&arrival.into());
            if full {
                self.seal_head()?;
            }
        }
        Ok(())
    }

    fn append_one(&self, arrival: &Arrival<'_>) -> bool {
        let mut shared = self.shared.lock();
        if arrival.entry.index >= shared.next {
            shared.head.append(arrival);
            shared.next = arrival.entry.index + 1;
        }
        shared.head.rows() >= self.options.head_rows_max || shared.head.bytes() >= self.options.head_bytes_max
    }

    /// Seals if the oldest row in the head is older than the options allow.
    pub fn seal_if_due(&mut self, now: Micros) -> Result<(), StoreError> {
        let oldest = self.shared.lock().head.oldest();
        match oldest {
            Some(oldest) if now.saturating_sub(oldest) >= self.options.head_age_max => self.seal(),
            _ => Ok(()),
        }
    }

    /// Makes the head a segment. Queries go on meanwhile.
    pub fn seal(&mut self) -> Result<(), StoreError> {
        self.seal_head()?;
        self.shared.lock().head.give_room_back();
        Ok(())
    }

    fn seal_head(&mut self) -> Result<(), StoreError> {
        let (blocks, mut manifest, cursor) = {
            let mut shared = self.shared.lock();
            (shared.head.close(), Manifest::clone(&shared.manifest), shared.next)
        };
        if blocks.is_empty() {
            return Ok(());
        }
        let count = blocks.len();
        let segment = Arc::new(self.write_segment(self.take_segment_id(), Sorted::new(blocks))?);
        let mut segments = self.shared.lock().segments.clone();
        segments.push(Arc::clone(&segment));
        manifest.cursor = cursor;
        manifest.segments.push(segment.info.clone());
        self.adopt(manifest, segments, count)
    }

    fn write_segment(&self, id: u64, rows: Sorted) -> Result<OpenSegment, StoreError> {
        let path = segment_path(&self.directory, id);
        let mut writer = SegmentWriter::create(&*self.disk, &path, self.options.zstd_level)?;
        writer.add(&rows)?;
        let mut info = SegmentInfo::empty(id);
        info.bytes = writer.finish()?;
        info.note(&rows);
        self.open_written(info, std::iter::once(Ok(Source::Rows(rows))))
    }

    /// Opens a segment that was written just now, and reads all of it back: it must give what it was made from, a source
    /// for each of its row groups, before anybody lets go of that.
    pub(crate) fn open_written<'s>(
        &self,
        info: SegmentInfo,
        mut sources: impl Iterator<Item = Result<Source<'s>, StoreError>>,
    ) -> Result<OpenSegment, StoreError> {
        let path = info.path(&self.directory);
        let segment = Segment::open(&*self.disk, &path, &self.cache)?;
        for group in segment.groups() {
            let difference = match sources.next().transpose()? {
                Some(Source::Rows(rows)) => group.differs_from(&rows)?,
                Some(Source::Group(source)) => group.difference(source)?,
                None => Some(Column::Index),
            };
            if let Some(column) = difference {
                return Err(SegmentError::Differs { path: path.display().to_string(), column: column.name() }.into());
            }
        }
        Ok(OpenSegment { segment, info })
    }

    /// A number that no segment has had, also none whose manifest was committed though we were told that it was not.
    pub(crate) fn take_segment_id(&self) -> u64 {
        let mut shared = self.shared.lock();
        shared.next_segment += 1;
        shared.next_segment - 1
    }

    /// Makes `manifest` the store's, and removes the files that it no longer names.
    pub(crate) fn adopt(
        &self,
        mut manifest: Manifest,
        mut segments: Vec<Arc<OpenSegment>>,
        sealed: usize,
    ) -> Result<(), StoreError> {
        manifest.next_segment = self.shared.lock().next_segment;
        let synced = self.disk.sync_dir(&self.directory);
        synced.map_err(|cause| StoreError::Disk { doing: "sync", path: self.directory.clone(), cause })?;
        manifest.commit(&*self.disk, &self.directory)?; // commit point: a crash before leaves stray files
        segments.sort_by_key(|segment| segment.info.first);
        let old = {
            let mut shared = self.shared.lock();
            shared.head.drop_blocks(sealed);
            shared.manifest = Arc::new(manifest);
            std::mem::replace(&mut shared.segments, segments.clone())
        };
        // Snapshots that still use them hold them open. What cannot be removed now is a stray to the next start.
        for gone in old.iter().filter(|old| segments.iter().all(|kept| kept.info.id != old.info.id)) {
            let _ = self.disk.remove(&gone.info.path(&self.directory));
        }
        Ok(())
    }

    pub(crate) fn current(&self) -> (Manifest, Vec<Arc<OpenSegment>>) {
        let shared = self.shared.lock();
        (Manifest::clone(&shared.manifest), shared.segments.clone())
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// A handle that asks.
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.shared))
    }
}

impl Reader {
    /// Everything that is visible now; it stays the same while it is held (STO-2).
    pub fn snapshot(&self) -> Snapshot {
        let mut shared = self.0.lock();
        Snapshot::new(shared.segments.clone(), shared.head.blocks(), shared.next)
    }
}

pub(crate) fn open_segments(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &Manifest,
    known: &[Arc<OpenSegment>],
    cache: &Arc<PageCache>,
) -> Result<Vec<Arc<OpenSegment>>, StoreError> {
    let open = |info: &SegmentInfo| match known.iter().find(|segment| segment.info.id == info.id) {
        Some(segment) => Ok(Arc::clone(segment)),
        None => {
            let segment = Segment::open(disk, &info.path(directory), cache)?;
            Ok(Arc::new(OpenSegment { info: info.clone(), segment }))
        }
    };
    manifest.segments.iter().map(open).collect()
}

/// Removes files that no manifest names: what a crash left between writing a file and naming it, or after.
fn remove_strangers(disk: &dyn Disk, directory: &Path, manifest: &Manifest) -> std::io::Result<()> {
    for path in disk.list(directory)? {
        let is_segment = path.extension().is_some_and(|extension| extension == "parquet");
        if is_segment && !manifest.segments.iter().any(|info| info.path(directory) == path) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}
