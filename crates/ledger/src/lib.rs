//! The durable, ordered, Merkle-hashed log; the only ground state.
//!
//! Everything that arrives is appended here before it is acknowledged. [`Ledger`] is the one writer of a data directory;
//! [`Appender`] submits batches to it and a [`Ticket`] says when they are durable; [`Reader`] reads entries in order, by
//! place, here or in another process; [`Prover`] makes proofs. Formats are in `docs/formats/ledger.md`.
//!
//! Does not know what entries mean: formats are codes to it and payloads are bytes. Knows no HTTP, no JSON events, no
//! store; released entries come back through the [`Archive`] that the store implements.

mod archive;
mod batch;
mod commit;
mod digests;
mod directory;
mod entry;
mod erasure;
mod evidence;
mod frame;
mod history;
mod key_ring;
mod layout;
mod ledger;
mod log;
mod options;
mod proof;
mod queue;
mod reader;
mod recent;
mod record;
mod segment;
mod stats;
mod ticket;
mod tree;
mod trust;
mod verify;
mod view;
mod window;
mod writer;

pub use archive::{Archive, ArchiveError, Visitor};
pub use batch::{Batch, BatchError, Duplicates};
pub use commit::{Commit, Place};
pub use directory::{DirectoryError, FORMAT_VERSION, Identity};
pub use entry::EntryView;
pub use erasure::{EraseError, Erasure};
pub use evidence::{BundleError, Case, EVIDENCE_VERSION, EvidenceError, Verdict, verify_evidence, write_evidence};
pub use key_ring::KeyRingError;
pub use ledger::{Appender, Ledger};
pub use log::{AppendError, OpenError, Recovery, RotateError};
pub use options::{CLUSTER_BYTES_MAX, DIGESTS_KEPT_MAX, Options, PAYLOAD_BYTES_MAX};
pub use proof::Prover;
pub use queue::SubmitError;
pub use reader::{Entry, ReadError, Reader};
pub use segment::SegmentError;
pub use stats::Stats;
pub use ticket::{Outcome, Ticket};
pub use verify::{Problem, Progress, Report, VerifyOptions, verify};
