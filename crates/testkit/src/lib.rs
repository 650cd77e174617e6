//! Fixtures and stand-ins for tests: recorded events, the API server's webhook client.
//!
//! Does not know our own crates, so that all of them can test with it.

mod api_server;
mod fixtures;

pub use api_server::{ApiServer, Report, WebhookOptions};
pub use fixtures::{event, lab_events, repository_file};
