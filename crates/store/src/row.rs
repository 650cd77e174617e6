//! Rows as queries hand them out.

use std::sync::Arc;

use crate::column::Column;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// There is none.
    Absent,
    /// An integer, or a time in microseconds since 1970.
    Integer(i64),
    /// Text, or JSON as it stood in the event.
    Text(Arc<str>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::Text(String::from_utf8_lossy(bytes).into())
    }
}

/// One row that a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRow {
    /// Place in the ledger.
    pub index: u64,
    /// Time of the event.
    pub time: audit::Micros,
    pub(crate) columns: Arc<[Column]>,
    pub(crate) values: Vec<Value>,
    pub(crate) is_cut: bool,
    pub(crate) payload: Option<Vec<u8>>,
}

impl FoundRow {
    /// A value; absent too if the column was not asked for. [`Column::AuditId`] gives the audit id in any form.
    pub fn value(&self, column: Column) -> &Value {
        let place = self.columns.iter().position(|asked| *asked == column);
        place.map_or(&Value::Absent, |place| &self.values[place])
    }

    /// The text of a column, or nothing.
    pub fn text(&self, column: Column) -> Option<&str> {
        self.value(column).as_text()
    }

    /// The integer of a column, or nothing.
    pub fn integer(&self, column: Column) -> Option<i64> {
        self.value(column).as_integer()
    }

    /// Whether the entry is an event as the API server writes it, whose columns say all that their fields say. Other
    /// entries are kept as they arrived, and their columns are what could be read of them.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The entry's exact bytes, if they were asked for.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }
}
