//! Appending and reading: order, duplicates, limits, other processes, real files.

mod world;

use std::{
    future::Future,
    ops::ControlFlow,
    path::Path,
    pin::pin,
    sync::{Arc, mpsc::channel},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use host::Host;
use ledger::{Batch, BatchError, DirectoryError, Duplicates, Ledger, OpenError, Options, Place, Reader, SubmitError};
use proptest::prelude::*;
use tlog::{LeafIndex, TreeSize};
use world::{ROOT, World, batch, options, payload};

#[test]
fn a_resend_is_recognised_also_after_a_restart_and_a_release() {
    let mut world = World::new(4);
    let ledger = world.open();
    world.append(&ledger, 0..20);
    world.shelve(&ledger.reader(), 20).expect("readable");
    ledger.release(LeafIndex::new(20)).expect("a good disk");
    world.append(&ledger, 20..25);
    for restart in 0..2 {
        let payloads: Vec<_> = [3, 24, 100 + restart, 3].map(payload).into();
        let ledger = if restart == 0 { &ledger } else { &world.open() };
        let commit = ledger.appender().submit(batch(&payloads)).expect("room").wait().expect("a good disk");
        let new = LeafIndex::new(25 + restart);
        let expected = [3, 24].map(|index: u64| Place::DuplicateOf(index.into()));
        let places: Vec<_> = commit.places().collect();
        assert_eq!(places, [expected[0], expected[1], Place::New(new), expected[0]]);
        assert_eq!((commit.first(), commit.duplicates()), (Some(new), 3));
        if restart == 0 {
            world.sim.disk.crash();
        }
    }
}

#[test]
fn duplicates_of_another_cluster_and_kept_ones_get_a_place() {
    let world = World::new(4);
    let ledger = world.open();
    let mut first = Batch::new(Duplicates::Recognise);
    for cluster in ["a", "b", "a"] {
        first.push(0, 0, cluster, b"same").expect("small");
    }
    let commit = ledger.appender().submit(first).expect("room").wait().expect("a good disk");
    assert_eq!((commit.duplicates(), commit.size()), (1, TreeSize::new(2)));
    let mut kept = Batch::new(Duplicates::Keep);
    kept.push(0, 0, "a", b"same").expect("small");
    let commit = ledger.appender().submit(kept).expect("room").wait().expect("a good disk");
    assert_eq!(commit.first(), Some(LeafIndex::new(2)));
}

#[test]
fn the_window_of_duplicates_is_bounded() {
    let world = World::new(4);
    let small = Options { duplicate_window: 8, ..options() };
    let ledger = Ledger::open(&world.sim.host(), Path::new(ROOT), small).expect("a good disk");
    let append = |numbers: std::ops::Range<u64>| {
        let payloads: Vec<_> = numbers.map(payload).collect();
        ledger.appender().submit(batch(&payloads)).expect("room").wait().expect("a good disk").duplicates()
    };
    assert_eq!(append(0..10), 0);
    assert_eq!(append(2..10), 8);
    assert_eq!(append(1..2), 0, "forgotten, so it gets a place again");
}

#[test]
fn a_large_batch_is_committed_in_parts_and_in_order() {
    let mut world = World::new(4);
    let ledger = world.open();
    world.append(&ledger, 0..500);
    let mut next = 0;
    ledger
        .reader()
        .read(LeafIndex::new(0)..LeafIndex::new(500), |entry| {
            assert_eq!((entry.index.get(), entry.payload), (next, &payload(next)[..]));
            assert_eq!((entry.format, entry.cluster), (1, "test"));
            next += 1;
            ControlFlow::Continue(())
        })
        .expect("readable");
    assert_eq!(next, 500);
}

#[test]
fn a_ticket_is_a_future_and_a_call_back() {
    struct Bell(std::sync::mpsc::Sender<()>);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }
    let world = World::new(4);
    let ledger = world.open();
    let (sender, receiver) = channel();
    let waker = Waker::from(Arc::new(Bell(sender)));
    let mut ticket = pin!(ledger.appender().submit(batch(&[payload(1)])).expect("room"));
    let commit = loop {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => break outcome.expect("a good disk"),
            Poll::Pending => receiver.recv_timeout(Duration::from_secs(10)).expect("woken"),
        }
    };
    assert_eq!(commit.first(), Some(LeafIndex::new(0)));
    let (sender, receiver) = channel();
    let tell = move |outcome| sender.send(outcome).expect("somebody listens");
    ledger.appender().submit_with(batch(&[payload(2)]), tell).expect("room");
    let commit = receiver.recv_timeout(Duration::from_secs(10)).expect("told").expect("a good disk");
    assert_eq!(commit.size(), TreeSize::new(2));
}

#[test]
fn limits_are_kept() {
    let mut too_long = Batch::default();
    assert_eq!(too_long.push(0, 0, &"c".repeat(256), b""), Err(BatchError::Cluster { found: 256 }));
    assert!(too_long.is_empty());
    let world = World::new(4);
    let tight = Options { pending_entries_max: 2, group_wait_max: Duration::from_millis(200), ..options() };
    let ledger = Ledger::open(&world.sim.host(), Path::new(ROOT), tight).expect("a good disk");
    let appender = ledger.appender();
    appender.submit(batch(&[payload(0)])).expect("room").wait().expect("a good disk");
    // The next group waits for company, so that both of these are still pending.
    let first = appender.submit(batch(&[payload(1), payload(2)])).expect("room");
    let refused = appender.submit(batch(&[payload(3)]));
    assert!(matches!(refused.err(), Some(SubmitError::Full { entries: 2, .. })));
    let waited = appender.submit_within(batch(&[payload(3)]), Duration::from_secs(10)).expect("room by then");
    first.wait().expect("a good disk");
    waited.wait().expect("a good disk");
    assert_eq!(ledger.stats().refused, 1);
    drop(ledger);
    assert!(matches!(appender.submit(batch(&[payload(4)])).err(), Some(SubmitError::Stopped)));
}

#[test]
fn directories_that_cannot_be_used_say_so() {
    let base = tempfile::tempdir().expect("a place");
    let host = Host::system();
    let open = |name: &str| Ledger::open(&host, &base.path().join(name), Options { free_bytes_min: 0, ..options() });
    let held = open("held").expect("a good disk");
    assert!(matches!(open("held"), Err(OpenError::Directory(DirectoryError::Locked { .. }))));
    drop(held);
    assert!(open("held").is_ok());
    std::fs::create_dir(base.path().join("foreign")).expect("writable");
    std::fs::write(base.path().join("foreign/thesis.txt"), "words").expect("writable");
    assert!(matches!(open("foreign"), Err(OpenError::Directory(DirectoryError::Foreign { .. }))));
    let identity = base.path().join("held/kubewitness.json");
    let text = std::fs::read_to_string(&identity).expect("readable");
    std::fs::write(&identity, text.replace("\"format\": 1", "\"format\": 7")).expect("writable");
    let Err(OpenError::Directory(error @ DirectoryError::Version { found: 7, .. })) = open("held") else {
        panic!("opened another version");
    };
    assert!(error.to_string().contains("has format 7, this program reads format 1"));
    let missing = Reader::open(&host, &base.path().join("nowhere"));
    assert!(missing.err().is_some_and(|error| error.to_string().contains("--data-dir")));
}

#[test]
fn another_process_reads_while_this_one_writes() {
    let base = tempfile::tempdir().expect("a place");
    let host = Host::system();
    let ledger = Ledger::open(&host, base.path(), Options { free_bytes_min: 0, ..options() }).expect("a good disk");
    let reader = Reader::open(&host, base.path()).expect("readable");
    for round in 0..30 {
        let payloads: Vec<_> = (round * 10..round * 10 + 10).map(payload).collect();
        ledger.appender().submit(batch(&payloads)).expect("room").wait().expect("a good disk");
        let wanted = TreeSize::new(round * 10 + 10);
        assert_eq!(reader.wait_for(wanted, Duration::from_secs(10)).expect("readable"), wanted);
        let last = reader.get(LeafIndex::new(wanted.get() - 1)).expect("readable");
        assert_eq!(last.payload, payload(wanted.get() - 1));
        assert_eq!(reader.get(LeafIndex::new(round)).expect("readable").payload, payload(round));
    }
    let key = std::fs::metadata(base.path().join("keys/log.key")).expect("there");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is appended in whatever batches comes out as it went in, also after a crash and a release.
    #[test]
    fn what_goes_in_comes_out(batches in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<i64>(), "[a-z]{0,9}", prop::collection::vec(any::<u8>(), 0..600)), 0..9), 1..20), seed: u64) {
        let mut expected = Vec::new();
        let world = World::new(seed);
        let ledger = world.open();
        for entries in batches {
            let mut batch = Batch::new(Duplicates::Keep);
            for (format, received, cluster, payload) in &entries {
                batch.push(*format, *received, cluster, payload).unwrap();
                batch.note(|note| note.extend(payload.first()));
            }
            let count = batch.len();
            let commit = ledger.appender().submit(batch).unwrap().wait().unwrap();
            prop_assert_eq!(commit.len(), count);
            expected.extend(entries);
        }
        // The newest come from memory, with their notes.
        let reader = ledger.reader();
        let mut found = Vec::new();
        reader.read(LeafIndex::new(0)..reader.size().next(), |entry| {
            assert!(entry.note.is_empty() || entry.note == &entry.payload[..1]);
            found.push((entry.format, entry.received, entry.cluster.to_owned(), entry.payload.to_vec()));
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(&found, &expected);
        prop_assert!(reader.recent_bytes_from(LeafIndex::new(0)) <= world::options().recent_bytes_max);
        world.sim.disk.crash();
        drop(ledger);
        let ledger = world.open();
        let reader = ledger.reader();
        let half = expected.len() as u64 / 2;
        world.shelve(&reader, half).unwrap();
        ledger.release(LeafIndex::new(half)).unwrap();
        let mut found = Vec::new();
        reader.read(LeafIndex::new(0)..reader.size().next(), |entry| {
            found.push((entry.format, entry.received, entry.cluster.to_owned(), entry.payload.to_vec()));
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(found, expected);
        prop_assert!(world.verify(&reader).is_clean());
    }
}

#[test]
fn a_note_goes_with_its_entry_until_the_memory_is_wanted() {
    let mut world = World::new(4);
    let ledger = world.open();
    let mut noted = Batch::new(Duplicates::Recognise);
    for payload in ["noted", "not noted", "noted too"] {
        noted.push(0, 0, "", payload.as_bytes()).expect("small");
        if payload != "not noted" {
            noted.note(|note| note.extend_from_slice(payload.as_bytes()));
        }
    }
    ledger.appender().submit(noted).expect("room").wait().expect("a good disk");
    let notes = || {
        let mut notes = Vec::new();
        let visit = |entry: ledger::EntryView<'_>| {
            notes.push(String::from_utf8_lossy(entry.note).into_owned());
            ControlFlow::Continue(())
        };
        ledger.reader().read(LeafIndex::new(0)..LeafIndex::new(3), visit).expect("readable");
        notes
    };
    assert_eq!(notes(), ["noted", "", "noted too"]);
    (0..20).for_each(|round| world.append(&ledger, round * 10..round * 10 + 10));
    assert_eq!(notes(), ["", "", ""]);
}
