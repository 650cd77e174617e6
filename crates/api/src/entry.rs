//! Single entries: the exact bytes that arrived.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::EntryView;
use tlog::LeafIndex;

use crate::problem::Problem;
use crate::router::{Api, blocking};

/// The exact bytes of an entry. What stands beside them in its leaf is in headers: `kubewitness-index`,
/// `kubewitness-format`, `kubewitness-received` (microseconds since 1970), `kubewitness-cluster`,
/// `kubewitness-leaf-hash`.
pub(crate) async fn entry(State(api): State<Api>, Path(index): Path<u64>) -> Result<Response, Problem> {
    blocking(move || {
        let entry = api.log.get(existing(&api, index)?)?;
        let headers = headers(&entry.view());
        let mut response = entry.payload.into_response();
        // Never a type that a browser would show: the bytes are chosen by whoever made the request.
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    })
    .await
}

/// The place, if the log reaches that far.
pub(crate) fn existing(api: &Api, index: u64) -> Result<LeafIndex, Problem> {
    let (index, size) = (LeafIndex::new(index), api.log.size());
    if size.contains(index) {
        return Ok(index);
    }
    let error = format!("there is no entry {index}: the log has {size} entries, counted from zero");
    Err(Problem::new(StatusCode::NOT_FOUND, error, "GET /api/v1/stats tells the size of the log"))
}

fn headers(entry: &EntryView<'_>) -> [(&'static str, String); 5] {
    [
        ("kubewitness-index", entry.index.to_string()),
        ("kubewitness-format", entry.format.to_string()),
        ("kubewitness-received", entry.received.to_string()),
        ("kubewitness-cluster", entry.cluster.to_owned()),
        ("kubewitness-leaf-hash", entry.leaf_hash().to_string()),
    ]
}
