//! The one thread that writes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    AppendError, Options,
    commit::Commit,
    log::{Log, Part},
    queue::{Found, Queue, Submission},
    stats::Counters,
    ticket::Outcome,
};

/// How long the writer sleeps when nothing comes and nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

pub(crate) struct Writer {
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) options: Options,
}

impl Writer {
    /// Commits groups until the queue is stopped and empty.
    pub(crate) fn run(&self) {
        let mut not_before = Instant::now();
        loop {
            let due = self.log.lock().publish_if_due();
            let group_bytes = self.options.group_bytes_max;
            match self.queue.take(group_bytes, not_before, due.unwrap_or(IDLE_WAIT)) {
                Found::Group(group) => self.commit(group),
                Found::Nothing => continue,
                Found::Stopped => return,
            }
            not_before = Instant::now() + self.options.group_wait_max;
        }
    }

    fn commit(&self, group: Vec<Submission>) {
        let outcomes = match &group[..] {
            [one] if one.batch.bytes() > self.options.group_bytes_max => vec![self.commit_large(one)],
            many => self.commit_together(many),
        };
        self.count(&group, &outcomes);
        if outcomes.iter().any(|outcome| matches!(outcome, Err(AppendError::Sync { .. } | AppendError::Stopped))) {
            self.queue.stop();
        }
        for (submission, outcome) in group.into_iter().zip(outcomes) {
            let (bytes, entries) = (submission.batch.bytes(), submission.batch.len());
            drop(submission.batch);
            self.queue.settled(bytes, entries);
            submission.receipt.settle(outcome);
        }
    }

    fn commit_together(&self, group: &[Submission]) -> Vec<Outcome> {
        let parts: Vec<_> = group
            .iter()
            .map(|submission| Part { batch: &submission.batch, items: 0..submission.batch.len() })
            .collect();
        match self.log.lock().commit(&parts) {
            Ok(commits) => commits.into_iter().map(Ok).collect(),
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Commits a batch in parts, so that a frame stays small. When a part fails, those before it are in the log
    /// although the batch is not acknowledged; a resend finds them as duplicates.
    fn commit_large(&self, submission: &Submission) -> Outcome {
        let batch = &submission.batch;
        let mut whole: Option<Commit> = None;
        for items in batch.parts(self.options.group_bytes_max) {
            let commits = self.log.lock().commit(&[Part { batch, items }])?;
            for commit in commits {
                whole = Some(match whole.take() {
                    Some(earlier) => earlier.join(commit),
                    None => commit,
                });
            }
        }
        whole.ok_or(AppendError::Stopped)
    }

    fn count(&self, group: &[Submission], outcomes: &[Outcome]) {
        self.counters.groups.add(1);
        for (submission, outcome) in group.iter().zip(outcomes) {
            match outcome {
                Ok(commit) => {
                    let duplicates = commit.duplicates();
                    self.counters.duplicates.add(duplicates as u64);
                    self.counters.entries.add((commit.len() - duplicates) as u64);
                    self.counters.bytes.add(submission.batch.bytes() as u64);
                }
                Err(_) => self.counters.failed.add(submission.batch.len() as u64),
            }
        }
    }
}
