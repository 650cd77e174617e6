//! Verifying a whole log: everything is computed anew from the bytes and held against what was signed.

use std::{
    ops::{ControlFlow, Range},
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use tlog::{Checkpoint, Frontier, Hash, LeafIndex, Node, Note, TILE_HEIGHT, TreeSize, VerifierKey, subtree_root};

use crate::{Erasure, ReadError, Reader, SegmentError, history::read_history, trust::vouched};

/// Entries that one worker computes at a time; a multiple of [`BLOCK`].
const CHUNK: u64 = 1 << 16;
/// Entries under one stored node of level 1.
const BLOCK: u64 = 256;
/// Chunks that a worker may be ahead.
const CHUNKS_AHEAD: usize = 2;

/// What a log is held against, beside itself.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// An older checkpoint, kept elsewhere: the log must still begin with the entries that it covers.
    pub since: Option<Note>,
    /// Public keys of the log that were kept elsewhere; the keys that they vouch for are believed too. Without any, the
    /// keys in the directory are.
    pub keys: Vec<VerifierKey>,
    /// Threads that compute; zero is one.
    pub threads: usize,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the log.
    pub origin: String,
    /// Entries in the log.
    pub size: TreeSize,
    /// Entries whose bytes were read.
    pub entries: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// What was erased on purpose, with the reason.
    pub erasures: Vec<Erasure>,
    /// Checkpoints that were verified.
    pub checkpoints: u64,
    /// Size of the largest tree that a verified checkpoint covers; entries after it are not signed yet.
    pub signed: TreeSize,
    /// Root of the whole tree; `None` when entries are missing.
    pub root: Option<Hash>,
    /// What is wrong, in the order of the log. Empty means: everything is as it was signed.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How far verifying has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries that were held against the tree.
    pub entries: u64,
    /// Entries in all.
    pub size: TreeSize,
    /// Bytes of payload so far.
    pub bytes: u64,
}

/// Something that is not as it was signed, and where.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Problem {
    /// A frame file is damaged.
    #[error("entry {index}: {path} is damaged at offset {offset}")]
    Damaged {
        /// First entry that is affected.
        index: LeafIndex,
        /// The frame file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
    },
    /// Entries cannot be read.
    #[error("entry {index} cannot be read: {reason}")]
    Unreadable {
        /// First entry that is affected.
        index: LeafIndex,
        /// Why.
        reason: String,
    },
    /// Entries are gone, and no retention record says so.
    #[error("entries {} to {} are missing", entries.start, entries.end.get() - 1)]
    Missing {
        /// The entries.
        entries: Range<LeafIndex>,
    },
    /// Entries are not those that were appended: one or more was changed, inserted, removed or moved.
    #[error("entries {} to {} are not those that were signed{}", entries.start, entries.end.get() - 1, file(path, *offset))]
    Changed {
        /// The smallest range that is known to hold the change.
        entries: Range<LeafIndex>,
        /// The frame file with the first of them, if they are in frames.
        path: Option<PathBuf>,
        /// Where its frame begins.
        offset: u64,
    },
    /// A stored node is not what the entries give.
    #[error("{path} is altered at offset {offset}: the node is not that of entries {} to {}", entries.start, entries.end.get() - 1)]
    Node {
        /// The tile file.
        path: PathBuf,
        /// Where the node is in it.
        offset: u64,
        /// Entries under the node.
        entries: Range<LeafIndex>,
    },
    /// A checkpoint cannot be read, or nobody of the log signed it.
    #[error("{checkpoint} cannot be trusted: {reason}")]
    Untrusted {
        /// Which checkpoint.
        checkpoint: String,
        /// Why not.
        reason: String,
    },
    /// A checkpoint is of another tree.
    #[error(
        "{checkpoint} covers {size} entries, but these are others: the log was rewritten between entry {agreed} and {size}"
    )]
    Rewritten {
        /// Which checkpoint.
        checkpoint: String,
        /// Entries that it covers.
        size: TreeSize,
        /// The largest size on which an older checkpoint and the log agree.
        agreed: TreeSize,
    },
    /// A checkpoint covers more entries than there are.
    #[error(
        "{checkpoint} covers {size} entries, but the log has {found}: its end is gone, or the directory was rolled back"
    )]
    RolledBack {
        /// Which checkpoint.
        checkpoint: String,
        /// Entries that it covers.
        size: TreeSize,
        /// Entries that there are.
        found: TreeSize,
    },
    /// A record of retention cannot be read, or the log did not sign it.
    #[error("retention record {path} cannot be trusted")]
    Erasure {
        /// The file.
        path: PathBuf,
    },
}

fn file(path: &Option<PathBuf>, offset: u64) -> String {
    path.as_ref().map(|path| format!(" ({} at offset {offset})", path.display())).unwrap_or_default()
}

/// Computes the whole log anew. `progress` is called now and then on this thread.
///
/// A reader in another process sees entries that came after the newest checkpoint too; they are computed but not signed yet.
pub fn verify(
    reader: &Reader,
    options: &VerifyOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Report, ReadError> {
    let keys = if options.keys.is_empty() { reader.verifier_keys()? } else { options.keys.clone() };
    let mut audit = Audit::new(reader, &keys, options.since.as_ref())?;
    // The size is asked after the checkpoints were read, so that it cannot be behind them.
    let size = reader.refresh()?;
    audit.expect_within(size);
    let workers = options.threads.max(1);
    std::thread::scope(|scope| {
        let lanes: Vec<Receiver<Chunk>> = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
                scope.spawn(move || compute_lane(reader, size, worker, workers, &sender));
                receiver
            })
            .collect();
        for lane in lanes.iter().cycle() {
            let Ok(chunk) = lane.recv() else { break };
            audit.take(chunk)?;
            progress(audit.progress(size));
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(audit.finish(size))
}

/// What a worker computed from consecutive entries.
struct Chunk {
    start: u64,
    leaves: Vec<Option<Hash>>,
    bytes: u64,
    entries: u64,
    error: Option<ReadError>,
}

fn compute_lane(reader: &Reader, size: TreeSize, worker: usize, workers: usize, out: &SyncSender<Chunk>) {
    for start in (0..size.get()).step_by(CHUNK as usize).skip(worker).step_by(workers) {
        let chunk = compute(reader, start..(start + CHUNK).min(size.get()));
        if out.send(chunk).is_err() {
            return;
        }
    }
}

fn compute(reader: &Reader, range: Range<u64>) -> Chunk {
    let leaves = vec![None; (range.end - range.start) as usize];
    let mut chunk = Chunk { start: range.start, leaves, bytes: 0, entries: 0, error: None };
    let places = LeafIndex::new(range.start)..LeafIndex::new(range.end);
    let scanned = reader.scan(places, &mut |entry| {
        let slot = entry.index.get().checked_sub(range.start).map(|at| at as usize);
        if let Some(leaf) = slot.and_then(|at| chunk.leaves.get_mut(at)) {
            *leaf = Some(entry.leaf_hash());
            chunk.bytes += entry.payload.len() as u64;
            chunk.entries += 1;
        }
        Ok(ControlFlow::Continue(()))
    });
    chunk.error = scanned.err();
    chunk
}

/// A root that the log must have at some size.
struct Expected {
    size: TreeSize,
    root: Hash,
    checkpoint: String,
}

struct Audit<'r> {
    reader: &'r Reader,
    report: Report,
    /// In ascending order of size; those before `next` were compared.
    expected: Vec<Expected>,
    next: usize,
    /// In ascending order, without overlaps.
    erased: Vec<Range<u64>>,
    frontier: Frontier,
    /// Whether a leaf is unknown, so that no root can be computed any more.
    has_hole: bool,
    /// Blocks whose stored node is not what the entries give.
    suspects: Vec<Range<u64>>,
    /// Below this place every node must be stored.
    stored_below: u64,
}

impl<'r> Audit<'r> {
    fn new(reader: &'r Reader, keys: &[VerifierKey], since: Option<&Note>) -> Result<Self, ReadError> {
        let report = Report {
            origin: reader.origin().to_owned(),
            size: TreeSize::EMPTY,
            entries: 0,
            bytes: 0,
            erasures: Vec::new(),
            checkpoints: 0,
            signed: TreeSize::EMPTY,
            root: None,
            problems: Vec::new(),
        };
        let mut audit = Self {
            reader,
            report,
            expected: Vec::new(),
            next: 0,
            erased: Vec::new(),
            frontier: Frontier::default(),
            has_hole: false,
            suspects: Vec::new(),
            stored_below: 0,
        };
        audit.read_checkpoints(keys, since)?;
        audit.read_erasures()?;
        Ok(audit)
    }

    fn read_checkpoints(&mut self, keys: &[VerifierKey], since: Option<&Note>) -> Result<(), ReadError> {
        let view = &self.reader.view;
        let path = view.layout.history();
        let history = read_history(&*view.host.disk, &view.layout)
            .map_err(|cause| ReadError::Disk { path: path.clone(), cause })?;
        let newest = self.reader.checkpoint();
        let newest = newest.as_ref().map(|newest| newest.as_ref().map(|(note, _)| note));
        let notes: Vec<&Note> = history.iter().flatten().chain(newest.ok().flatten()).collect();
        let keys = vouched(keys.to_vec(), &self.reader.verifier_keys()?, &notes);
        for (number, note) in history.iter().enumerate() {
            let name = format!("checkpoint {} in {}", number + 1, path.display());
            self.expect(name, note.as_ref().ok(), &keys);
        }
        match newest {
            Ok(None) => {}
            Ok(note) => self.expect("the newest checkpoint".to_owned(), note, &keys),
            Err(_) => self.expect("the newest checkpoint".to_owned(), None, &keys),
        }
        if let Some(since) = since {
            self.expect("the checkpoint given".to_owned(), Some(since), &keys);
        }
        self.expected.sort_by_key(|expected| expected.size);
        Ok(())
    }

    fn expect(&mut self, checkpoint: String, note: Option<&Note>, keys: &[VerifierKey]) {
        let trusted = note.ok_or("it cannot be read".to_owned()).and_then(|note| {
            note.verify_any(keys).map_err(|error| error.to_string())?;
            let found = Checkpoint::try_from(note).map_err(|error| error.to_string())?;
            if found.origin == self.report.origin {
                return Ok(found);
            }
            Err(format!("it is of another log, {}", found.origin))
        });
        match trusted {
            Ok(Checkpoint { size, root, .. }) => self.expected.push(Expected { size, root, checkpoint }),
            Err(reason) => self.report.problems.push(Problem::Untrusted { checkpoint, reason }),
        }
    }

    fn read_erasures(&mut self) -> Result<(), ReadError> {
        for erasure in self.reader.erasures()? {
            match erasure {
                Ok(erasure) => self.report.erasures.push(erasure),
                Err(path) => self.report.problems.push(Problem::Erasure { path }),
            }
        }
        let ranges = self.report.erasures.iter().flat_map(|erasure| &erasure.ranges);
        let mut ranges: Vec<_> = ranges.map(|range| range.start.get()..range.end.get()).collect();
        ranges.sort_by_key(|range| range.start);
        for range in ranges {
            match self.erased.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => self.erased.push(range),
            }
        }
        Ok(())
    }

    fn expect_within(&mut self, size: TreeSize) {
        self.report.size = size;
        self.stored_below = self.reader.view.segments().last().map_or(0, |segment| segment.first);
        while let Some(Expected { size: signed, .. }) = self.expected.last()
            && *signed > size
        {
            let Some(Expected { size: signed, checkpoint, .. }) = self.expected.pop() else { break };
            self.report.problems.push(Problem::RolledBack { checkpoint, size: signed, found: size });
        }
        self.compare_root();
    }

    fn progress(&self, size: TreeSize) -> Progress {
        Progress { entries: self.report.entries, size, bytes: self.report.bytes }
    }

    fn take(&mut self, mut chunk: Chunk) -> Result<(), ReadError> {
        self.report.entries += chunk.entries;
        self.report.bytes += chunk.bytes;
        let failed = chunk.error.take();
        self.fill_erased(&mut chunk)?;
        self.report_holes(&chunk, failed);
        self.compare_blocks(&chunk)?;
        for leaf in chunk.leaves {
            let Some(leaf) = leaf.filter(|_| !self.has_hole) else {
                self.has_hole = true;
                break;
            };
            let mut completed = Vec::new();
            self.frontier.push(leaf, |node| completed.push(node));
            completed.into_iter().try_for_each(|node| self.compare_node(node))?;
            self.compare_root();
        }
        Ok(())
    }

    /// Puts the stored hashes of erased entries where their bytes are gone.
    fn fill_erased(&self, chunk: &mut Chunk) -> Result<(), ReadError> {
        if self.erased.is_empty() || chunk.leaves.iter().all(Option::is_some) {
            return Ok(());
        }
        let stored = self.reader.stored_leaf_hashes(chunk.start, chunk.leaves.len())?;
        for (index, (leaf, stored)) in (chunk.start..).zip(chunk.leaves.iter_mut().zip(stored)) {
            if leaf.is_none() && self.is_erased(index) {
                *leaf = stored;
            }
        }
        Ok(())
    }

    fn is_erased(&self, index: u64) -> bool {
        let at = self.erased.partition_point(|range| range.end <= index);
        self.erased.get(at).is_some_and(|range| range.start <= index)
    }

    fn report_holes(&mut self, chunk: &Chunk, failed: Option<ReadError>) {
        let places: Vec<u64> =
            (chunk.start..).zip(&chunk.leaves).filter_map(|(index, leaf)| leaf.is_none().then_some(index)).collect();
        let Some(first) = places.first().copied() else { return };
        let index = LeafIndex::new(first);
        match failed {
            Some(ReadError::Segment(SegmentError::Frame { path, offset, index })) => {
                let index = LeafIndex::new(index);
                self.report.problems.push(Problem::Damaged { index, path, offset });
            }
            Some(error) => {
                let reason = chain(&error);
                self.report.problems.push(Problem::Unreadable { index, reason });
            }
            None => {
                let runs = places.chunk_by(|left, right| left + 1 == *right);
                self.report
                    .problems
                    .extend(runs.map(|run| Problem::Missing { entries: index_range(run[0]..run[run.len() - 1] + 1) }));
            }
        }
    }

    /// Holds every whole block against its stored node; that also works behind a hole.
    fn compare_blocks(&mut self, chunk: &Chunk) -> Result<(), ReadError> {
        let path = self.reader.view.layout.tile_level(1);
        let whole = chunk.leaves.len() as u64 / BLOCK;
        let stored = self.reader.view.tiles.read(1, chunk.start / BLOCK, whole as usize);
        let stored = stored.map_err(|cause| ReadError::Disk { path, cause })?;
        let mut stored = stored.into_iter();
        for (number, leaves) in (0..whole).zip(chunk.leaves.chunks(BLOCK as usize)) {
            let start = chunk.start + number * BLOCK;
            let leaves: Option<Vec<Hash>> = leaves.iter().copied().collect();
            let node = stored.next();
            let Some(leaves) = leaves else { continue };
            // The nodes of the newest entries may be on their way to the disk.
            let is_absent = node.is_none() && start + BLOCK > self.stored_below;
            if !is_absent && node != Some(subtree_root(&leaves)) {
                self.suspects.push(start..start + BLOCK);
            }
        }
        Ok(())
    }

    /// Holds a node above level 1 against the stored one.
    fn compare_node(&mut self, node: Node) -> Result<(), ReadError> {
        let level = node.height / TILE_HEIGHT;
        if !node.height.is_multiple_of(TILE_HEIGHT) || level < 2 {
            return Ok(());
        }
        let path = self.reader.view.layout.tile_level(level);
        let entries = node.index << node.height..(node.index + 1) << node.height;
        let found = self.reader.view.tiles.read(level, node.index, 1);
        let found = found.map_err(|cause| ReadError::Disk { path: path.clone(), cause })?;
        let is_absent = found.is_empty() && entries.end > self.stored_below;
        if !is_absent && found.first() != Some(&node.hash) {
            let offset = node.index * Hash::SIZE as u64;
            self.report.problems.push(Problem::Node { path, offset, entries: index_range(entries) });
        }
        Ok(())
    }

    fn compare_root(&mut self) {
        let size = self.frontier.size();
        while let Some(expected) = self.expected.get(self.next)
            && expected.size == size
        {
            self.next += 1;
            self.report.checkpoints += 1;
            if expected.root == self.frontier.root() {
                self.report.signed = size;
                continue;
            }
            let checkpoint = expected.checkpoint.clone();
            let agreed = self.report.signed;
            self.report.problems.push(Problem::Rewritten { checkpoint, size, agreed });
        }
    }

    fn finish(mut self, size: TreeSize) -> Report {
        for block in std::mem::take(&mut self.suspects) {
            let problem = self.explain(block);
            self.report.problems.push(problem);
        }
        if !self.has_hole && self.frontier.size() == size {
            self.report.root = Some(self.frontier.root());
        }
        self.report
    }

    /// A block that does not fit its node: when a checkpoint vouches for the entries the node was altered, else they were.
    fn explain(&self, block: Range<u64>) -> Problem {
        let entries = index_range(block.clone());
        if block.end <= self.report.signed.get() {
            let path = self.reader.view.layout.tile_level(1);
            let offset = block.start / BLOCK * Hash::SIZE as u64;
            return Problem::Node { path, offset, entries };
        }
        let segment = self.reader.view.segment_of(block.start);
        let offset = segment.as_ref().map_or(0, |segment| segment.locate(block.start));
        Problem::Changed { entries, path: segment.map(|segment| segment.path.clone()), offset }
    }
}

fn index_range(range: Range<u64>) -> Range<LeafIndex> {
    LeafIndex::new(range.start)..LeafIndex::new(range.end)
}

/// An error with all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
