//! What was received, by cluster; and what was turned away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::cluster::ClusterName;
use crate::intake::Tally;

/// Clusters with a time series of their own. Further ones are counted together as `other`, so that a sender who invents
/// names cannot fill the memory.
pub const CLUSTERS_LABELLED_MAX: usize = 1_000;

/// Counters of the inbound edge.
#[derive(Debug, Clone, Default)]
pub struct IngestMetrics {
    entries: Family<ClusterLabel, Counter>,
    duplicates: Family<ClusterLabel, Counter>,
    quarantined: Family<ClusterLabel, Counter>,
    bytes: Family<ClusterLabel, Counter>,
    requests: Family<StatusLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    labelled: Arc<Mutex<HashSet<ClusterName>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabel {
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl IngestMetrics {
    /// Names the counters.
    pub fn register(&self, registry: &mut Registry) {
        let text = "Entries acknowledged, by cluster of the sender, duplicates and quarantined ones among them";
        registry.register("received_entries", text, self.entries.clone());
        let text = "Entries whose bytes were in the log already, by cluster of the sender";
        registry.register("received_duplicates", text, self.duplicates.clone());
        let text = "Entries that are no audit events and are kept in quarantine, by cluster of the sender";
        registry.register("received_quarantined", text, self.quarantined.clone());
        registry.register("received_bytes", "Bytes of acknowledged entries", self.bytes.clone());
        registry.register("webhook_requests", "Webhook requests by status of the answer", self.requests.clone());
        let text = "Webhook requests that were refused, by reason";
        registry.register("webhook_refused", text, self.refused.clone());
    }

    /// Counts what was committed for a cluster.
    pub fn committed(&self, cluster: &ClusterName, tally: Tally, duplicates: u64) {
        let label = self.label(cluster);
        self.entries.get_or_create(&label).inc_by(tally.entries);
        self.quarantined.get_or_create(&label).inc_by(tally.quarantined);
        self.bytes.get_or_create(&label).inc_by(tally.bytes);
        self.duplicates.get_or_create(&label).inc_by(duplicates);
    }

    pub(crate) fn answered(&self, code: u16) {
        self.requests.get_or_create(&StatusLabel { code }).inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    fn label(&self, cluster: &ClusterName) -> ClusterLabel {
        let mut labelled = self.labelled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known =
            labelled.contains(cluster) || labelled.len() < CLUSTERS_LABELLED_MAX && labelled.insert(cluster.clone());
        ClusterLabel { cluster: if known { cluster.to_string() } else { "other".to_owned() } }
    }
}
