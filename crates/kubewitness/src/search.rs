//! `kubewitness search`: rows that match a query.

use std::ops::ControlFlow;
use std::process::ExitCode;

use query::Raw;

use crate::backend::{Ask, Order};
use crate::output::{OutputArgs, OutputFormat, printer};
use crate::source::{FilterArgs, SourceArgs};
use crate::{exit, record};

/// Find events: `kubewitness search 'verb:delete resource:secrets -user:system:*' --since 2h`
///
/// Terms beside each other must all match. `field:value` asks a field, a bare word any value of the event.
/// The language is described in docs/query.md. Exit code 0 if something was found, 1 if nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// The query; without one, every event
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// Most rows to show; 0 for all
    #[arg(long, default_value_t = 100, value_name = "ROWS")]
    limit: usize,
    /// Earliest first, instead of latest first
    #[arg(long)]
    oldest_first: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

impl Search {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let query = self.filter.query(&self.query.join(" "), &self.output.zone())?;
        let backend = self.source.open()?;
        let mut out = anstream::stdout().lock();
        let mut printer = printer(&self.output, &record::columns(), &mut out);
        let ask = Ask {
            query: &query,
            order: if self.oldest_first { Order::Oldest } else { Order::Newest },
            limit: (self.limit > 0).then_some(self.limit),
            raw: raw(&self.output),
        };
        let mut found = 0;
        backend.search(&ask, &mut |row| {
            found += 1;
            printer.record(row)?;
            Ok(ControlFlow::Continue(()))
        })?;
        printer.finish()?;
        if self.output.format() == OutputFormat::Table {
            remark(found, self.limit);
        }
        Ok(exit::found(found > 0))
    }
}

/// Says what a table does not show by itself: that it is empty, or that there may be more.
pub(crate) fn remark(found: usize, limit: usize) {
    match found {
        0 => anstream::eprintln!("nothing found"),
        1 if limit == 1 => anstream::eprintln!("only one row is shown; --limit shows more, 0 all"),
        _ if found == limit => anstream::eprintln!("only {found} rows are shown; --limit shows more, 0 all"),
        _ => {}
    }
}

/// Only lines carry the event's text.
pub(crate) fn raw(output: &OutputArgs) -> Raw {
    if output.format() == OutputFormat::Ndjson { Raw::With } else { Raw::Without }
}
