//! The store: head, segments and manifest together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::Micros;
use host::Disk;
use parking_lot::Mutex;

use crate::block::Block;
use crate::column::Column;
use crate::entry::Entry;
use crate::head::Head;
use crate::manifest::{ClusterPart, Manifest, ManifestError, SegmentInfo, segment_path};
use crate::segment::{self, Segment, SegmentError};
use crate::snapshot::{OpenSegment, Snapshot};
use crate::values::{NO_INTEGER, Values};

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
}

impl Default for Options {
    fn default() -> Self {
        Self { head_rows_max: 65_536, head_bytes_max: 128 << 20, head_age_max: 600_000_000, zstd_level: 3 }
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

/// Folds the ledger into columns. One thread appends and seals; [`Reader`]s ask from any thread.
pub struct Store {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    options: Options,
    shared: Arc<Mutex<Shared>>,
}

/// What is visible: always one manifest with its segments, and the rows that came after it.
struct Shared {
    manifest: Arc<Manifest>,
    segments: Vec<Arc<OpenSegment>>,
    head: Head,
    next: u64,
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
        let segments = open_segments(&*disk, directory, &manifest, &[])?;
        let next = manifest.cursor;
        let shared = Shared { manifest: Arc::new(manifest), segments, head: Head::default(), next };
        Ok(Self { disk, directory: directory.to_owned(), options, shared: Arc::new(Mutex::new(shared)) })
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
    pub fn append<'a>(&mut self, entries: impl IntoIterator<Item = Entry<'a>>) -> Result<(), StoreError> {
        for entry in entries {
            let full = self.append_one(&entry);
            if full {
                self.seal()?;
            }
        }
        Ok(())
    }

    fn append_one(&self, entry: &Entry<'_>) -> bool {
        let mut shared = self.shared.lock();
        if entry.index >= shared.next {
            shared.head.append(entry);
            shared.next = entry.index + 1;
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
        let (blocks, mut manifest, cursor) = {
            let mut shared = self.shared.lock();
            (shared.head.close(), Manifest::clone(&shared.manifest), shared.next)
        };
        if blocks.is_empty() {
            return Ok(());
        }
        let parts: Vec<&Block> = blocks.iter().map(|block| &**block).collect();
        let whole = Block::concat(&parts);
        let segment = self.write_segment(manifest.next_segment, &[&whole])?;
        manifest.next_segment += 1;
        manifest.cursor = cursor;
        manifest.segments.push(segment.info.clone());
        manifest.commit(&*self.disk, &self.directory)?; // commit point: a crash before leaves a stray file
        let mut shared = self.shared.lock();
        shared.manifest = Arc::new(manifest);
        shared.segments.push(Arc::new(segment));
        shared.head.drop_blocks(blocks.len());
        Ok(())
    }

    fn write_segment(&self, id: u64, groups: &[&Block]) -> Result<OpenSegment, StoreError> {
        let path = segment_path(&self.directory, id);
        let bytes = segment::write(&*self.disk, &path, groups, self.options.zstd_level)?;
        let segment = Segment::open(&*self.disk, &path)?;
        Ok(OpenSegment { info: describe(id, bytes, groups), segment })
    }

    /// A handle that asks.
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.shared))
    }
}

impl Reader {
    /// Opens a store that another process may be writing, only to ask. What that process has in no segment yet is added
    /// with [`Reader::extend`].
    pub fn open(disk: &dyn Disk, directory: &Path) -> Result<Self, StoreError> {
        /// A writer replaces segments now and then; one that is gone is in the next manifest no more.
        const ATTEMPTS: usize = 5;
        let mut attempt = 1;
        let (manifest, segments) = loop {
            let manifest = Manifest::load(disk, directory)?;
            match open_segments(disk, directory, &manifest, &[]) {
                Ok(segments) => break (manifest, segments),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        };
        let next = manifest.cursor;
        let shared = Shared { manifest: Arc::new(manifest), segments, head: Head::default(), next };
        Ok(Self(Arc::new(Mutex::new(shared))))
    }

    /// Place of the first entry that is not visible.
    pub fn next(&self) -> u64 {
        self.0.lock().next
    }

    /// Makes an entry visible to this reader and its clones; one before [`Reader::next`] is known and skipped.
    pub fn extend(&self, entry: &Entry<'_>) {
        let mut shared = self.0.lock();
        if entry.index >= shared.next {
            shared.head.append(entry);
            shared.next = entry.index + 1;
        }
    }

    /// Everything that is visible now; it stays the same while it is held (STO-2).
    pub fn snapshot(&self) -> Snapshot {
        let mut shared = self.0.lock();
        Snapshot::new(shared.segments.clone(), shared.head.blocks(), shared.next)
    }
}

fn open_segments(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &Manifest,
    known: &[Arc<OpenSegment>],
) -> Result<Vec<Arc<OpenSegment>>, StoreError> {
    let open = |info: &SegmentInfo| match known.iter().find(|segment| segment.info.id == info.id) {
        Some(segment) => Ok(Arc::clone(segment)),
        None => {
            let segment = Segment::open(disk, &info.path(directory))?;
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

/// What the manifest says of a segment made of `groups`.
fn describe(id: u64, bytes: u64, groups: &[&Block]) -> SegmentInfo {
    let mut info = SegmentInfo { id, bytes, rows: 0, first: u64::MAX, last: 0, clusters: Vec::new() };
    for block in groups {
        info.rows += block.rows() as u64;
        let places = block.integers(Column::Index);
        info.first = places.iter().map(|place| *place as u64).min().unwrap_or(u64::MAX).min(info.first);
        info.last = places.iter().map(|place| *place as u64).max().unwrap_or(0).max(info.last);
        describe_clusters(block, &mut info.clusters);
    }
    info
}

fn describe_clusters(block: &Block, clusters: &mut Vec<ClusterPart>) {
    let Values::Coded { codes, dictionary } = block.values(Column::Cluster) else { return };
    let names: Vec<String> = dictionary.values().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let places: Vec<usize> = names.into_iter().map(|name| place_of(name, clusters)).collect();
    let times = block.integers(Column::Time);
    let received = block.integers(Column::Received);
    let sizes = block.integers(Column::Size);
    for (row, code) in codes.iter().enumerate() {
        let Some(part) = (*code as usize).checked_sub(1).map(|at| &mut clusters[places[at]]) else { continue };
        part.rows += 1;
        part.entry_bytes += sizes[row].max(0) as u64;
        part.from = part.from.min(times[row]);
        part.until = part.until.max(times[row]);
        part.received = part.received.max(received[row]);
    }
}

fn place_of(cluster: String, clusters: &mut Vec<ClusterPart>) -> usize {
    clusters.iter().position(|part| part.cluster == cluster).unwrap_or_else(|| {
        let (from, until) = (Micros::MAX, Micros::MIN);
        clusters.push(ClusterPart { cluster, rows: 0, entry_bytes: 0, from, until, received: NO_INTEGER });
        clusters.len() - 1
    })
}
