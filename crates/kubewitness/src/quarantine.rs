//! `kubewitness quarantine`: what arrived and could not be read as an event.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use audit::{Json, Writer};
use query::Raw;

use crate::backend::{Ask, Found, Order};
use crate::exit;
use crate::output::{Column, OutputArgs, OutputFormat, printer, visible};
use crate::record::Record;
use crate::search::remark;
use crate::source::{FilterArgs, SourceArgs};

/// Characters of an entry that `list` shows.
const PREVIEW: usize = 80;

/// See entries that could not be read as events, with the reason
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Quarantine {
    /// List them, latest first
    List(List),
    /// Show the exact bytes of one
    Show(ShowOne),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Most entries to show; 0 for all
    #[arg(long, default_value_t = 100, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowOne {
    /// Place in the log, as `list` shows it
    index: u64,
    /// `json` or `ndjson` for the row with the reason, instead of the bytes
    #[arg(short = 'o', long = "output", value_enum)]
    format: Option<OutputFormat>,
    #[command(flatten)]
    source: SourceArgs,
}

impl Quarantine {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let query = self.filter.query("defect:*", &self.output.zone())?;
        let backend = self.source.open()?;
        let limit = (self.limit > 0).then_some(self.limit);
        let ask = Ask { query: &query, order: Order::Newest, limit, raw: Raw::Without };
        let mut out = anstream::stdout().lock();
        let mut printer = printer(&self.output, &columns(), &mut out);
        let mut found = 0;
        backend.search(&ask, &mut |row| {
            if let Some(entry) = backend.get(Record::parse(row)?.index())? {
                found += 1;
                printer.record(&record(&entry)?)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        printer.finish()?;
        if self.output.format() == OutputFormat::Table {
            remark(found, self.limit);
        }
        Ok(exit::found(found > 0))
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::key("index"),
        Column::time("received"),
        Column::key("cluster"),
        Column::key("bytes"),
        Column::key("reason"),
        Column::key("preview"),
    ]
}

/// `{"index", "received", "cluster", "reason", "bytes", "preview"}`
fn record(entry: &Found) -> anyhow::Result<Vec<u8>> {
    let row = Record::parse(&entry.row)?;
    let text = String::from_utf8_lossy(&entry.payload[..entry.payload.len().min(4 * PREVIEW)]);
    let preview: String = text.chars().take(PREVIEW).collect();
    let mut json = Writer::new();
    json.maybe("index", row.0.get("index"))
        .maybe("received", row.0.get("received"))
        .maybe("cluster", row.0.get("cluster"));
    json.text("reason", entry.defect.as_deref().unwrap_or(""))
        .json("bytes", entry.payload.len().to_string().as_bytes())
        .text("preview", &preview);
    Ok(json.finish())
}

impl ShowOne {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Some(entry) = self.source.open()?.get(self.index)? else {
            anstream::eprintln!("there is no entry {} in the log", self.index);
            return Ok(exit::found(false));
        };
        let mut out = std::io::stdout().lock();
        if self.format.is_some() {
            let json: Vec<u8> = row_with_reason(&entry)?;
            out.write_all(&json)?;
            writeln!(out)?;
            return Ok(exit::found(true));
        }
        match &entry.defect {
            Some(reason) => anstream::eprintln!("entry {}: {reason}", self.index),
            None => anstream::eprintln!("entry {} is a readable event", self.index),
        }
        if out.is_terminal() {
            // What stands in the entry was written by a stranger: nothing in it may steer the terminal.
            let text = String::from_utf8_lossy(&entry.payload);
            text.lines().try_for_each(|line| writeln!(out, "{}", visible(line)))?;
        } else {
            out.write_all(&entry.payload)?;
        }
        Ok(exit::found(true))
    }
}

fn row_with_reason(entry: &Found) -> anyhow::Result<Vec<u8>> {
    let mut json = Writer::new();
    for (key, value) in Json::whole(&entry.row)?.members() {
        json.json(&key.display(), value.bytes());
    }
    json.text("reason", entry.defect.as_deref().unwrap_or(""));
    Ok(json.finish())
}
