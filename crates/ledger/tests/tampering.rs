//! Whatever is changed behind the ledger's back is found, and its place is named.

mod world;

use std::path::{Path, PathBuf};

use ledger::{Ledger, Problem, Reader, Report, VerifyOptions, verify};
use proptest::prelude::*;
use tlog::LeafIndex;
use world::{ROOT, World};

const ENTRIES: u64 = 1000;

/// A closed log of a thousand entries in many frame files.
fn closed_log() -> World {
    let mut world = World::new(11);
    let ledger = world.open();
    for start in (0..ENTRIES).step_by(50) {
        world.append(&ledger, start..start + 50);
        world.sim.advance(std::time::Duration::from_secs(3));
    }
    ledger.close().expect("a good disk");
    world
}

fn inspect(world: &World) -> Report {
    let reader = Reader::open(&world.sim.host(), Path::new(ROOT)).expect("readable");
    reader.set_archive(world.shelf.clone());
    world.verify(&reader)
}

fn files(world: &World, directory: &str) -> Vec<PathBuf> {
    world.sim.host().disk.list(&Path::new(ROOT).join(directory)).expect("there")
}

fn frames(world: &World) -> Vec<PathBuf> {
    files(world, "ledger/frames")
}

/// Gives every frame in a file the checksum of what it holds now, as a forger would.
fn forge_checksums(bytes: &mut [u8]) {
    let salt = bytes[24..32].to_vec();
    let mut at = 4096;
    while at + 32 <= bytes.len() && bytes[at..at + 4] == *b"KWFR" {
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four")) as usize;
        let crc = crc32c::crc32c(&bytes[at + 32..at + 32 + length]);
        bytes[at + 20..at + 24].copy_from_slice(&crc.to_le_bytes());
        let header = crc32c::crc32c_append(crc32c::crc32c(&salt), &bytes[at..at + 28]);
        bytes[at + 28..at + 32].copy_from_slice(&header.to_le_bytes());
        at += 32 + length;
    }
}

#[test]
fn an_untouched_log_is_clean() {
    let report = inspect(&closed_log());
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!((report.size.get(), report.entries, report.signed.get()), (ENTRIES, ENTRIES, ENTRIES));
    assert!(report.checkpoints > 5);
}

#[test]
fn a_changed_byte_is_placed_at_its_frame() {
    let world = closed_log();
    let path = frames(&world)[2].clone();
    world.sim.disk.tamper(&path, |bytes| bytes[9000] ^= 1);
    let report = inspect(&world);
    let found = report.problems.iter().any(
        |problem| matches!(problem, Problem::Damaged { path: found, offset, .. } if *found == path && *offset <= 9000),
    );
    assert!(found, "{:#?}", report.problems);
}

#[test]
fn a_change_with_forged_checksums_is_placed_at_its_block() {
    let world = closed_log();
    let path = frames(&world)[2].clone();
    let first: u64 =
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).expect("a number");
    world.sim.disk.tamper(&path, |bytes| {
        let at = bytes.windows(9).rposition(|text| text == b"\"auditID\"").expect("an event");
        bytes[at + 1] = b'A';
        forge_checksums(bytes);
    });
    let report = inspect(&world);
    let is_placed = |problem: &Problem| {
        matches!(problem, Problem::Changed { entries, path: Some(_), .. }
            if entries.start.get() <= first + 256 && entries.end.get() > first)
    };
    assert!(report.problems.iter().any(is_placed), "{:#?}", report.problems);
    assert!(report.problems.iter().any(|problem| matches!(problem, Problem::Rewritten { .. })));
}

#[test]
fn two_entries_that_changed_places_are_found() {
    let world = closed_log();
    world.sim.disk.tamper(&frames(&world)[1], |bytes| {
        // Two neighbours of one length: swapping their payloads swaps the entries.
        let starts: Vec<usize> = bytes
            .windows(12)
            .enumerate()
            .filter(|(_, text)| *text == b"{\"auditID\":\"")
            .map(|(at, _)| at)
            .take(2)
            .collect();
        let (one, two) =
            (bytes[starts[0] + 12..starts[0] + 15].to_vec(), bytes[starts[1] + 12..starts[1] + 15].to_vec());
        bytes[starts[0] + 12..starts[0] + 15].copy_from_slice(&two);
        bytes[starts[1] + 12..starts[1] + 15].copy_from_slice(&one);
        forge_checksums(bytes);
    });
    assert!(inspect(&world).problems.iter().any(|problem| matches!(problem, Problem::Changed { .. })));
}

#[test]
fn a_changed_node_is_told_from_a_changed_entry() {
    let world = closed_log();
    world.sim.disk.tamper(&Path::new(ROOT).join("ledger/tiles/1"), |bytes| bytes[40] ^= 1);
    let report = inspect(&world);
    assert_eq!(report.problems.len(), 1, "{:#?}", report.problems);
    assert!(matches!(&report.problems[0], Problem::Node { offset: 32, entries, .. } if entries.start.get() == 256));
}

#[test]
fn a_lost_frame_file_is_found() {
    for lost in [0, 2] {
        let world = closed_log();
        world.sim.host().disk.remove(&frames(&world)[lost]).expect("there");
        assert!(!inspect(&world).is_clean());
    }
}

#[test]
fn a_cut_end_is_found_and_never_repaired_away() {
    let world = closed_log();
    let last = frames(&world).pop().expect("a file");
    world.sim.disk.tamper(&last, |bytes| bytes.truncate(bytes.len() - 3));
    assert!(inspect(&world).problems.iter().any(|problem| matches!(problem, Problem::RolledBack { .. })));
    assert!(matches!(world.try_open(), Err(ledger::OpenError::Behind { .. })));
}

#[test]
fn a_damaged_middle_is_refused_with_file_and_offset() {
    let world = closed_log();
    let last = frames(&world).pop().expect("a file");
    world.sim.disk.tamper(&last, |bytes| bytes[4096 + 40] ^= 1);
    let Err(error) = world.try_open() else { panic!("opened") };
    let text = error.to_string();
    assert!(text.contains(".frames") && text.contains("4096"), "{text}");
}

#[test]
fn a_rolled_back_directory_is_found_by_an_older_checkpoint() {
    let mut world = World::new(5);
    let ledger = world.open();
    world.append(&ledger, 0..50);
    ledger.close().expect("a good disk");
    let old: Vec<(PathBuf, Vec<u8>)> = ["ledger", "ledger/frames", "ledger/tiles"]
        .iter()
        .flat_map(|directory| files(&world, directory))
        .filter_map(|path| {
            let mut content = None;
            world.sim.disk.tamper(&path, |bytes| content = Some(bytes.clone()));
            Some((path, content?))
        })
        .collect();
    let ledger = world.open();
    world.append(&ledger, 50..60);
    ledger.publish().expect("a good disk");
    world.witness(&ledger.reader());
    ledger.close().expect("a good disk");
    for (path, content) in old {
        world.sim.disk.tamper(&path, |bytes| *bytes = content);
    }
    let report = inspect(&world);
    assert!(
        report
            .problems
            .iter()
            .any(|problem| matches!(problem, Problem::RolledBack { checkpoint, .. } if checkpoint.contains("given"))),
        "{:#?}",
        report.problems
    );
    world.seen = None;
    assert!(inspect(&world).is_clean(), "without the witness nobody can know");
}

#[test]
fn a_forged_checkpoint_is_found() {
    for file in ["ledger/checkpoint", "ledger/checkpoints"] {
        let world = closed_log();
        world.sim.disk.tamper(&Path::new(ROOT).join(file), |bytes| {
            let at = bytes.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
            bytes[at] ^= 1;
        });
        assert!(inspect(&world).problems.iter().any(|problem| matches!(problem, Problem::Untrusted { .. })), "{file}");
    }
}

#[test]
fn what_the_archive_changes_or_loses_is_found() {
    let release = |world: &World, ledger: &Ledger| {
        world.shelve(&ledger.reader(), ENTRIES).expect("readable");
        ledger.release(LeafIndex::new(ENTRIES)).expect("a good disk");
    };
    let world = closed_log();
    let ledger = world.open();
    release(&world, &ledger);
    world.assert_sound(&ledger, "released");
    world.shelf.change(300, |entry| entry.payload[3] ^= 1);
    let report = world.verify(&ledger.reader());
    assert!(
        report
            .problems
            .iter()
            .any(|problem| matches!(problem, Problem::Changed { entries, .. } if entries.start.get() == 256)),
        "{:#?}",
        report.problems
    );

    let world = closed_log();
    let ledger = world.open();
    release(&world, &ledger);
    world.shelf.drop_range(400..410);
    let report = world.verify(&ledger.reader());
    let lost = LeafIndex::new(400)..LeafIndex::new(410);
    assert!(report.problems.contains(&Problem::Missing { entries: lost }), "{:#?}", report.problems);
}

#[test]
fn what_retention_erased_is_not_missing() {
    let world = closed_log();
    let ledger = world.open();
    world.shelve(&ledger.reader(), ENTRIES).expect("readable");
    ledger.release(LeafIndex::new(ENTRIES)).expect("a good disk");
    let range = LeafIndex::new(0)..LeafIndex::new(300);
    ledger.erase(std::slice::from_ref(&range), "older than 90 days").expect("a good disk");
    world.shelf.drop_range(0..300);
    let reader = ledger.reader();
    let report = world.verify(&reader);
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!(report.entries, ENTRIES - 300);
    assert_eq!((&report.erasures[0].reason[..], &report.erasures[0].ranges[..]), ("older than 90 days", &[range][..]));
    // Proofs of neighbours go on to hold.
    let entry = reader.get(LeafIndex::new(301)).expect("kept");
    let proof = reader.prover().inclusion(entry.index, report.size).expect("a proof");
    let root = report.root.expect("no holes");
    assert_eq!(tlog::verify_inclusion(&proof, entry.view().leaf_hash(), entry.index, report.size, root), Ok(()));
    // A record that nobody signed does not excuse anything.
    let record = files(&world, "ledger/erased").pop().expect("a record");
    world.sim.disk.tamper(&record, |bytes| bytes[60] ^= 1);
    assert!(!world.verify(&reader).is_clean());
}

#[test]
fn a_new_key_is_tied_to_the_old_one() {
    let mut world = World::new(2);
    let ledger = world.open();
    world.append(&ledger, 0..10);
    let old = ledger.verifier_keys();
    let new = ledger.rotate_key().expect("a good disk");
    let (note, _) = ledger.reader().checkpoint().expect("readable").expect("made");
    assert_eq!((note.verify(&old[0]), note.verify(&new)), (Ok(()), Ok(())));
    world.append(&ledger, 10..20);
    ledger.close().expect("a good disk");
    let ledger = world.open();
    assert_eq!(ledger.verifier_keys(), [old[0].clone(), new]);
    world.assert_sound(&ledger, "rotated");
    let stranger = tlog::SigningKey::from_seed("stranger", tlog::Algorithm::Ed25519, [1; 32]).expect("a key");
    let options = VerifyOptions { keys: vec![stranger.verifier().clone()], ..VerifyOptions::default() };
    assert!(!verify(&ledger.reader(), &options, |_| {}).expect("readable").is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Also with forged checksums: no byte of an entry can change unnoticed.
    #[test]
    fn no_flipped_byte_goes_unnoticed(file in 0usize..64, at in 0usize..1 << 16, bit in 0u8..8, forge: bool) {
        let world = closed_log();
        let paths = frames(&world);
        let path = &paths[file % paths.len()];
        let mut is_slack = false;
        world.sim.disk.tamper(path, |bytes| {
            let at = at % bytes.len();
            // Room behind the header's checksum holds nothing.
            let roots = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
            is_slack = (32 + roots * 32 + 4..4096).contains(&at);
            bytes[at] ^= 1 << bit;
            if forge && at >= 4096 {
                forge_checksums(bytes);
            }
        });
        let found = Reader::open(&world.sim.host(), Path::new(ROOT)).map(|reader| world.verify(&reader));
        let is_clean = found.is_ok_and(|report| report.is_clean());
        // A frame's reserved word under a forged checksum carries nothing either.
        prop_assert!(!is_clean || is_slack || forge);
        if is_clean && forge {
            prop_assert!(is_slack || is_reserved(&world, path, at));
        }
    }
}

/// Whether a place in a file is a frame's reserved word or checksum, which the forger writes anew.
fn is_reserved(world: &World, path: &Path, at: usize) -> bool {
    let mut answer = false;
    world.sim.disk.tamper(path, |bytes| {
        let place = at % bytes.len();
        let mut frame = 4096;
        while frame + 32 <= bytes.len() && bytes[frame..frame + 4] == *b"KWFR" {
            answer |= (frame + 20..frame + 32).contains(&place);
            frame += 32 + u32::from_le_bytes(bytes[frame + 4..frame + 8].try_into().expect("four")) as usize;
        }
    });
    answer
}
