//! Tickets: how a submitter learns that its batch is durable, waiting or not.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::{Condvar, Mutex};

use crate::{AppendError, Commit};

/// What a submitted batch became.
pub type Outcome = Result<Commit, AppendError>;

/// Stands for a batch that was accepted and is not durable yet. A future, and something that a thread can wait for.
#[must_use = "nothing is acknowledged before the ticket says that it is durable"]
pub struct Ticket {
    slot: Arc<Slot>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<SlotState>,
    settled: Condvar,
}

#[derive(Default)]
struct SlotState {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

/// Who is told about the outcome. Told [`AppendError::Stopped`] when it is dropped untold.
pub(crate) struct Receipt {
    tell: Option<Box<dyn FnOnce(Outcome) + Send>>,
}

impl Receipt {
    pub(crate) fn calling(tell: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self { tell: Some(Box::new(tell)) }
    }

    /// Tells nobody: the submitter knows already.
    pub(crate) fn discard(mut self) {
        self.tell = None;
    }

    pub(crate) fn settle(mut self, outcome: Outcome) {
        if let Some(tell) = self.tell.take() {
            tell(outcome);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            tell(Err(AppendError::Stopped));
        }
    }
}

impl Ticket {
    pub(crate) fn new() -> (Self, Receipt) {
        let slot = Arc::new(Slot::default());
        let theirs = slot.clone();
        (Self { slot }, Receipt::calling(move |outcome| theirs.settle(outcome)))
    }

    /// Blocks this thread until the batch is durable or failed.
    pub fn wait(self) -> Outcome {
        let mut state = self.slot.state.lock();
        loop {
            if let Some(outcome) = state.outcome.take() {
                return outcome;
            }
            self.slot.settled.wait(&mut state);
        }
    }
}

impl Slot {
    fn settle(&self, outcome: Outcome) {
        let mut state = self.state.lock();
        state.outcome = Some(outcome);
        let waker = state.waker.take();
        drop(state);
        self.settled.notify_one();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.slot.state.lock();
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
