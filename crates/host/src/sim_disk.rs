//! Files in memory, with every fault that a disk has.
//!
//! The fault model. A step may be *refused* (it did not happen, and we are told so), *done but reported
//! failed*, or *torn* (a part of it happened, and we are told that it failed). A crash keeps what was synced;
//! of the writes since, each survives wholly, as a part, or not at all; of the changes of names in a
//! directory since its last sync, a prefix survives.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Access, Disk, DiskFile, Lock, Owner, sim::SplitMix};

/// Bytes that a disk writes as one: tearing happens between them.
const SECTOR: usize = 512;

/// A step of a disk that may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Making a new file, or emptying one.
    Create,
    /// Opening a file that exists.
    Open,
    /// Making a directory.
    CreateDir,
    /// Writing bytes.
    Write,
    /// Reading bytes.
    Read,
    /// Making bytes durable.
    SyncData,
    /// Making names durable.
    SyncDir,
    /// Reserving room.
    Allocate,
    /// Cutting or extending.
    SetLen,
    /// Giving another name.
    Rename,
    /// Removing a file.
    Remove,
    /// Listing a directory.
    List,
}

impl Step {
    /// Every step, for tables of faults.
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::Open,
        Self::CreateDir,
        Self::Write,
        Self::Read,
        Self::SyncData,
        Self::SyncDir,
        Self::Allocate,
        Self::SetLen,
        Self::Rename,
        Self::Remove,
        Self::List,
    ];
}

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It did not happen.
    Refused,
    /// It happened although we were told that it failed.
    DoneButReported,
    /// A part of it happened.
    Torn,
}

/// A simulated disk.
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    random: Option<SplitMix>,
    /// Names as a running process sees them.
    names: BTreeMap<PathBuf, u64>,
    /// Names as a crash leaves them, before what is in `unsynced_names`.
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_names: Vec<NameChange>,
    directories: BTreeSet<PathBuf>,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    locks: BTreeSet<PathBuf>,
    armed: Option<Armed>,
    counts: BTreeMap<Step, u64>,
    /// Bytes that all files may have together.
    capacity: Option<u64>,
    /// Counts crashes; handles from before a crash are dead.
    life: u64,
}

#[derive(Clone)]
struct NameChange {
    path: PathBuf,
    file: Option<u64>,
}

#[derive(Default, Clone)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

struct Armed {
    step: Step,
    countdown: u64,
    fault: Fault,
}

/// The disk as the processes between two crashes see it; dead after the next crash.
#[derive(Clone)]
pub(crate) struct Session {
    state: Arc<Mutex<State>>,
    life: u64,
}

struct SimFile {
    session: Session,
    file: u64,
}

struct SimLock {
    session: Session,
    path: PathBuf,
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { random: Some(SplitMix(!seed)), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The disk until the next crash.
    pub(crate) fn session(&self) -> Session {
        Session { state: self.state.clone(), life: self.locked(|state| state.life) }
    }

    /// The `nth` next step of this kind (from zero) fails in this way. There is one such order at a time.
    pub fn fail(&self, step: Step, nth: u64, fault: Fault) {
        self.locked(|state| state.armed = Some(Armed { step, countdown: nth, fault }));
    }

    /// Nothing fails any more. Says whether a fault was still waiting for its step.
    pub fn heal(&self) -> bool {
        self.locked(|state| state.armed.take().is_some())
    }

    /// Steps of this kind so far.
    pub fn count(&self, step: Step) -> u64 {
        self.locked(|state| state.counts.get(&step).copied().unwrap_or(0))
    }

    /// Bytes that all files may have together from now on; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.locked(|state| state.capacity = bytes);
    }

    /// The machine loses power: open files and locks are gone, and what was not synced survives by chance.
    pub fn crash(&self) {
        self.locked(State::crash);
    }

    /// Changes bytes of a file behind everybody's back, durably. The length stays.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        self.locked(|state| {
            let Some(content) = state.names.get(path).and_then(|file| state.files.get_mut(file)) else {
                return;
            };
            change(&mut content.current);
            content.durable = content.current.clone();
            content.unsynced.clear();
        });
    }

    fn locked<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Counts the step and says which fault befalls it.
    fn weather(&mut self, step: Step) -> Option<Fault> {
        *self.counts.entry(step).or_default() += 1;
        let armed = self.armed.as_mut().filter(|armed| armed.step == step)?;
        if armed.countdown > 0 {
            armed.countdown -= 1;
            return None;
        }
        self.armed.take().map(|armed| armed.fault)
    }

    /// Does a step that cannot be done in part, in today's weather.
    fn whole<T>(&mut self, step: Step, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match self.weather(step) {
            None => act(self),
            Some(Fault::DoneButReported) => {
                let _ = act(self);
                Err(failure())
            }
            Some(Fault::Refused | Fault::Torn) => Err(failure()),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.get_or_insert(SplitMix(0)).below(bound)
    }

    fn bind(&mut self, path: &Path, file: Option<u64>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.unsynced_names.push(NameChange { path: path.to_owned(), file });
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, path: &Path) -> io::Result<u64> {
        if !path.parent().is_some_and(|parent| self.directories.contains(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.next_file += 1;
        self.files.insert(self.next_file, Content::default());
        self.bind(path, Some(self.next_file));
        Ok(self.next_file)
    }

    fn open(&mut self, path: &Path, access: Access) -> io::Result<u64> {
        match (access, self.names.contains_key(path)) {
            (Access::Read | Access::Write, _) | (Access::Replace(_), true) => {}
            (Access::Create(_), true) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Access::Create(_) | Access::Replace(_), false) => {
                return self.whole(Step::Create, |state| state.create(path));
            }
        }
        let file = self.whole(Step::Open, |state| state.find(path))?;
        if matches!(access, Access::Replace(_)) {
            self.change(file, Change::Length(0))?;
        }
        Ok(file)
    }

    fn used(&self) -> u64 {
        self.files.values().map(|content| content.current.len() as u64).sum()
    }

    fn free(&self) -> u64 {
        self.capacity.unwrap_or(1 << 40).saturating_sub(self.used())
    }

    fn change(&mut self, file: u64, change: Change) -> io::Result<()> {
        let free = self.free();
        let content = self.files.get_mut(&file).ok_or_else(failure)?;
        let end = match &change {
            Change::Write { offset, bytes } => offset + bytes.len() as u64,
            Change::Length(length) => *length,
        };
        if end.saturating_sub(content.current.len() as u64) > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change.apply(&mut content.current);
        content.unsynced.push(change);
        Ok(())
    }

    fn write(&mut self, file: u64, offset: u64, bytes: Vec<u8>) -> io::Result<()> {
        match self.weather(Step::Write) {
            None => self.change(file, Change::Write { offset, bytes }),
            Some(Fault::Refused) => Err(failure()),
            Some(Fault::DoneButReported) => {
                self.change(file, Change::Write { offset, bytes })?;
                Err(failure())
            }
            Some(Fault::Torn) => {
                let kept = self.below(bytes.len() as u64 + 1) as usize;
                self.change(file, Change::Write { offset, bytes: bytes[..kept].to_vec() })?;
                Err(failure())
            }
        }
    }

    /// A torn sync makes some of the writes durable and forgets the others, as Linux does: they can still be read, and
    /// no later sync makes them durable.
    fn sync(&mut self, file: u64) -> io::Result<()> {
        let fault = self.weather(Step::SyncData);
        let mut random = self.random.take().unwrap_or(SplitMix(0));
        let content = self.files.get_mut(&file).ok_or_else(failure)?;
        match fault {
            Some(Fault::Torn) => content.settle(&mut random),
            Some(Fault::Refused) => {}
            None | Some(Fault::DoneButReported) => {
                content.unsynced.iter().for_each(|change| change.apply(&mut content.durable));
            }
        }
        if fault != Some(Fault::Refused) {
            content.unsynced.clear();
        }
        self.random = Some(random);
        if fault.is_some() { Err(failure()) } else { Ok(()) }
    }

    fn sync_dir(&mut self, directory: &Path) {
        let changes = std::mem::take(&mut self.unsynced_names);
        let (synced, rest): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.path.parent() == Some(directory));
        synced.into_iter().for_each(|change| change.apply(&mut self.durable_names));
        self.unsynced_names = rest;
    }

    fn crash(&mut self) {
        let mut random = self.random.take().unwrap_or(SplitMix(0));
        let kept = random.below(self.unsynced_names.len() as u64 + 1) as usize;
        for change in std::mem::take(&mut self.unsynced_names).into_iter().take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        for content in self.files.values_mut() {
            content.settle(&mut random);
            content.unsynced.clear();
            content.current = content.durable.clone();
        }
        let alive: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| alive.contains(file));
        self.locks.clear();
        self.armed = None;
        self.life += 1;
        self.random = Some(random);
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self.file {
            Some(file) => names.insert(self.path, file),
            None => names.remove(&self.path),
        };
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(length) => content.resize(*length as usize, 0),
            Self::Write { offset, bytes } => {
                let (start, end) = (*offset as usize, *offset as usize + bytes.len());
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(bytes);
            }
        }
    }

    /// The change with a random choice of its sectors.
    fn survive(&self, random: &mut SplitMix, content: &mut Vec<u8>) {
        match (self, random.below(3)) {
            (_, 0) => {}
            (Self::Length(_), _) | (_, 1) => self.apply(content),
            (Self::Write { offset, bytes }, _) => {
                for (place, sector) in bytes.chunks(SECTOR).enumerate() {
                    if random.below(2) == 0 {
                        let offset = offset + (place * SECTOR) as u64;
                        Self::Write { offset, bytes: sector.to_vec() }.apply(content);
                    }
                }
            }
        }
    }
}

impl Content {
    /// Lets each change since the last sync survive wholly, in part or not at all.
    fn settle(&mut self, random: &mut SplitMix) {
        for change in &self.unsynced {
            change.survive(random, &mut self.durable);
        }
    }
}

impl Disk for Session {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.locked(|state| state.open(path, access))?;
        Ok(Arc::new(SimFile { session: self.clone(), file }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.locked(|state| {
            state.whole(Step::CreateDir, |state| {
                state.directories.extend(path.ancestors().map(Path::to_owned));
                Ok(())
            })
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.locked(|state| {
            state.whole(Step::Rename, |state| {
                let file = state.find(from)?;
                // Both names change in one step of the journal when they share a directory.
                state.bind(to, Some(file));
                state.bind(from, None);
                Ok(())
            })
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.locked(|state| {
            state.whole(Step::Remove, |state| {
                state.find(path)?;
                state.bind(path, None);
                Ok(())
            })
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.locked(|state| {
            state.whole(Step::List, |state| {
                if !state.directories.contains(path) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let all = state.names.keys().chain(&state.directories);
                let inside = all.filter(|name| name.parent() == Some(path));
                let sorted: BTreeSet<_> = inside.cloned().collect();
                Ok(sorted.into_iter().collect())
            })
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.locked(|state| {
            state.whole(Step::SyncDir, |state| {
                state.sync_dir(path);
                Ok(())
            })
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let is_taken = self.locked(|state| Ok(!state.locks.insert(path.to_owned())))?;
        if is_taken {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { session: self.clone(), path: path.to_owned() })))
    }

    fn free_space(&self, _path: &Path) -> io::Result<u64> {
        self.locked(|state| Ok(state.free()))
    }

    fn owner(&self, _path: &Path) -> io::Result<Owner> {
        Ok(Owner { user: 0, ours: 0 })
    }
}

impl Session {
    /// Runs unless the machine crashed since the session began.
    fn locked<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.life != self.life {
            return Err(io::Error::other("the machine crashed"));
        }
        act(&mut state)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.session.locked(|state| {
            let file = self.file;
            state.whole(Step::Read, |state| {
                let content = &state.files.get(&file).ok_or_else(failure)?.current;
                let start = (offset as usize).min(content.len());
                let end = (start + bytes.len()).min(content.len());
                bytes[..end - start].copy_from_slice(&content[start..end]);
                Ok(end - start)
            })
        })
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.session.locked(|state| state.write(self.file, offset, bytes))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.session.locked(|state| state.sync(self.file))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let grown = self.len()?.max(length);
        self.session.locked(|state| state.whole(Step::Allocate, |state| state.change(self.file, Change::Length(grown))))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.session.locked(|state| state.whole(Step::SetLen, |state| state.change(self.file, Change::Length(length))))
    }

    fn len(&self) -> io::Result<u64> {
        self.session.locked(|state| Ok(state.files.get(&self.file).ok_or_else(failure)?.current.len() as u64))
    }
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        // After a crash nobody holds it any more.
        let _ = self.session.locked(|state| Ok(state.locks.remove(&self.path)));
    }
}

fn failure() -> io::Error {
    io::Error::other("simulated disk fault")
}
