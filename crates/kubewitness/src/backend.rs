//! What the asking commands need of whatever holds the events.

use std::ops::ControlFlow;
use std::time::Duration;

use query::{Field, Query, Raw};

/// Which rows come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Latest event time first.
    Newest,
    /// Earliest event time first.
    Oldest,
}

/// A search.
pub(crate) struct Ask<'a> {
    pub(crate) query: &'a Query,
    pub(crate) order: Order,
    /// Most rows; `None` is all.
    pub(crate) limit: Option<usize>,
    pub(crate) raw: Raw,
}

/// Takes rows, each the stable JSON of [`query::Row::to_json`], until it breaks.
pub(crate) type RowSink<'s> = dyn FnMut(&[u8]) -> anyhow::Result<ControlFlow<()>> + 's;

/// Rows that have the same values of some fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The values, in the order of the fields; `None` where a row has none.
    pub(crate) values: Vec<Option<String>>,
    /// Rows.
    pub(crate) count: u64,
    /// Bytes of their entries.
    pub(crate) bytes: u64,
    /// Earliest and latest event time.
    pub(crate) first: audit::Micros,
    pub(crate) last: audit::Micros,
}

/// Holds events and answers questions about them.
pub(crate) trait Backend {
    /// Shows the rows that match, in order.
    fn search(&self, ask: &Ask<'_>, sink: &mut RowSink<'_>) -> anyhow::Result<()>;

    /// Counts the rows that match by the values of fields.
    fn group(&self, query: &Query, by: &[Field]) -> anyhow::Result<Vec<Group>>;

    /// The row at a place with its exact bytes; `None` if there is none.
    fn get(&self, index: u64) -> anyhow::Result<Option<Found>>;

    /// Place that the next entry will have.
    fn end(&self) -> anyhow::Result<u64>;

    /// Shows the rows from a place on that match, in the order of their places; waits at most this long for new
    /// ones. Returns the place to go on from.
    fn follow(&self, query: &Query, from: u64, wait: Duration, raw: Raw, sink: &mut RowSink<'_>)
    -> anyhow::Result<u64>;
}

/// One entry.
pub(crate) struct Found {
    /// Its row with its text.
    pub(crate) row: Vec<u8>,
    /// The exact bytes.
    pub(crate) payload: Vec<u8>,
    /// Why it is in quarantine, if it is.
    pub(crate) defect: Option<String>,
}

impl dyn Backend + '_ {
    /// The rows that match, all in memory: for limits that fit there.
    pub(crate) fn rows(&self, ask: &Ask<'_>) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut rows = Vec::new();
        self.search(ask, &mut |row| {
            rows.push(row.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }
}
