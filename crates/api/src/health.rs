//! Health, metrics and what is going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::router::{Api, blocking};

/// Whether the server should be sent requests.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that everything runs.
    pub fn ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Says that the server is stopping.
    pub fn not_ready(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The process runs and answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work.
pub(crate) async fn ready(State(api): State<Api>) -> Response {
    match api.readiness.is_ready() {
        true => "ok\n".into_response(),
        false => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting or stopping", "ask again").into_response(),
    }
}

/// Metrics in the OpenMetrics text form.
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, &api.registry).is_err() {
        return Problem::internal(&std::fmt::Error).into_response();
    }
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], text).into_response()
}

/// Sizes and lags, for people; metrics have the counters.
pub(crate) async fn stats(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let covered = api.log.checkpoint()?.map_or(0, |(_, checkpoint)| checkpoint.size.get());
        let snapshot = api.store.snapshot();
        let keys = api.log.verifier_keys()?;
        Ok(Json(json!({
            "origin": api.log.origin(),
            "keys": keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "log": {
                "entries": api.log.size().get(),
                "covered_by_checkpoint": covered,
                "frames_start": api.log.frames_start().get(),
            },
            "store": { "rows": snapshot.rows(), "next": snapshot.next() },
            "version": env!("CARGO_PKG_VERSION"),
        })))
    })
    .await
}
