//! How much is answered at once: questions wait for their turn, and are refused when it does not come.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Questions answered at once. Each uses all cores and up to the memory of one answer.
pub const QUESTIONS_MAX: usize = 4;
/// Longest wait for a turn; then 503.
pub const QUESTION_WAIT_MAX: Duration = Duration::from_secs(30);
/// Live tails at once; a further one is answered with 503.
pub const TAILS_MAX: usize = 64;

/// Turns for questions and places for live tails.
#[derive(Debug, Clone)]
pub struct Slots {
    questions: Arc<Semaphore>,
    tails: Arc<Semaphore>,
    refused: Counter,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            tails: Arc::new(Semaphore::new(TAILS_MAX)),
            refused: Counter::default(),
        }
    }
}

impl Slots {
    /// Names the counter of refusals.
    pub fn register(&self, registry: &mut Registry) {
        let text = "Questions refused because QUESTIONS_MAX or TAILS_MAX was reached";
        registry.register("api_refused", text, self.refused.clone());
    }

    /// Waits for a turn to answer a question.
    pub(crate) async fn question(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.questions).acquire_owned();
        match tokio::time::timeout(QUESTION_WAIT_MAX, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.refuse("too many questions at once")),
        }
    }

    /// Takes a place for a live tail.
    pub(crate) fn tail(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| self.refuse("too many live tails at once"))
    }

    fn refuse(&self, error: &str) -> Problem {
        self.refused.inc();
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, "ask again in a moment")
    }
}
