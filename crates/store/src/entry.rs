//! What the store takes in.

use audit::{Format, Micros};

/// One entry of the ledger, as the store folds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Place in the ledger, from zero.
    pub index: u64,
    /// Form of the payload.
    pub format: Format,
    /// When the ledger took it.
    pub received: Micros,
    /// Origin; `default` where nothing was said.
    pub cluster: &'a str,
    /// The exact bytes.
    pub payload: &'a [u8],
}
