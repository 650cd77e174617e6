//! Notes, checkpoints, keys, tiles and evidence of any content: read or refused; what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{Checkpoint, Note, Tile, VerifierKey};

fuzz_target!(|bytes: &[u8]| {
    let _ = ledger::verify_evidence(bytes, &[], |_| {});
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
        let _ = Checkpoint::try_from(&note);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(tile) = text.parse::<Tile>() {
        assert_eq!(tile.to_string(), text);
    }
    let _ = text.parse::<Checkpoint>();
});
