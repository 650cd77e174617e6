//! What can be chosen when a ledger is opened, and every limit it keeps.

use std::time::Duration;

/// Largest payload of one entry, in bytes; a larger one is refused by [`crate::Batch::push`].
pub const PAYLOAD_BYTES_MAX: usize = 512 << 20;
/// Longest cluster name, in bytes.
pub const CLUSTER_BYTES_MAX: usize = 255;
/// Digests that are remembered across a restart even when their entries have been released.
pub const DIGESTS_KEPT_MAX: usize = 65_536;

/// How a ledger works. The defaults are right for nearly everyone.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the log in its checkpoints; chosen at random when the directory is made without one.
    pub origin: Option<String>,
    /// Length of a preallocated frame file, in bytes. A longer group gets a longer file.
    pub segment_bytes: u64,
    /// Longest that a group waits for company. A group that finds the disk idle is committed at once.
    pub group_wait_max: Duration,
    /// Most bytes in a group, unless one entry alone has more. Large batches are committed in parts.
    pub group_bytes_max: usize,
    /// Bytes submitted and not yet durable; beyond this we refuse, never drop. One batch is always let in.
    pub pending_bytes_max: usize,
    /// Entries submitted and not yet durable; beyond this we refuse, never drop. One batch is always let in.
    pub pending_entries_max: usize,
    /// Bytes of the newest entries that stay in memory for followers; those that are further behind read the disk.
    pub recent_bytes_max: usize,
    /// Shortest time between two checkpoints while entries come.
    pub checkpoint_interval: Duration,
    /// Shortest time between two checkpoints that are kept in the history.
    pub history_interval: Duration,
    /// Entries over which a duplicate is recognised, counted back from the newest.
    pub duplicate_window: u32,
    /// Bytes that must stay free on the disk; below this a new frame file is refused as if the disk were full.
    pub free_bytes_min: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            origin: None,
            segment_bytes: 64 << 20,
            group_wait_max: Duration::from_millis(2),
            group_bytes_max: 8 << 20,
            pending_bytes_max: 64 << 20,
            pending_entries_max: 262_144,
            recent_bytes_max: 16 << 20,
            checkpoint_interval: Duration::from_secs(1),
            history_interval: Duration::from_secs(60),
            duplicate_window: 1 << 20,
            free_bytes_min: 128 << 20,
        }
    }
}
