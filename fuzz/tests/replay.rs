//! Every input of the corpora keeps its property, and takes no longer than an input may.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fuzz::{PROPERTIES, Property};

/// An input that takes longer is as bad as one that panics; generous, for a debug build on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Longest input that is replayed; longer samples have tests of their own.
const INPUT_MAX: u64 = 64 << 10;

#[test]
fn corpora_keep_their_properties() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    for Property { name, holds, seeds } in PROPERTIES {
        let corpus = fuzz.join("corpus").join(name);
        let seeds = seeds.iter().map(|folder| fuzz.join("..").join(folder));
        for folder in std::iter::once(corpus).chain(seeds) {
            let inputs = inputs(&folder);
            assert!(!inputs.is_empty(), "{} has no inputs", folder.display());
            inputs.iter().for_each(|input| replay(*holds, input));
        }
    }
}

fn replay(holds: fn(&[u8]), input: &Path) {
    let bytes = std::fs::read(input).unwrap();
    let started = Instant::now();
    if std::panic::catch_unwind(|| holds(&bytes)).is_err() {
        panic!("{} breaks its property", input.display());
    }
    let took = started.elapsed();
    assert!(took < TIME_MAX, "{} took {took:?}", input.display());
}

/// Files of a folder and the folders in it, in order.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder for each property") {
            let entry = entry.unwrap();
            match entry.metadata().unwrap() {
                meta if meta.is_dir() => folders.push(entry.path()),
                meta if meta.len() <= INPUT_MAX => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
