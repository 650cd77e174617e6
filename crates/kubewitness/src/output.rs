//! Records on standard output: coloured tables for people, JSON, CSV and YAML for programs.

use std::io::{IsTerminal, Write};

use audit::Json;

mod cell;
mod csv;
mod json;
mod table;
mod zone;

pub(crate) use cell::{Cell, Style, fitted, plain, visible};
pub(crate) use zone::Zone;

/// Form of a report, which is no list of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Columns that fit the terminal
    Table,
    /// More columns, never cut
    Wide,
    /// One array
    Json,
    /// One object a line, with the exact event in `raw`
    Ndjson,
    /// RFC 4180, with a heading; every key, or those of --columns
    Csv,
    /// One list
    Yaml,
}

/// How results are shown.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Form of the output [default: table on a terminal, ndjson otherwise]
    #[arg(short = 'o', long = "output", value_enum)]
    pub(crate) format: Option<OutputFormat>,
    /// Columns of tables and CSV, by their JSON names: `--columns time,user,code`
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) columns: Vec<String>,
    /// Read and show times in UTC
    #[arg(long, conflicts_with = "local")]
    pub(crate) utc: bool,
    /// Read and show times in the local time zone [default]
    #[arg(long)]
    pub(crate) local: bool,
}

impl OutputArgs {
    /// What was asked for, else what suits standard output.
    pub(crate) fn format(&self) -> OutputFormat {
        let suited = || if std::io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Ndjson };
        self.format.unwrap_or_else(suited)
    }

    /// The time zone of what people read and write.
    pub(crate) fn zone(&self) -> Zone {
        if self.utc { Zone::utc() } else { Zone::system() }
    }
}

/// A column of tables.
#[derive(Clone)]
pub(crate) struct Column {
    /// Heading, upper case in tables.
    pub(crate) title: String,
    /// The cell of a record.
    pub(crate) show: Show,
    /// Whether only `wide` shows it.
    pub(crate) wide_only: bool,
}

/// Where a cell comes from.
#[derive(Clone)]
pub(crate) enum Show {
    /// The value of a key, as it is.
    Key(String),
    /// A time in the zone.
    Time(&'static str),
    /// Made from the record.
    With(fn(Json<'_>) -> Cell),
}

impl Column {
    /// A column made from the record.
    pub(crate) fn with(title: &str, show: fn(Json<'_>) -> Cell) -> Self {
        Self { title: title.to_owned(), show: Show::With(show), wide_only: false }
    }

    /// A column of a key's values.
    pub(crate) fn key(key: &str) -> Self {
        Self { title: key.to_owned(), show: Show::Key(key.to_owned()), wide_only: false }
    }

    /// A column of times.
    pub(crate) fn time(key: &'static str) -> Self {
        Self { title: key.to_owned(), show: Show::Time(key), wide_only: false }
    }

    /// The same, only shown by `wide`.
    pub(crate) fn wide(self) -> Self {
        Self { wide_only: true, ..self }
    }

    fn cell(&self, record: Json<'_>, zone: &Zone) -> Cell {
        match &self.show {
            Show::Key(key) => Cell::plain(record.get(key).map(plain).unwrap_or_default()),
            Show::Time(key) => {
                Cell::dim(record.get(key).and_then(Json::text).map_or(String::new(), |time| zone.show(&time)))
            }
            Show::With(show) => show(record),
        }
    }
}

/// Shows records one after the other; [`Printer::finish`] ends the output.
pub(crate) trait Printer {
    /// Shows one record: an object.
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()>;

    /// Makes everything so far visible, where records can come one by one.
    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Ends the output.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// The printer of a format, writing to `out`. `columns` are those of tables; CSV has every key.
pub(crate) fn printer<'o>(args: &OutputArgs, columns: &[Column], out: &'o mut dyn Write) -> Box<dyn Printer + 'o> {
    let zone = args.zone();
    let mut columns = columns.to_vec();
    if !args.columns.is_empty() {
        columns = args.columns.iter().map(|name| chosen(name)).collect();
    }
    match args.format() {
        OutputFormat::Table => {
            columns.retain(|column| !column.wide_only);
            Box::new(table::Table::new(columns, zone, table::terminal_width(), out))
        }
        OutputFormat::Wide => Box::new(table::Table::new(columns, zone, None, out)),
        OutputFormat::Json => Box::new(json::Array::new(out)),
        OutputFormat::Ndjson => Box::new(json::Lines::new(out)),
        OutputFormat::Csv => Box::new(csv::Csv::new(args.columns.clone(), out)),
        OutputFormat::Yaml => Box::new(json::Yaml::new(out)),
    }
}

fn chosen(name: &str) -> Column {
    match name {
        "time" => Column::time("time"),
        "received" => Column::time("received"),
        name => Column::key(name),
    }
}
