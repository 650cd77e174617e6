//! A simulated world with a ledger in it, and what it has promised.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use host::SimHost;
use ledger::{
    Archive, ArchiveError, Batch, Commit, Duplicates, Entry, Ledger, Options, Place, Reader, Report, VerifyOptions,
    Visitor, verify,
};
use tlog::{LeafIndex, Note, verify_inclusion};

pub(crate) const ROOT: &str = "/data";

#[derive(Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<u64, Entry>>);

impl Archive for Shelf {
    fn entries(&self, range: Range<LeafIndex>, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
        let kept = self.0.lock().expect("not poisoned");
        for entry in kept.range(range.start.get()..range.end.get()).map(|(_, entry)| entry) {
            if visit(entry.view()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Shelf {
    pub(crate) fn keep(&self, entry: Entry) {
        self.0.lock().expect("not poisoned").insert(entry.index.get(), entry);
    }

    pub(crate) fn drop_range(&self, range: Range<u64>) {
        self.0.lock().expect("not poisoned").retain(|index, _| !range.contains(index));
    }

    pub(crate) fn change(&self, index: u64, change: impl FnOnce(&mut Entry)) {
        change(self.0.lock().expect("not poisoned").get_mut(&index).expect("kept"));
    }
}

pub(crate) struct World {
    pub(crate) sim: SimHost,
    pub(crate) shelf: Arc<Shelf>,
    /// What was acknowledged, by place.
    pub(crate) acknowledged: BTreeMap<u64, Vec<u8>>,
    /// The newest checkpoint that anyone saw.
    pub(crate) seen: Option<Note>,
}

/// Small files, so that a short test closes many of them.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        group_wait_max: Duration::ZERO,
        group_bytes_max: 4 << 10,
        recent_bytes_max: 2 << 10,
        history_interval: Duration::from_secs(5),
        ..Options::default()
    }
}

/// An event of a few hundred bytes that no other call makes.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    format!("{{\"auditID\":\"{number}\",\"pad\":\"{}\"}}", "x".repeat((number % 400) as usize)).into_bytes()
}

pub(crate) fn batch(payloads: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::new(Duplicates::Recognise);
    for (at, payload) in payloads.iter().enumerate() {
        batch.push(1, 1_000 + at as i64, "test", payload).expect("within the limits");
    }
    batch
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { sim: SimHost::new(seed), shelf: Arc::default(), acknowledged: BTreeMap::new(), seen: None }
    }

    pub(crate) fn try_open(&self) -> Result<Ledger, ledger::OpenError> {
        let ledger = Ledger::open(&self.sim.host(), Path::new(ROOT), options())?;
        ledger.set_archive(self.shelf.clone());
        Ok(ledger)
    }

    pub(crate) fn open(&self) -> Ledger {
        self.try_open().expect("nothing is wrong with the disk")
    }

    pub(crate) fn acknowledge(&mut self, payloads: &[Vec<u8>], commit: &Commit) {
        for (payload, place) in payloads.iter().zip(commit.places()) {
            match place {
                Place::New(index) => {
                    let before = self.acknowledged.insert(index.get(), payload.clone());
                    assert!(before.is_none(), "place {index} was given away twice");
                }
                // The first one may never have been acknowledged; now it is.
                Place::DuplicateOf(index) => {
                    let before = self.acknowledged.insert(index.get(), payload.clone());
                    assert!(before.is_none_or(|before| before == *payload), "no duplicate of {index}");
                }
            }
        }
    }

    pub(crate) fn append(&mut self, ledger: &Ledger, numbers: Range<u64>) {
        let payloads: Vec<_> = numbers.map(payload).collect();
        let ticket = ledger.appender().submit(batch(&payloads)).expect("room");
        let commit = ticket.wait().expect("a good disk");
        self.acknowledge(&payloads, &commit);
    }

    /// Remembers the newest checkpoint, as a witness would.
    pub(crate) fn witness(&mut self, reader: &Reader) {
        if let Ok(Some((note, _))) = reader.checkpoint() {
            self.seen = Some(note);
        }
    }

    /// Puts everything below a place on the shelf.
    pub(crate) fn shelve(&self, reader: &Reader, below: u64) -> Result<(), ledger::ReadError> {
        reader.read(LeafIndex::new(0)..LeafIndex::new(below), |entry| {
            self.shelf.keep(entry.to_owned());
            ControlFlow::Continue(())
        })
    }

    pub(crate) fn verify(&self, reader: &Reader) -> Report {
        let options = VerifyOptions { since: self.seen.clone(), threads: 2, ..VerifyOptions::default() };
        verify(reader, &options, |_| {}).expect("readable")
    }

    /// LED-1, LED-2 and LED-3, from the outside.
    pub(crate) fn assert_sound(&self, ledger: &Ledger, context: &str) {
        let reader = ledger.reader();
        let report = self.verify(&reader);
        assert!(report.is_clean(), "{context}: {:#?}", report.problems);
        let root = report.root.expect("no holes");
        let prover = reader.prover();
        for (index, payload) in &self.acknowledged {
            let place = LeafIndex::new(*index);
            let entry = reader.get(place).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(entry.payload == *payload, "{context}: entry {index} has other bytes");
            let proof = prover.inclusion(place, report.size).expect("a proof");
            verify_inclusion(&proof, entry.view().leaf_hash(), place, report.size, root)
                .unwrap_or_else(|error| panic!("{context}: entry {index}: {error}"));
        }
    }
}
