//! SQL over the segments of a store, with DataFusion.
//!
//! The table `events` is every sealed segment as it stands on disk; its columns are described in
//! `docs/formats/segment.md`. Without the feature `datafusion` only [`duckdb_line`] is here, which opens the same files.
//!
//! Does not know the ledger, so events of the last seconds that are in no segment yet are not in the table.

#[cfg(feature = "datafusion")]
mod engine;

#[cfg(feature = "datafusion")]
pub use engine::{Column, SqlError, Table, query};

/// The shell line that asks DuckDB the same question of the same files.
pub fn duckdb_line(segments: &str, sql: &str) -> String {
    let script = format!("CREATE VIEW events AS FROM read_parquet('{}'); {sql}", segments.replace('\'', "''"));
    format!("duckdb -c '{}'", script.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive_the_shell() {
        let line = duckdb_line("d/*.parquet", "SELECT 'x'");
        assert_eq!(line, r"duckdb -c 'CREATE VIEW events AS FROM read_parquet('\''d/*.parquet'\''); SELECT '\''x'\'''");
    }
}
