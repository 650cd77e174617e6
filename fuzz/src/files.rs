//! What lies on disk or comes from another log: frames, notes, checkpoints, evidence.

use std::ops::ControlFlow;
use std::path::Path;

use host::SimHost;
use ledger::{Batch, Duplicates, Ledger, Options, Reader, VerifyOptions, verify, verify_evidence};
use tlog::{Checkpoint, LeafIndex, Note, Tile, VerifierKey};

/// A frame file with any damage is opened, read and verified without panic, hang or unbounded memory.
///
/// The first two bytes say where the rest is written over a good file, so that its headers stay good now and then.
pub fn frames(bytes: &[u8]) {
    let Some((place, damage)) = bytes.split_first_chunk::<2>() else { return };
    let world = SimHost::new(1);
    let root = Path::new("/data");
    write_three(&world, root);
    let path = root.join("ledger/frames/00000000000000000000.frames");
    world.disk.tamper(&path, |file| {
        let start = usize::from(u16::from_le_bytes(*place)) % file.len();
        file.resize(file.len().max(start + damage.len()), 0);
        file[start..start + damage.len()].copy_from_slice(damage);
    });
    if let Ok(reader) = Reader::open(&world.host(), root) {
        let end = reader.size().next();
        drop(reader.read(LeafIndex::new(0)..end, |_| ControlFlow::Continue(())));
        drop(verify(&reader, &VerifyOptions::default(), |_| {}));
    }
    drop(Ledger::open(&world.host(), root, Options::default()));
}

fn write_three(world: &SimHost, root: &Path) {
    let ledger = Ledger::open(&world.host(), root, Options::default()).expect("an empty directory");
    let mut batch = Batch::new(Duplicates::Keep);
    for payload in [&b"one"[..], b"two", b"three"] {
        batch.push(1, 1, "fuzz", payload).expect("small");
    }
    ledger.appender().submit(batch).expect("room").wait().expect("a good disk");
    ledger.close().expect("a good disk");
}

/// Notes, checkpoints, keys, tiles and evidence of any content are read or refused; what is read is written the same.
pub fn checkpoint(bytes: &[u8]) {
    drop(verify_evidence(bytes, &[], |_| {}));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
        drop(Checkpoint::try_from(&note));
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(tile) = text.parse::<Tile>() {
        assert_eq!(tile.to_string(), text);
    }
    drop(text.parse::<Checkpoint>());
}
