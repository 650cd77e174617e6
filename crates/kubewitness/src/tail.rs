//! `kubewitness tail`: the newest events, and those that come.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use query::{Expr, Field, Query, Range, Test};

use crate::backend::{Ask, Order};
use crate::output::{OutputArgs, printer};
use crate::source::{FilterArgs, SourceArgs};
use crate::{exit, record, search};

/// Longest wait for new events before the output is flushed.
const WAIT: Duration = Duration::from_millis(250);

/// Show the newest events, and with -f those that come: `kubewitness tail -f 'code:403'`
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Only events that match this query
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// Go on and show events as they arrive
    #[arg(short, long)]
    follow: bool,
    /// Rows to begin with
    #[arg(long, default_value_t = 10, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

impl Tail {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let query = self.filter.query(&self.query.join(" "), &self.output.zone())?;
        let backend = self.source.open()?;
        let mut next = backend.end()?;
        let raw = search::raw(&self.output);
        // What comes later is shown by following.
        let before = Expr::field(Field::Index, Test::Within(Range { low: None, high: Some(next as i64 - 1) }));
        let until_now = query.clone().and(Query { expr: before });
        let newest = Ask { query: &until_now, order: Order::Newest, limit: Some(self.limit), raw };
        let mut rows: VecDeque<Vec<u8>> = VecDeque::new();
        if self.limit > 0 {
            backend.search(&newest, &mut |row| {
                rows.push_front(row.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let mut out = anstream::stdout().lock();
        let mut printer = printer(&self.output, &record::columns(), &mut out);
        for row in &rows {
            printer.record(row)?;
        }
        if self.follow {
            // Ends when the source or the person ends it.
            loop {
                printer.flush()?;
                next = backend.follow(&query, next, WAIT, raw, &mut |row| {
                    printer.record(row)?;
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        printer.finish()?;
        Ok(exit::found(!rows.is_empty()))
    }
}
