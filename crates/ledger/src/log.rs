//! The log itself: recover, commit, close a segment, publish. One thread at a time; every step is plain and synchronous.
//!
//! - LED-1: an acknowledged entry is in the log after any crash. [`Log::commit`] returns only after the sync.
//! - LED-2: every published checkpoint is consistent with every earlier one. A checkpoint is of durable entries only,
//!   and [`Log::recover`] refuses a log that lost some of them.
//! - LED-3: every entry below a checkpoint has a valid inclusion proof: nodes are kept or recomputed from entries.
//! - LED-4: recovering a recovered log changes nothing.

use std::{io, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use host::{Access, DiskFile, Host, Secrecy, replace_file};
use tlog::{Checkpoint, CheckpointError, Frontier, Note, NoteError, TreeSize};

use crate::{
    Batch, Duplicates, Options, ReadError,
    commit::{Commit, Place, Places},
    digests,
    directory::{Directory, DirectoryError},
    frame::{FrameWriter, contains_header},
    history::{self, History},
    key_ring::{KeyRing, KeyRingError},
    layout::Layout,
    reader::list_segments,
    recent::Recent,
    segment::{Segment, SegmentError, encode_header},
    tree::{PendingNodes, TileFiles},
    view::View,
    window::DigestWindow,
};

/// Why a ledger is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// A frame file is damaged, or cannot be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The directory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The newest checkpoint cannot be read or is not ours.
    #[error("checkpoint {path} cannot be trusted: restore it from a backup or from a witness")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: CheckpointError,
    },
    /// Entries that a checkpoint covers are not there: the directory is older than its checkpoint, or was cut.
    #[error(
        "{path} ends with entry count {found} at offset {offset}, but the checkpoint covers {signed}: \
         entries are missing; restore the directory from a backup"
    )]
    Behind {
        /// The last frame file.
        path: PathBuf,
        /// Where its last whole frame ends.
        offset: u64,
        /// Entries that are there.
        found: TreeSize,
        /// Entries that the checkpoint covers.
        signed: TreeSize,
    },
    /// The entries are not those that the checkpoint covers.
    #[error("the {size} entries covered by the checkpoint are not those in {path}: run kubewitness verify")]
    Differs {
        /// The last frame file.
        path: PathBuf,
        /// The checkpoint's size.
        size: TreeSize,
    },
    /// The disk refuses.
    #[error("cannot open the ledger")]
    Disk(#[source] io::Error),
}

/// Why a group was not committed. No entry of it is in the log, or will be acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// No room. Entries are accepted again when there is.
    #[error("the disk is full: {path} cannot grow; entries are accepted again when there is room")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk refuses to write. The next group tries again.
    #[error("cannot write {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: Arc<io::Error>,
    },
    /// The disk may have lost what it was told to keep: nothing is accepted until the ledger is opened again.
    #[error("cannot make {path} durable; the ledger must be opened again")]
    Sync {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: Arc<io::Error>,
    },
    /// The ledger was shut down first.
    #[error("the ledger is shut down")]
    Stopped,
}

/// What opening found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Entries in the log.
    pub size: TreeSize,
    /// Bytes of an unfinished group that were cut off; it was never acknowledged.
    pub cut: u64,
}

/// Entries of a batch that are committed together.
#[derive(Clone)]
pub(crate) struct Part<'a> {
    pub(crate) batch: &'a Arc<Batch>,
    pub(crate) items: Range<usize>,
}

/// The log, open for writing.
pub(crate) struct Log {
    pub(crate) view: Arc<View>,
    pub(crate) keys: KeyRing,
    pub(crate) recovery: Recovery,
    pub(crate) options: Options,
    directory: Directory,
    live: Arc<Segment>,
    live_file: Arc<dyn DiskFile>,
    /// Room that is reserved in the live file.
    allocated: u64,
    frontier: Frontier,
    window: DigestWindow,
    pending_nodes: PendingNodes,
    history: History,
    /// Entries that the newest checkpoint covers, and when it was made.
    published: TreeSize,
    published_at: Option<Duration>,
    history_at: Option<Duration>,
    state: State,
}

/// What the log may do next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// A new segment was begun and may exist: nothing may be appended to the old one.
    MustRoll,
    /// A sync failed: nobody knows what is on disk.
    Failed,
}

impl Log {
    /// Opens the log and repairs what a crash left behind.
    pub(crate) fn recover(host: &Host, root: &std::path::Path, options: Options) -> Result<Self, OpenError> {
        let directory = Directory::open(host, root, options.origin.as_deref())?;
        let layout = directory.layout.clone();
        let keys = KeyRing::open(host, &layout, &directory.identity.origin)?;
        let disk = &*host.disk;
        let history = History::open(disk, &layout).map_err(OpenError::Disk)?;
        let signed = signed_checkpoint(host, &directory, &keys)?;

        let mut paths = list_segments(disk, &layout)?;
        if paths.is_empty() {
            // A log that never began; one that lost all its frames is found by the checkpoint below.
            create_segment(host, &directory, &Frontier::default()).map_err(OpenError::Disk)?;
            paths = list_segments(disk, &layout)?;
        }
        let mut segments = Vec::new();
        for (_, path) in &paths {
            segments.push(Arc::new(Segment::open(disk, path, Access::Write)?));
        }
        let Some(live) = segments.last().cloned() else {
            return Err(OpenError::Disk(io::ErrorKind::NotFound.into()));
        };
        let tiles = TileFiles::new(host.disk.clone(), layout.clone(), Access::Write);
        let kept = digests::read(disk, &layout, live.first);
        let mut window = DigestWindow::new(options.duplicate_window, live.first - kept.len() as u64);
        kept.into_iter().for_each(|key| window.push(key));

        let mut replay = Replay::new(live.frontier().clone(), window, signed.clone());
        let end_offset = replay.segment(&live)?;
        replay.check(&live, end_offset)?;
        let cut = settle_tail(&live, end_offset)?;

        let size = replay.frontier.size();
        let recent = Recent::new(options.recent_bytes_max);
        let origin = directory.identity.origin.clone();
        let view = View::new(host.clone(), layout, origin, tiles, recent, segments, size.get());
        let mut log = Self {
            view: Arc::new(view),
            keys,
            recovery: Recovery { size, cut },
            options,
            directory,
            live_file: live.file.clone(),
            live,
            allocated: end_offset,
            frontier: replay.frontier,
            window: replay.window,
            pending_nodes: replay.nodes,
            history,
            published: signed.map_or(TreeSize::EMPTY, |checkpoint| checkpoint.size),
            published_at: None,
            history_at: None,
            state: State::Ready,
        };
        make_names_durable(host, &log.view.layout).map_err(OpenError::Disk)?;
        // The same step that follows each commit; a failure is tried again then.
        let _ = log.pending_nodes.write(&log.view.tiles);
        Ok(log)
    }

    /// Makes a group durable, in the order given. Returns one commit for each part.
    pub(crate) fn commit(&mut self, parts: &[Part<'_>]) -> Result<Vec<Commit>, AppendError> {
        let first = self.frontier.size().get();
        let result = self.try_commit(parts, first);
        if result.is_err() {
            self.window.truncate(first);
        }
        result
    }

    fn try_commit(&mut self, parts: &[Part<'_>], first: u64) -> Result<Vec<Commit>, AppendError> {
        if self.state == State::Failed {
            return Err(AppendError::Stopped);
        }
        let mut frame = FrameWriter::new();
        let mut leaves = Vec::new();
        let places: Vec<Places> =
            parts.iter().map(|part| place(part, &mut self.window, &mut frame, &mut leaves)).collect();
        if frame.count() > 0 {
            self.make_room(frame.frame_len())?;
            self.write(&frame, first)?;
            // Commit point: the group is durable. What follows is repeated by recovery.
            for leaf in leaves {
                self.frontier.push(leaf, |node| self.pending_nodes.push(node));
            }
            let _ = self.pending_nodes.write(&self.view.tiles); // what fails stays pending
            parts.iter().zip(&places).for_each(|(part, places)| self.remember(part, places));
            self.view.publish_size(self.frontier.size().get());
        }
        let size = self.frontier.size();
        Ok(places.into_iter().map(|places| Commit { places, size }).collect())
    }

    /// Keeps a batch that stands in the log as it is for those who follow.
    fn remember(&self, part: &Part<'_>, places: &Places) {
        if let Places::Run { first, count } = places
            && *count == part.batch.len() as u64
        {
            self.view.recent.push(*first, part.batch);
        }
    }

    /// Sees to it that the live segment takes a frame of this length.
    fn make_room(&mut self, frame_len: u64) -> Result<(), AppendError> {
        let (_, used) = self.live.known_end();
        let is_used = used > crate::segment::FRAMES_START;
        let is_full = is_used && used + frame_len > self.options.segment_bytes;
        if is_full || self.state == State::MustRoll {
            self.roll()?;
        }
        let (_, used) = self.live.known_end();
        if used + frame_len <= self.allocated {
            return Ok(());
        }
        let wanted = self.options.segment_bytes.max(used + frame_len);
        let path = &self.live.path;
        let free = self.view.host.disk.free_space(&self.view.layout.root);
        let free = free.map_err(|cause| disk_error(path, cause))?;
        if free < (wanted - used).saturating_add(self.options.free_bytes_min) {
            return Err(AppendError::Full { path: path.clone() });
        }
        self.live_file.allocate(wanted).map_err(|cause| disk_error(path, cause))?;
        self.allocated = wanted;
        Ok(())
    }

    fn write(&mut self, frame: &FrameWriter<'_>, first: u64) -> Result<(), AppendError> {
        let header = frame.header(first);
        let encoded = header.encode(self.live.salt());
        let (_, offset) = self.live.known_end();
        let path = &self.live.path;
        self.live_file.write_at(&frame.slices(&encoded), offset).map_err(|cause| disk_error(path, cause))?;
        if let Err(cause) = self.live_file.sync_data() {
            // The kernel may have dropped the pages and call them clean: only reading them again tells.
            self.state = State::Failed;
            return Err(AppendError::Sync { path: path.clone(), cause: Arc::new(cause) });
        }
        self.live.note(&header);
        Ok(())
    }

    /// Closes the live segment and begins the next.
    ///
    /// Everything that recovery will not recompute is durable before the new file exists: the checkpoint covers all
    /// entries so far, the nodes are synced, the digests are kept.
    pub(crate) fn roll(&mut self) -> Result<(), AppendError> {
        self.publish(Keep::InHistory)?;
        let (_, used) = self.live.known_end();
        let layout = self.view.layout.clone();
        let path = self.live.path.clone();
        let failed = |cause| disk_error(&path, cause);
        self.pending_nodes.write(&self.view.tiles).map_err(failed)?;
        self.sync_tiles()?;
        let host = self.view.host.clone();
        digests::write(&*host.disk, &layout, &self.window).map_err(failed)?;
        self.live_file.set_len(used).map_err(failed)?;
        self.live_file.sync_data().map_err(failed)?; // of the length alone: the frames are durable already

        self.state = State::MustRoll;
        create_segment(&host, &self.directory, &self.frontier).map_err(failed)?; // commit point
        let next = layout.segment(self.frontier.size().get());
        let live = Segment::open(&*host.disk, &next, Access::Write)
            .map_err(|error| disk_error(&next, io::Error::other(error)))?;
        self.live = Arc::new(live);
        self.live_file = self.live.file.clone();
        self.allocated = 0;
        self.view.push_segment(self.live.clone());
        self.state = State::Ready;
        Ok(())
    }

    /// Makes the nodes durable. When that fails they may be lost although they can be read: recovery writes them again.
    pub(crate) fn sync_tiles(&mut self) -> Result<(), AppendError> {
        let path = self.view.layout.tiles();
        self.view.tiles.sync().map_err(|cause| {
            self.state = State::Failed;
            AppendError::Sync { path, cause: Arc::new(cause) }
        })
    }

    /// Whether the live segment has entries.
    pub(crate) fn has_live_entries(&self) -> bool {
        self.live.known_end().0 > self.live.first
    }

    /// Signs a checkpoint of all entries, unless the newest one covers them already.
    pub(crate) fn publish(&mut self, keep: Keep) -> Result<Option<Checkpoint>, AppendError> {
        let size = self.frontier.size();
        if size == self.published {
            return Ok(None);
        }
        self.sign(keep, &[]).map(Some)
    }

    /// Signs a checkpoint when it is time; says how long until the next one, if entries wait for it.
    pub(crate) fn publish_if_due(&mut self) -> Option<Duration> {
        if self.frontier.size() == self.published || self.state == State::Failed {
            return None;
        }
        let now = self.view.host.clock.monotonic();
        let due = self.published_at.map(|at| at + self.options.checkpoint_interval);
        match due {
            Some(due) if now < due => Some(due - now),
            // One that cannot be written is tried again after the interval.
            _ => {
                self.published_at = Some(now);
                self.publish(Keep::WhenDue).is_err().then_some(self.options.checkpoint_interval)
            }
        }
    }

    /// Changes the signing key. The first checkpoint of the new key is signed by the old one too.
    pub(crate) fn rotate_key(&mut self) -> Result<(), RotateError> {
        let host = self.view.host.clone();
        let old = self.keys.rotate(&host, &self.view.layout)?;
        self.sign(Keep::InHistory, &[&old])?;
        Ok(())
    }

    fn sign(&mut self, keep: Keep, also: &[&tlog::SigningKey]) -> Result<Checkpoint, AppendError> {
        let path = self.view.layout.checkpoint();
        let failed = |cause| disk_error(&path, cause);
        let now = self.view.host.clock.monotonic();
        let origin = self.view.origin.clone();
        let checkpoint = Checkpoint { origin, size: self.frontier.size(), root: self.frontier.root() };
        let signers: Vec<_> = std::iter::once(&self.keys.signing).chain(also.iter().copied()).collect();
        let note: Note = checkpoint.sign(&signers).map_err(|error: NoteError| failed(io::Error::other(error)))?;
        let disk = &*self.view.host.disk;
        let is_due = self.history_at.is_none_or(|at| now >= at + self.options.history_interval);
        if keep == Keep::InHistory || is_due {
            self.history.append(&note).map_err(failed)?;
            self.history_at = Some(now);
        }
        history::write_checkpoint(disk, &self.view.layout, &note).map_err(failed)?;
        self.published = checkpoint.size;
        self.published_at = Some(now);
        Ok(checkpoint)
    }

    /// Keeps the digests of released entries across a restart.
    pub(crate) fn keep_digests(&self) -> io::Result<()> {
        digests::write(&*self.view.host.disk, &self.view.layout, &self.window)
    }

    /// Makes the end tidy: a last checkpoint, and no room reserved any more.
    pub(crate) fn close(&mut self) -> Result<(), AppendError> {
        if self.state == State::Failed {
            return Err(AppendError::Stopped);
        }
        self.publish(Keep::InHistory)?;
        let (_, used) = self.live.known_end();
        let failed = |cause| disk_error(&self.live.path, cause);
        self.live_file.set_len(used).map_err(failed)?;
        self.allocated = used;
        self.live_file.sync_data().map_err(failed)
    }
}

/// Why the key was not changed, or the change not yet signed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The key files.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The checkpoint that ties the new key to the old one.
    #[error(transparent)]
    Checkpoint(#[from] AppendError),
}

/// Whether a checkpoint goes into the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    InHistory,
    WhenDue,
}

/// Recomputes the state of the log from its last segment.
struct Replay {
    frontier: Frontier,
    window: DigestWindow,
    nodes: PendingNodes,
    signed: Option<Checkpoint>,
    differs: bool,
}

impl Replay {
    fn new(frontier: Frontier, window: DigestWindow, signed: Option<Checkpoint>) -> Self {
        let mut replay = Self { frontier, window, nodes: PendingNodes::default(), signed, differs: false };
        replay.compare();
        replay
    }

    /// Reads every whole frame; returns where they end. What stands behind that must be an unfinished group: the end
    /// of a file is the only place where a crash leaves one, and a group is one frame.
    fn segment(&mut self, live: &Segment) -> Result<u64, OpenError> {
        let mut frames = live.frames(crate::segment::FRAMES_START);
        loop {
            let offset = frames.offset;
            let Some((header, body)) = frames.next()? else {
                return Ok(offset);
            };
            let first = self.frontier.size().get();
            if header.first != first {
                return Err(live.damaged(offset, first).into());
            }
            for entry in body.entries(header.first..header.end()) {
                let entry = entry.ok_or_else(|| live.damaged(offset, first))?;
                let item = digests::Fingerprint::of(&entry);
                self.frontier.push(item.leaf, |node| self.nodes.push(node));
                self.window.push(item.key);
                self.compare();
            }
            live.note(&header);
        }
    }

    fn compare(&mut self) {
        if let Some(signed) = &self.signed
            && signed.size == self.frontier.size()
        {
            self.differs = signed.root != self.frontier.root();
        }
    }

    /// Refuses a log that is not, or not wholly, what its checkpoint says.
    fn check(&self, live: &Segment, end_offset: u64) -> Result<(), OpenError> {
        let size = self.frontier.size();
        let signed = self.signed.as_ref().map_or(TreeSize::EMPTY, |checkpoint| checkpoint.size);
        if has_frame_behind(live, end_offset)? {
            return Err(live.damaged(end_offset, size.get()).into());
        }
        let path = live.path.clone();
        if size < signed {
            return Err(OpenError::Behind { path, offset: end_offset, found: size, signed });
        }
        if self.differs {
            return Err(OpenError::Differs { path, size: signed });
        }
        Ok(())
    }
}

/// Decides for each entry of a part whether it is new, and puts the new ones into the frame.
fn place<'a>(
    part: &Part<'a>,
    window: &mut DigestWindow,
    frame: &mut FrameWriter<'a>,
    leaves: &mut Vec<tlog::Hash>,
) -> Places {
    let batch = part.batch;
    let mut places = Places::starting_at(window.end());
    let mut run = part.items.start..part.items.start;
    let mut flush = |run: &Range<usize>| {
        if !run.is_empty() {
            frame.push(batch.records(run.clone()), run.clone().map(|item| batch.record_len(item)));
        }
    };
    for item in part.items.clone() {
        let found = &batch.items()[item];
        let earlier = match batch.duplicates() {
            Duplicates::Recognise => window.find(found.key),
            Duplicates::Keep => None,
        };
        if let Some(index) = earlier {
            places.push(Place::DuplicateOf(index.into()));
            flush(&run);
            run = item + 1..item + 1;
            continue;
        }
        places.push(Place::New(window.end().into()));
        window.push(found.key);
        leaves.push(found.leaf);
        run.end = item + 1;
    }
    flush(&run);
    places
}

fn create_segment(host: &Host, directory: &Directory, frontier: &Frontier) -> io::Result<()> {
    let mut salt = [0; 8];
    host.entropy.fill(&mut salt)?;
    let path = directory.layout.segment(frontier.size().get());
    let header = encode_header(frontier, u64::from_le_bytes(salt));
    replace_file(&*host.disk, &path, Secrecy::Shared, &header)
}

fn signed_checkpoint(host: &Host, directory: &Directory, keys: &KeyRing) -> Result<Option<Checkpoint>, OpenError> {
    let path = directory.layout.checkpoint();
    let found = history::read_checkpoint(&*host.disk, &directory.layout).map_err(OpenError::Disk)?;
    let Some(found) = found else { return Ok(None) };
    let verified = found.and_then(|(note, checkpoint)| {
        note.verify_any(&keys.verifiers)?;
        if checkpoint.origin == directory.identity.origin { Ok(checkpoint) } else { Err(CheckpointError::Text) }
    });
    verified.map(Some).map_err(|cause| OpenError::Checkpoint { path, cause })
}

fn has_frame_behind(live: &Segment, offset: u64) -> Result<bool, SegmentError> {
    let length = live.len()?;
    let mut bytes = vec![0; length.saturating_sub(offset) as usize];
    live.read(&mut bytes, offset)?;
    // The damaged frame itself may begin with a good header; a second one is what a crash cannot leave.
    let behind = bytes.get(1..).unwrap_or_default();
    Ok(contains_header(behind, live.salt()))
}

/// Cuts off an unfinished group, so that nothing of it is ever taken for a part of the next one, and makes the rest durable.
///
/// The last group may only be in memory: when the process died before its sync, or when its sync failed and the kernel
/// calls it clean all the same. Written again it is dirty again, and this sync says the truth. Earlier groups were synced
/// before the last one was begun.
fn settle_tail(live: &Segment, end: u64) -> Result<u64, OpenError> {
    let length = live.len()?;
    let mut tail = vec![0; length.saturating_sub(end) as usize];
    live.read(&mut tail, end)?;
    let cut = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    live.file.set_len(end).map_err(OpenError::Disk)?;
    let last_start = live.locate(live.known_end().0.saturating_sub(1));
    let mut last = vec![0; (end - last_start) as usize];
    live.read(&mut last, last_start)?;
    live.file.write_at(&[io::IoSlice::new(&last)], last_start).map_err(OpenError::Disk)?;
    live.file.sync_data().map_err(OpenError::Disk)?;
    Ok(cut)
}

/// What was found may not be durable yet when only the process died, or when a sync failed.
fn make_names_durable(host: &Host, layout: &Layout) -> io::Result<()> {
    host.disk.sync_dir(&layout.root)?;
    layout.directories().iter().try_for_each(|directory| host.disk.sync_dir(directory))
}

fn disk_error(path: &std::path::Path, cause: io::Error) -> AppendError {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full { path },
        _ => AppendError::Disk { path, cause: Arc::new(cause) },
    }
}
