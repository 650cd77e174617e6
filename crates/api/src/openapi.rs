//! The description of the API for people and tools; kept by hand, tested against the table of routes.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("openapi.json");

/// The document.
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::router::{Guard, ROUTES};

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let described = document["paths"].as_object().unwrap();
        let names: BTreeSet<String> = described.keys().cloned().collect();
        let routes: BTreeSet<String> = ROUTES.iter().map(|route| route.path.replace("{*", "{")).collect();
        assert_eq!(names, routes);
        for route in ROUTES {
            let operation = &described[&route.path.replace("{*", "{")]["get"];
            let open = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(open, route.guard == Guard::Open, "{}", route.path);
            assert!(operation["summary"].is_string() && operation["responses"]["200"].is_object(), "{}", route.path);
        }
    }

    #[test]
    fn a_row_is_described_with_its_stable_names() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let row = document["components"]["schemas"]["Row"]["properties"].as_object().unwrap();
        let described: Vec<&str> = row.keys().map(String::as_str).filter(|key| !key.starts_with("raw")).collect();
        assert_eq!(described, query::ROW_KEYS);
    }
}
