//! The columns: a fold over the ledger that answers queries and gives the exact bytes of old entries back.
//!
//! - [`Store`] takes [`Entry`]s in ledger order into a head in memory and seals it into segments: Parquet files whose
//!   columns and residuals give every entry's exact bytes.
//! - [`Reader`] hands out [`Snapshot`]s from any thread; a snapshot scans, counts, groups and rebuilds entries.
//!   It is the ledger's [`ledger::Archive`].
//! - [`Column`] is the one table of columns. Formats are in `docs/formats/segment.md` and `docs/formats/manifest.md`.
//!
//! Does not know rules, findings, sockets or what time it is. Everything here can be thrown away and rebuilt from the
//! ledger as long as the ledger has the bytes. Parquet types stay inside.

mod archive;
mod block;
mod cache;
mod column;
mod draft;
mod entry;
mod evaluate;
mod extract;
mod fresh;
mod group;
mod head;
mod interner;
mod manifest;
mod mask;
mod needle;
mod page_rows;
mod pages;
mod part;
mod plan;
mod residual;
mod retention;
mod row;
mod scan;
mod segment;
mod shown;
mod snapshot;
mod sorted;
mod spelling;
mod store;
mod tally;
mod upkeep;
mod values;
mod viewer;
mod words;

pub use column::{Column, Kind};
pub use entry::{Arrival, Entry};
pub use group::{GROUPS_MAX, Group, GroupBy, Groups, KEYS_MAX, Key};
pub use manifest::{ClusterPart, Manifest, ManifestError, SegmentInfo};
pub use pages::PageError;
pub use retention::{Expired, Hold, Limits, Retention};
pub use row::{FoundRow, Value};
pub use scan::{Found, Order, Payload, Scan};
pub use segment::SegmentError;
pub use snapshot::Snapshot;
pub use store::{Options, Reader, Store, StoreError};
pub use upkeep::Removal;
pub use viewer::{Tail, Viewer};
