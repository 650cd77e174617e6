//! Live tail: entries as they come, one JSON row a line.

use std::ops::ControlFlow;
use std::time::Duration;

use audit::Format;
use axum::body::{Body, Bytes};
use axum::extract::{Query as Parameters, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::Channel;
use ledger::EntryView;
use query::{Context, Entry, Query, Raw};
use serde::Deserialize;
use tlog::{LeafIndex, TreeSize};

use crate::problem::Problem;
use crate::router::{Api, blocking};
use crate::search::read_query;

/// Rows looked at in one step; what they hold is sent before the next step.
const STEP_ENTRIES: u64 = 1_000;
/// Bytes of rows gathered in one step.
const STEP_BYTES: usize = 1 << 20;
/// Time without a row after which an empty line (or a comment) shows that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest wait for the log inside one step.
const WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailParameters {
    q: Option<String>,
    /// Start at this place instead of the end.
    from: Option<u64>,
    raw: Option<bool>,
}

/// How rows are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A row a line.
    Ndjson,
    /// Server-sent events, with the place as id so that a browser continues where it was.
    Events,
}

/// Follows the log: NDJSON, or server-sent events for those who accept them.
pub(crate) async fn tail(
    State(api): State<Api>,
    Parameters(parameters): Parameters<TailParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = read_query(&Context::utc(api.clock.now().0), parameters.q.as_deref(), &None, &None)?;
    let accepts = |kind: &str| {
        headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|text| text.contains(kind))
    };
    let framing = if accepts("text/event-stream") { Framing::Events } else { Framing::Ndjson };
    let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let start =
        last_id.map(|index| index.saturating_add(1)).or(parameters.from).unwrap_or_else(|| api.log.size().get());
    let raw = if parameters.raw.unwrap_or(false) { Raw::With } else { Raw::Without };
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let place = api.slots.tail()?;
    tokio::spawn(async move {
        let _place = place;
        let mut follower = Follower { api, query, raw, framing, next: start };
        let mut quiet = tokio::time::Instant::now();
        loop {
            let step = blocking(move || follower.step().map(|rows| (follower, rows))).await;
            let Ok((continued, rows)) = step else { return };
            follower = continued;
            if !follower.api.readiness.is_ready() {
                return; // stopping: a stream without an end would hold the server up
            }
            let rows = match rows.is_empty() {
                true if quiet.elapsed() < HEARTBEAT => continue,
                true => framing.heartbeat().to_vec(),
                false => rows,
            };
            quiet = tokio::time::Instant::now();
            if sender.send_data(rows.into()).await.is_err() {
                return; // the client went away
            }
        }
    });
    let headers = [(header::CONTENT_TYPE, framing.content_type()), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(body)).into_response())
}

struct Follower {
    api: Api,
    query: Query,
    raw: Raw,
    framing: Framing,
    next: u64,
}

impl Follower {
    /// Waits a little for entries and gives the rows of those that match.
    fn step(&mut self) -> Result<Vec<u8>, Problem> {
        let size = self.api.log.wait_for(TreeSize::new(self.next.saturating_add(1)), WAIT)?.get();
        let end = size.min(self.next.saturating_add(STEP_ENTRIES));
        let mut rows = Vec::new();
        if self.next >= end {
            return Ok(rows);
        }
        let range = LeafIndex::new(self.next)..LeafIndex::new(end);
        self.api.log.read(range, |entry| {
            self.next = entry.index.get() + 1;
            if let Some(row) = matching(&entry, &self.query, self.raw) {
                self.framing.write(entry.index.get(), &row, &mut rows);
            }
            if rows.len() < STEP_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(rows)
    }
}

fn matching(entry: &EntryView<'_>, query: &Query, raw: Raw) -> Option<Vec<u8>> {
    let entry = Entry {
        index: entry.index.get(),
        received: entry.received,
        cluster: entry.cluster,
        format: Format::from_code(entry.format).unwrap_or(Format::Quarantine),
        payload: entry.payload,
    };
    entry.with_row(|row| query.matches(row).then(|| row.to_json(raw)))
}

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn heartbeat(self) -> &'static [u8] {
        match self {
            Self::Ndjson => b"\n",
            Self::Events => b": still here\n\n",
        }
    }

    fn write(self, index: u64, row: &[u8], rows: &mut Vec<u8>) {
        match self {
            Self::Ndjson => rows.extend_from_slice(row),
            Self::Events => {
                rows.extend_from_slice(format!("id: {index}\ndata: ").as_bytes());
                rows.extend_from_slice(row);
                rows.push(b'\n');
            }
        }
        rows.push(b'\n');
    }
}
