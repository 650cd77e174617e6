//! Errors as the API answers them: what is wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use ledger::ReadError;
use query::ParseError;
use serde::Serialize;

/// An answer that is no success. The body is `{"error": …, "hint": …}`; a query's mistake adds `column` and `width`.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Box<Body>,
}

#[derive(Debug, Serialize)]
struct Body {
    error: String,
    hint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        let body = Body { error: error.into(), hint: hint.into(), column: None, width: None };
        Self { status, body: Box::new(body) }
    }

    /// A parameter that cannot be read.
    pub(crate) fn parameter(name: &str, error: impl std::fmt::Display) -> Self {
        let hint = "the parameters are described in /api/v1/openapi.json";
        Self::new(StatusCode::BAD_REQUEST, format!("parameter {name}: {error}"), hint)
    }

    /// A failure of ours; the cause goes to the log, not to the client.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(error.source(), |error| error.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        tracing::error!(error = text, "a request failed");
        let hint = "the server's log has the cause; kubewitness verify checks the data directory";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the data cannot be read", hint)
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        let hint = "the query language is described in docs/query.md";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, error.problem.to_string(), hint);
        problem.body.column = Some(error.column);
        problem.body.width = Some(error.width);
        problem
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let status = match error {
            ReadError::Beyond { .. } | ReadError::Missing { .. } => StatusCode::NOT_FOUND,
            _ => return Self::internal(&error),
        };
        Self::new(status, error.to_string(), "GET /api/v1/checkpoint tells the size of the log")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
