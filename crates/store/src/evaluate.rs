//! One row put together again and asked by the naive evaluator: the answer where no column has it.

use audit::{Event, Format};
use query::{Row as QueryRow, Term};

use crate::column::Column;
use crate::residual::Row;
use crate::snapshot::{format_of, rebuild};

/// What the evaluator asks of a row besides its entry.
pub(crate) const NAIVE_COLUMNS: &[Column] =
    &[Column::Index, Column::Received, Column::Cluster, Column::Format, Column::Defect];

/// Whether the entry behind `values` satisfies `term`.
pub(crate) fn matches_naively(term: &Term, values: &impl Row) -> bool {
    let mut payload = Vec::new();
    rebuild(values, &mut payload);
    let format = Format::from_code(format_of(values.bytes(Column::Format))).unwrap_or(Format::Quarantine);
    with_query_row(values, format, &payload, |row| term.matches(row))
}

fn with_query_row<T>(values: &impl Row, format: Format, payload: &[u8], ask: impl FnOnce(&QueryRow<'_>) -> T) -> T {
    // The same reading as when the row was made.
    let clean = String::from_utf8_lossy(payload);
    let text = audit::normalise(format, clean.as_bytes());
    let event = text.as_ref().ok().and_then(|text| Event::parse(text).ok());
    let defect = std::str::from_utf8(values.bytes(Column::Defect)).unwrap_or_default();
    ask(&QueryRow {
        index: values.integer(Column::Index) as u64,
        received: values.integer(Column::Received),
        cluster: std::str::from_utf8(values.bytes(Column::Cluster)).unwrap_or_default(),
        format,
        payload,
        event: event.as_ref(),
        defect: (!defect.is_empty()).then_some(defect),
    })
}
