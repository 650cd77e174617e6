//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use host::Clock;
use prometheus_client::registry::Registry;

use crate::access::{Access, guard};
use crate::health::Readiness;
use crate::problem::Problem;
use crate::slots::Slots;
use crate::{entry, health, live, openapi, proof, quarantine, search};

/// What the API answers from. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The log.
    pub log: ledger::Reader,
    /// The store.
    pub store: store::Reader,
    /// All metrics of the process.
    pub registry: Arc<Registry>,
    /// Whether the process is ready.
    pub readiness: Readiness,
    /// How much is answered at once.
    pub slots: Slots,
    /// What time it is, for `2h` and `now`.
    pub clock: Arc<dyn Clock>,
}

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Everyone who can connect.
    Open,
    /// Holders of the token.
    Token,
}

/// One route.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) guard: Guard,
    pub(crate) method: fn() -> MethodRouter<Api>,
}

const fn route(path: &'static str, guard: Guard, method: fn() -> MethodRouter<Api>) -> Route {
    Route { path, guard, method }
}

/// Every route; the OpenAPI document is tested against it.
pub(crate) const ROUTES: &[Route] = &[
    route("/healthz", Guard::Open, || get(health::live)),
    route("/livez", Guard::Open, || get(health::live)),
    route("/readyz", Guard::Open, || get(health::ready)),
    route("/metrics", Guard::Token, || get(health::metrics)),
    route("/checkpoint", Guard::Token, || get(proof::checkpoint_note)),
    route("/tile/{*path}", Guard::Token, || get(proof::tile)),
    route("/api/v1/openapi.json", Guard::Open, || get(openapi::document)),
    route("/api/v1/search", Guard::Token, || get(search::search)),
    route("/api/v1/groups", Guard::Token, || get(search::groups)),
    route("/api/v1/entries/{index}", Guard::Token, || get(entry::entry)),
    route("/api/v1/entries/{index}/proof", Guard::Token, || get(proof::inclusion)),
    route("/api/v1/checkpoint", Guard::Token, || get(proof::checkpoint)),
    route("/api/v1/checkpoints", Guard::Token, || get(proof::checkpoints)),
    route("/api/v1/consistency", Guard::Token, || get(proof::consistency)),
    route("/api/v1/quarantine", Guard::Token, || get(quarantine::list)),
    route("/api/v1/tail", Guard::Token, || get(live::tail)),
    route("/api/v1/stats", Guard::Token, || get(health::stats)),
];

impl Api {
    /// The API as something to serve. Unknown paths are plain 404s; nothing redirects.
    pub fn router(self, access: Access) -> Router {
        let part = |guard| {
            let routes = ROUTES.iter().filter(move |route| route.guard == guard);
            routes.fold(Router::new(), |router, route| router.route(route.path, (route.method)()))
        };
        let guarded = part(Guard::Token).layer(middleware::from_fn_with_state(Arc::new(access), guard));
        part(Guard::Open).merge(guarded).fallback(not_found).with_state(self)
    }
}

async fn not_found(request: Request) -> Response {
    let error = format!("there is no {} {}", request.method(), request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, error, "the paths are described in /api/v1/openapi.json").into_response()
}

impl Api {
    /// Answers a question when its turn comes.
    pub(crate) async fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.slots.question().await?;
        blocking(move || {
            let answer = work();
            drop(turn);
            answer
        })
        .await
    }
}

/// Runs work that reads files or takes time where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Problem::internal(&panic)))
}
