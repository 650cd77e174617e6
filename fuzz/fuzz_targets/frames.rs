//! Frame files with any content: opened, read and verified without panic, hang or unbounded memory.
#![no_main]

use std::{ops::ControlFlow, path::Path};

use host::SimHost;
use ledger::{Batch, Duplicates, Ledger, Options, Reader, VerifyOptions, verify};
use libfuzzer_sys::fuzz_target;
use tlog::LeafIndex;

fuzz_target!(|bytes: &[u8]| {
    let world = SimHost::new(1);
    let root = Path::new("/data");
    let Ok(ledger) = Ledger::open(&world.host(), root, Options::default()) else { return };
    let mut batch = Batch::new(Duplicates::Keep);
    for payload in [&b"one"[..], b"two", b"three"] {
        batch.push(1, 1, "fuzz", payload).expect("small");
    }
    let ticket = ledger.appender().submit(batch).expect("room");
    ticket.wait().expect("a good disk");
    ledger.close().expect("a good disk");
    // The first two bytes say where the rest is written over the file, so that good headers stay now and then.
    let Some((place, change)) = bytes.split_first_chunk::<2>() else { return };
    let path = root.join("ledger/frames/00000000000000000000.frames");
    world.disk.tamper(&path, |file| {
        let start = usize::from(u16::from_le_bytes(*place)) % file.len();
        file.resize(file.len().max(start + change.len()), 0);
        file[start..start + change.len()].copy_from_slice(change);
    });
    if let Ok(reader) = Reader::open(&world.host(), root) {
        let end = reader.size().next();
        let _ = reader.read(LeafIndex::new(0)..end, |_| ControlFlow::Continue(()));
        let _ = verify(&reader, &VerifyOptions::default(), |_| {});
    }
    let _ = Ledger::open(&world.host(), root, Options::default());
});
