//! Two accounts of the same events, compared byte by byte.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};

/// What a line of the API server's log has at its front and an item of a webhook batch has not.
const LINE_HEAD: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#;

/// How often each event occurs, by its bytes, without [`LINE_HEAD`].
#[derive(Default)]
pub(crate) struct Account(HashMap<Vec<u8>, u64>);

impl Account {
    /// Everything in the audit log and its rotated files.
    pub(crate) fn of_logs(dir: &Path) -> Result<Self> {
        let mut account = Self::default();
        for file in std::fs::read_dir(dir)? {
            let text = std::fs::read(file?.path())?;
            text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| account.add(line));
        }
        Ok(account)
    }

    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut account = Self::default();
        events.into_iter().for_each(|event| account.add(event));
        account
    }

    fn add(&mut self, event: &[u8]) {
        let bare = match event.strip_prefix(LINE_HEAD) {
            Some(rest) => [b"{", rest].concat(),
            None => event.to_vec(),
        };
        *self.0.entry(bare).or_default() += 1;
    }

    /// Only events of a stage that was reached before this time, in the form that the API server writes.
    pub(crate) fn before(mut self, time: &str) -> Self {
        self.0.retain(|event, _| stage_time(event).is_none_or(|stage| stage.as_str() < time));
        self
    }

    /// Number of events.
    pub(crate) fn len(&self) -> u64 {
        self.0.values().sum()
    }

    /// Fails unless both hold the same events equally often.
    pub(crate) fn must_equal(&self, other: &Self) -> Result<()> {
        let (missing, extra) = (self.beyond(other), other.beyond(self));
        ensure!(
            missing.is_empty() && extra.is_empty(),
            "{} of {} events are missing{}, {} are there too often{}",
            missing.len(),
            self.len(),
            example(&missing),
            extra.len(),
            example(&extra)
        );
        Ok(())
    }

    /// Events that this account holds more often than the other.
    fn beyond(&self, other: &Self) -> Vec<&[u8]> {
        let more = self.0.iter().filter(|(event, count)| other.0.get(*event).is_none_or(|known| known < count));
        more.map(|(event, _)| event.as_slice()).collect()
    }
}

/// The time of an event's stage, as it stands in the event.
fn stage_time(event: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        stage_timestamp: String,
    }
    serde_json::from_slice::<Event>(event).ok().map(|event| event.stage_timestamp)
}

fn example(events: &[&[u8]]) -> String {
    events.first().map_or_else(String::new, |event| {
        let text = String::from_utf8_lossy(event);
        format!(" (one is {})", text.chars().take(600).collect::<String>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_an_item_are_the_same_event() {
        let line: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"}"#;
        let item: &[u8] = br#"{"level":"Metadata"}"#;
        Account::of([line]).must_equal(&Account::of([item])).unwrap();
    }

    #[test]
    fn an_account_can_end_early() {
        let early: &[u8] = br#"{"stageTimestamp":"2026-11-21T23:25:00.000001Z"}"#;
        let late: &[u8] = br#"{"stageTimestamp":"2026-11-21T23:25:00.000002Z"}"#;
        assert_eq!(Account::of([early, late]).before("2026-11-21T23:25:00.000002Z").len(), 1);
    }

    #[test]
    fn loss_and_repetition_are_told_apart() {
        let (a, b): (&[u8], &[u8]) = (b"{a}", b"{b}");
        let lost = Account::of([a, b]).must_equal(&Account::of([a])).unwrap_err();
        assert!(lost.to_string().starts_with("1 of 2 events are missing (one is {b}), 0 are there too often"));
        let twice = Account::of([a]).must_equal(&Account::of([a, a])).unwrap_err();
        assert!(twice.to_string().starts_with("0 of 1 events are missing, 1 are there too often (one is {a})"));
    }
}
