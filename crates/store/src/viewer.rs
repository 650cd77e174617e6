//! The store of another process, read while that one writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::Disk;
use parking_lot::Mutex;

use crate::cache::PageCache;
use crate::entry::Entry;
use crate::head::Head;
use crate::manifest::Manifest;
use crate::snapshot::{OpenSegment, Snapshot};
use crate::store::{CACHE_BYTES, StoreError, open_segments};

/// Times that a snapshot is tried again when the writer removed a segment between its manifest and its file.
const TRIES_MAX: usize = 10;

/// Reads a store without a lock and without changing anything.
pub struct Viewer {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    cache: Arc<PageCache>,
    known: Mutex<Vec<Arc<OpenSegment>>>,
}

impl Viewer {
    /// Of the store in `directory`; one that does not exist is empty.
    pub fn new(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        let cache = Arc::new(PageCache::new(CACHE_BYTES));
        Self { disk, directory: directory.to_owned(), cache, known: Mutex::default() }
    }

    /// What is sealed now. Entries from [`Snapshot::next`] on are in the ledger only; see [`Snapshot::with_tail`].
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut known = self.known.lock();
        let mut tries = 0;
        loop {
            let manifest = Manifest::load(&*self.disk, &self.directory)?;
            match open_segments(&*self.disk, &self.directory, &manifest, &known, &self.cache) {
                Ok(segments) => {
                    known.clone_from(&segments);
                    return Ok(Snapshot::new(segments, Vec::new(), manifest.cursor));
                }
                // Compacted or expired meanwhile: there is a newer manifest.
                Err(error) if tries < TRIES_MAX && error.is_missing_file() => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Collects the newest entries, which are in the ledger only.
pub struct Tail {
    snapshot: Snapshot,
    head: Head,
}

impl Snapshot {
    /// Begins to add the entries that come after this snapshot.
    pub fn with_tail(self) -> Tail {
        Tail { snapshot: self, head: Head::default() }
    }
}

impl Tail {
    /// Adds the next entry; those that the snapshot holds are skipped.
    pub fn push(&mut self, entry: &Entry<'_>) {
        if entry.index >= self.snapshot.next() {
            self.head.append(&(*entry).into());
            self.snapshot.set_next(entry.index + 1);
        }
    }

    /// The snapshot with the entries.
    pub fn finish(mut self) -> Snapshot {
        let blocks = self.head.close();
        self.snapshot.with_blocks(blocks)
    }
}
