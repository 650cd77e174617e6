//! What could not be read as an audit event, newest first, with the reason.

use axum::extract::{Query as Parameters, State};
use axum::response::Response;
use query::{Context, Expr, Field, Query, Raw, RowKeys};
use serde::Deserialize;
use store::Order;

use crate::problem::Problem;
use crate::router::Api;
use crate::search::{Page, read_query};

const ROWS: usize = 100;
const ROWS_MAX: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantineParameters {
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
}

/// Entries in quarantine, in the form of a search's answer, with their bytes.
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<QuarantineParameters>,
) -> Result<Response, Problem> {
    api.clone()
        .answer(move || {
            let context = Context::utc(api.clock.now().0);
            let query = read_query(&context, None, &parameters.since, &parameters.until)?;
            let query = query.and(Query { expr: Expr::field_is(Field::Format, "quarantine") });
            let limit = parameters.limit.unwrap_or(ROWS).min(ROWS_MAX);
            let first = (limit, Order::Newest);
            let page = Page::find(&api.store.snapshot(), &query, first, RowKeys::ALL, Raw::With);
            Ok(page.map_err(|error| Problem::internal(&error))?.into_response())
        })
        .await
}
