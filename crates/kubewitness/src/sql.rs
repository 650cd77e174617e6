//! `kubewitness sql`: SQL over the segments.

use std::io::Write as _;
use std::process::ExitCode;

use crate::exit;
use crate::source::DataDir;

/// Ask in SQL; the table `events` is every sealed segment
///
/// The engine is large, so it is built in on demand: `cargo build --release --features sql`. A binary without it says how to
/// ask DuckDB the same question of the same files.
///
/// Exit codes: 0 there are rows, 1 there are none or the engine is not built in, 2 the SQL is wrong, 3 the data cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Sql {
    /// The question: `SELECT user, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 10`
    sql: String,
    #[command(flatten)]
    data: DataDir,
    /// Output; NDJSON when piped
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Ndjson,
    Csv,
}

impl Sql {
    #[cfg(not(feature = "sql"))]
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let _ = self.output;
        let mut err = anstream::stderr().lock();
        let segments = self.data.segments().join("*.parquet");
        writeln!(err, "this binary is built without the SQL engine; build it in with:")?;
        writeln!(err, "  cargo build --release --features sql")?;
        writeln!(err, "or ask DuckDB the same question of the same files:")?;
        writeln!(err, "  {}", sql::duckdb_line(&segments.display().to_string(), &self.sql))?;
        Ok(exit::found(false))
    }

    #[cfg(feature = "sql")]
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        use std::io::IsTerminal as _;
        let segments = self.data.segments();
        anyhow::ensure!(
            segments.is_dir(),
            "{} has no segments yet; import or receive events first",
            segments.display()
        );
        let table = sql::query(&segments, &self.sql).map_err(|error| exit::Usage(error.to_string()))?;
        let piped = !std::io::stdout().is_terminal();
        let output = self.output.unwrap_or(if piped { Output::Ndjson } else { Output::Table });
        let mut out = anstream::stdout().lock();
        match output {
            Output::Table => write_table(&mut out, &table)?,
            Output::Ndjson => table.rows.iter().try_for_each(|row| writeln!(out, "{}", object(&table.columns, row)))?,
            Output::Csv => {
                writeln!(
                    out,
                    "{}",
                    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(",")
                )?;
                let line = |row: &Vec<Option<String>>| {
                    row.iter().map(|c| quoted(c.as_deref().unwrap_or(""))).collect::<Vec<_>>().join(",")
                };
                table.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))?;
            }
        }
        Ok(exit::found(!table.rows.is_empty()))
    }
}

#[cfg(feature = "sql")]
fn object(columns: &[sql::Column], row: &[Option<String>]) -> serde_json::Value {
    use serde_json::{Map, Value};
    let value = |column: &sql::Column, cell: &Option<String>| match cell {
        None => Value::Null,
        Some(text) if column.literal => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Some(text) => text.as_str().into(),
    };
    columns
        .iter()
        .zip(row)
        .map(|(column, cell)| (column.name.clone(), value(column, cell)))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(feature = "sql")]
fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(feature = "sql")]
fn write_table(out: &mut impl std::io::Write, table: &sql::Table) -> std::io::Result<()> {
    let cells = |row: &[Option<String>]| -> Vec<String> {
        row.iter().map(|cell| crate::printable::terminal(cell.as_deref().unwrap_or("-"))).collect()
    };
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| cells(row)).collect();
    let width = |at: usize| {
        rows.iter().map(|row| row[at].chars().count()).chain([table.columns[at].name.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let names = table.columns.iter().map(|column| column.name.to_uppercase()).collect();
    for row in std::iter::once(&names).chain(&rows) {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}
