//! Metrics of the log and the store, read when they are asked for.

use std::sync::Weak;

use ledger::Ledger;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Asks the log and the store. Weak, so that a scrape never keeps the log open.
pub(crate) struct LogAndStore {
    pub(crate) ledger: Weak<Ledger>,
    pub(crate) store: store::Reader,
    pub(crate) pending_bytes_max: usize,
}

impl std::fmt::Debug for LogAndStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogAndStore")
    }
}

impl Collector for LogAndStore {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(ledger) = self.ledger.upgrade() else { return Ok(()) };
        let stats = ledger.stats();
        let next = self.store.snapshot().next();
        for (name, help, value) in [
            ("ledger_appended_entries", "Entries that got a place", stats.entries),
            ("ledger_appended_bytes", "Bytes of committed batches", stats.bytes),
            ("ledger_duplicates", "Entries that were in the log already", stats.duplicates),
            ("ledger_failed_entries", "Entries whose group could not be committed", stats.failed),
            ("ledger_refused_batches", "Batches refused because ledger_pending_bytes_max was reached", stats.refused),
            ("ledger_groups", "Groups that were committed, or tried", stats.groups),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, value) in [
            ("ledger_entries", "Entries in the log", stats.size.get()),
            ("ledger_pending_bytes", "Bytes that wait for the disk", stats.pending_bytes as u64),
            ("ledger_pending_bytes_max", "Limit of ledger_pending_bytes", self.pending_bytes_max as u64),
            ("ledger_pending_entries", "Entries that wait for the disk", stats.pending_entries as u64),
            ("ledger_recent_bytes", "Newest entries in memory for those who follow the log", stats.recent_bytes as u64),
            (
                "store_lag_entries",
                "Entries of the log that cannot be searched yet",
                stats.size.get().saturating_sub(next),
            ),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
