//! What the store takes in.

use audit::Micros;

/// One entry of the ledger, as the store folds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Place in the ledger, from zero.
    pub index: u64,
    /// Code of the payload's form, see [`audit::Format`]. One that this version does not know is kept as it is, and the
    /// entry is treated as one in quarantine.
    pub format: u8,
    /// When the ledger took it.
    pub received: Micros,
    /// Origin; `default` where nothing was said.
    pub cluster: &'a str,
    /// The exact bytes.
    pub payload: &'a [u8],
}

/// An entry on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The outline of the event that its payload is as it stands, see [`audit::Event::outline`]; empty if nobody made one.
    pub outline: &'a [u8],
}

impl<'a> From<Entry<'a>> for Arrival<'a> {
    fn from(entry: Entry<'a>) -> Self {
        Self { entry, outline: &[] }
    }
}
