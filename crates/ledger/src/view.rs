//! What the writer shares with its readers.

use std::{sync::Arc, time::Duration};

use host::Host;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::{archive::Archive, layout::Layout, recent::Recent, segment::Segment, tree::TileFiles};

/// The committed log as readers see it.
pub(crate) struct View {
    pub(crate) host: Host,
    pub(crate) layout: Layout,
    pub(crate) origin: String,
    pub(crate) tiles: TileFiles,
    pub(crate) recent: Recent,
    /// In ascending order of their first entry.
    segments: RwLock<Vec<Arc<Segment>>>,
    archive: RwLock<Option<Arc<dyn Archive>>>,
    committed: Mutex<Committed>,
    grown: Condvar,
}

#[derive(Clone, Copy)]
struct Committed {
    size: u64,
    is_closed: bool,
}

impl View {
    pub(crate) fn new(
        host: Host,
        layout: Layout,
        origin: String,
        tiles: TileFiles,
        recent: Recent,
        segments: Vec<Arc<Segment>>,
        size: u64,
    ) -> Self {
        Self {
            host,
            layout,
            origin,
            tiles,
            recent,
            segments: RwLock::new(segments),
            archive: RwLock::new(None),
            committed: Mutex::new(Committed { size, is_closed: false }),
            grown: Condvar::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.committed.lock().size
    }

    pub(crate) fn publish_size(&self, size: u64) {
        self.committed.lock().size = size;
        self.grown.notify_all();
    }

    /// No more entries will come; nobody waits for them any longer.
    pub(crate) fn close(&self) {
        self.committed.lock().is_closed = true;
        self.grown.notify_all();
    }

    /// Waits until the log has this size; returns the size it has.
    pub(crate) fn wait_for(&self, size: u64, timeout: Duration) -> u64 {
        let mut committed = self.committed.lock();
        let is_waiting = |committed: &mut Committed| committed.size < size && !committed.is_closed;
        self.grown.wait_while_for(&mut committed, is_waiting, timeout);
        committed.size
    }

    /// The segment that holds an entry, if its frames are still there.
    pub(crate) fn segment_of(&self, index: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.first <= index);
        after.checked_sub(1).map(|at| segments[at].clone())
    }

    /// First entry whose frames are still there.
    pub(crate) fn frames_start(&self) -> u64 {
        self.segments.read().first().map_or(0, |segment| segment.first)
    }

    pub(crate) fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    pub(crate) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write() = segments;
    }

    pub(crate) fn push_segment(&self, segment: Arc<Segment>) {
        self.segments.write().push(segment);
    }

    /// Takes away the segments wholly below a place, but never the last; returns them.
    pub(crate) fn take_segments_below(&self, below: u64) -> Vec<Arc<Segment>> {
        let mut segments = self.segments.write();
        let ends = segments.iter().skip(1).take_while(|next| next.first <= below);
        let count = ends.count();
        segments.drain(..count).collect()
    }

    pub(crate) fn archive(&self) -> Option<Arc<dyn Archive>> {
        self.archive.read().clone()
    }

    pub(crate) fn set_archive(&self, archive: Arc<dyn Archive>) {
        *self.archive.write() = Some(archive);
    }
}
