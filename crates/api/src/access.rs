//! Who may ask: everyone who can connect, or the holders of the token.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// What a client must show.
#[derive(Clone)]
pub enum Access {
    /// Nothing, for a server on loopback: but the name that the client called it by must be a local one, so that no web
    /// page can ask through a visitor's browser.
    Local,
    /// This bearer token, of which only the hash is kept.
    Token(Digest),
}

impl Access {
    /// Demands `token`.
    pub fn token(token: &str) -> Self {
        Self::Token(digest(&SHA256, token.as_bytes()))
    }

    fn judge(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Local if names_loopback(headers) => Ok(()),
            Self::Local => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "this API is for clients on this machine",
                "call it by localhost or a loopback address; api.listen makes it reachable for others, with a token",
            )),
            Self::Token(known) if bearer(headers).is_some_and(|presented| is_token(known, presented)) => Ok(()),
            Self::Token(_) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the API token is missing or not known",
                "send `Authorization: Bearer TOKEN`; the token is in keys/api.token of the data directory",
            )),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "Local",
            Self::Token(_) => "Token",
        })
    }
}

/// Lets a request through, or answers 401 or 403.
pub(crate) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.judge(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn is_token(known: &Digest, presented: &str) -> bool {
    verify_slices_are_equal(known.as_ref(), digest(&SHA256, presented.as_bytes()).as_ref()).is_ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the `Host` header is absent or names this machine.
fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(authority) = host.to_str().unwrap_or_default().parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_are_local() {
        let names = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            names_loopback(&headers)
        };
        for local in ["localhost:9444", "127.0.0.1:1", "127.8.8.8", "[::1]:9444", "LOCALHOST"] {
            assert!(names(local), "{local}");
        }
        for other in ["example.com", "localhost.example.com", "10.0.0.1:9444", "", "localhost:x:y"] {
            assert!(!names(other), "{other}");
        }
        assert!(names_loopback(&HeaderMap::new()));
    }
}
