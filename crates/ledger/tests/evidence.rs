//! Evidence bundles: verified with nothing but themselves, and against any change.

mod world;

use ledger::{BundleError, Case, Entry, EvidenceError, Verdict, verify_evidence, write_evidence};
use proptest::prelude::*;
use tlog::{Algorithm, LeafIndex, SigningKey};
use world::{World, batch};

fn case() -> Case {
    Case { query: "verb:delete".to_owned(), created: 5, by: "test".to_owned(), note: String::new() }
}

fn bundle() -> Vec<u8> {
    let mut world = World::new(1);
    let ledger = world.open();
    world.append(&ledger, 0..300);
    let odd = vec![b"not \xff utf-8".to_vec()];
    ledger.appender().submit(batch(&odd)).expect("room").wait().expect("a good disk");
    ledger.publish().expect("a good disk");
    let mut bytes = Vec::new();
    let places = [0, 7, 299, 300].map(LeafIndex::new);
    assert_eq!(write_evidence(&mut bytes, &ledger.reader(), places, &case()).expect("readable"), 4);
    bytes
}

fn open(bytes: &[u8]) -> Result<(Verdict, Vec<Entry>), EvidenceError> {
    let mut entries = Vec::new();
    let verdict = verify_evidence(bytes, &[], |entry| entries.push(entry.clone()))?;
    Ok((verdict, entries))
}

/// The bundle with its text changed.
fn edited(change: impl FnOnce(String) -> String) -> Vec<u8> {
    let text = String::from_utf8(zstd::decode_all(&bundle()[..]).expect("zstd")).expect("text");
    zstd::encode_all(change(text).as_bytes(), 1).expect("memory")
}

#[test]
fn a_bundle_proves_itself() {
    let (verdict, entries) = open(&bundle()).expect("sound");
    assert_eq!((verdict.entries, verdict.checkpoint.size.get(), verdict.case), (4, 301, case()));
    assert_eq!(entries[1].payload, world::payload(7));
    assert_eq!(entries[3].payload, b"not \xff utf-8");
    assert!(verify_evidence(&bundle()[..], std::slice::from_ref(&verdict.key), |_| {}).is_ok());
    let stranger = SigningKey::from_seed("stranger", Algorithm::Ed25519, [9; 32]).expect("a key");
    let other = verify_evidence(&bundle()[..], &[stranger.verifier().clone()], |_| {});
    assert!(matches!(other, Err(EvidenceError::Checkpoint { .. })));
}

#[test]
fn changes_are_found() {
    let entry = open(&edited(|text| text.replacen("auditID", "auditId", 1)));
    assert!(matches!(entry, Err(EvidenceError::Entry { line: 2, .. })), "{entry:?}");
    let place = open(&edited(|text| text.replacen("\"index\":7", "\"index\":8", 1)));
    assert!(matches!(place, Err(EvidenceError::Entry { line: 3, .. })));
    let cluster = open(&edited(|text| text.replacen("\"cluster\":\"test\"", "\"cluster\":\"prod\"", 1)));
    assert!(matches!(cluster, Err(EvidenceError::Entry { .. })));
    let size = open(&edited(|text| text.replacen("\\n301\\n", "\\n302\\n", 1)));
    assert!(matches!(size, Err(EvidenceError::Checkpoint { .. })));
    let removed = open(&edited(|text| {
        text.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| format!("{line}\n")).collect()
    }));
    assert!(matches!(removed, Err(EvidenceError::Malformed { .. })));
    let cut = open(&edited(|text| text.lines().take(3).map(|line| format!("{line}\n")).collect()));
    assert!(matches!(cut, Err(EvidenceError::Cut { entries: 2 })));
    let version = open(&edited(|text| text.replacen("evidence\":1", "evidence\":2", 1)));
    assert!(matches!(version, Err(EvidenceError::Version { found: 2 })));
}

#[test]
fn what_no_checkpoint_covers_is_not_evidence_yet() {
    let mut world = World::new(1);
    let ledger = world.open();
    world.append(&ledger, 0..3);
    ledger.publish().expect("a good disk");
    world.append(&ledger, 3..6);
    let out = write_evidence(Vec::new(), &ledger.reader(), [LeafIndex::new(5)], &case());
    assert!(matches!(out, Err(BundleError::Unsigned { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_bytes_are_refused(bytes: Vec<u8>, text in "\\PC{0,200}") {
        prop_assert!(open(&bytes).is_err());
        prop_assert!(open(&zstd::encode_all(text.as_bytes(), 1).unwrap()).is_err());
    }
}
