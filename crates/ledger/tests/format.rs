//! The format of version 1: its vector, and a sample that every later version must read.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use host::Host;
use ledger::{Batch, Duplicates, EntryView, Ledger, Options, Reader, VerifyOptions, verify};
use tlog::{LeafIndex, TreeSize};

const ENTRIES: u64 = 700;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1")
}

fn payload(number: u64) -> Vec<u8> {
    format!("{{\"kind\":\"Event\",\"auditID\":\"{number}\"}}").into_bytes()
}

/// The vector in docs/formats/ledger.md.
#[test]
fn the_leaf_is_that_of_the_documented_vector() {
    let entry = EntryView {
        index: LeafIndex::new(0),
        format: 1,
        received: 1_767_225_600_000_000,
        cluster: "prod",
        payload: b"{\"kind\":\"Event\"}",
        note: &[],
    };
    let hex: String = entry.leaf_hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "b2a0373f15b4cedac1b197b949e0fbe34e35edb301ca90a4e284257c3254b002");
}

#[test]
fn the_sample_of_version_1_is_read() {
    let reader = Reader::open(&Host::system(), &sample()).expect("readable");
    let mut next = 0;
    reader
        .read(LeafIndex::new(0)..LeafIndex::new(ENTRIES), |entry| {
            assert_eq!((entry.index.get(), entry.payload), (next, &payload(next)[..]));
            assert_eq!((entry.format, entry.received, entry.cluster), (1, next as i64, "sample"));
            next += 1;
            ControlFlow::Continue(())
        })
        .expect("readable");
    let report = verify(&reader, &VerifyOptions::default(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!((report.entries, report.signed), (ENTRIES, TreeSize::new(ENTRIES)));
    assert!(report.checkpoints > 2);
}

/// Makes the sample; run once for a version: `cargo test -p ledger --test format -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn make_the_sample() {
    let options = Options {
        origin: Some("kubewitness.log/sample".to_owned()),
        segment_bytes: 16 << 10,
        group_bytes_max: 4 << 10,
        ..Options::default()
    };
    let ledger = Ledger::open(&Host::system(), &sample(), options).expect("writable");
    for start in (0..ENTRIES).step_by(70) {
        let mut batch = Batch::new(Duplicates::Keep);
        for number in start..start + 70 {
            batch.push(1, number as i64, "sample", &payload(number)).expect("small");
        }
        ledger.appender().submit(batch).expect("room").wait().expect("a good disk");
    }
    ledger.close().expect("a good disk");
}
