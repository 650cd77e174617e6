//! Records: an entry as it stands in a frame.
//!
//! ```text
//! 0   1  format
//! 1   1  length of the cluster's name
//! 2   8  received, microseconds since 1970, little-endian
//! 10  n  cluster, UTF-8
//! …      payload, up to the record's end
//! ```

use tlog::LeafIndex;

use crate::{EntryView, entry::LeafHeader};

const FIXED_LEN: usize = 10;

pub(crate) fn encode(records: &mut Vec<u8>, header: LeafHeader<'_>, payload: &[u8]) {
    let mut fixed = [0; FIXED_LEN];
    fixed[0] = header.format;
    fixed[1] = header.cluster.len() as u8;
    fixed[2..].copy_from_slice(&header.received.to_le_bytes());
    records.extend_from_slice(&fixed);
    records.extend_from_slice(header.cluster.as_bytes());
    records.extend_from_slice(payload);
}

/// Reads a record; `None` when the bytes cannot be one.
pub(crate) fn decode(index: LeafIndex, record: &[u8]) -> Option<EntryView<'_>> {
    let (fixed, rest) = record.split_first_chunk::<FIXED_LEN>()?;
    let [format, cluster_len, received @ ..] = *fixed;
    let (cluster, payload) = rest.split_at_checked(usize::from(cluster_len))?;
    let cluster = std::str::from_utf8(cluster).ok()?;
    Some(EntryView { index, format, received: i64::from_le_bytes(received), cluster, payload, note: &[] })
}
