//! A data directory, read in place, also while a server writes it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use audit::{Format, Micros};
use host::Host;
use ledger::EntryView;
use query::{Expr, Field, Query, Raw, Row, RowKeys, Test};
use store::{Column, FoundRow, GroupBy, Key, Scan, Snapshot, Value, Viewer};
use tlog::{LeafIndex, TreeSize};

use crate::backend::{Ask, Backend, Found, Group, Order, RowSink};

/// The store's directory in a data directory.
pub(crate) const STORE: &str = "store";
/// Rows that are fetched at once when there is no limit.
const PAGE_ROWS: usize = 8192;

/// The ledger, and the store with the entries that are in no segment yet, as they were when it was opened.
pub(crate) struct Local {
    ledger: ledger::Reader,
    store: Snapshot,
}

impl Local {
    /// Opens a data directory to read.
    pub(crate) fn open(host: &Host, directory: &Path) -> anyhow::Result<Self> {
        let ledger = ledger::Reader::open(host, directory)?;
        let sealed = Viewer::new(Arc::clone(&host.disk), &directory.join(STORE)).snapshot()?;
        ledger.set_archive(Arc::new(sealed.clone()));
        let (start, end) = (LeafIndex::new(sealed.next()), LeafIndex::new(ledger.size().get()));
        let mut tail = sealed.with_tail();
        if start < end {
            ledger.read(start..end, |entry| {
                tail.push(&entry.into());
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self { ledger, store: tail.finish() })
    }

    /// The log.
    pub(crate) fn log(&self) -> &ledger::Reader {
        &self.ledger
    }

    /// Shows the rows that match in the order of the log, one by one. What is older than `since` is not read where a
    /// segment says so.
    pub(crate) fn each(
        &self,
        query: &Query,
        since: Option<Micros>,
        show: &mut dyn FnMut(&Row<'_>),
    ) -> anyhow::Result<()> {
        let start = since.map_or(0, |since| self.store.place_of(since));
        self.store.entries(start..self.store.next(), |entry| {
            let store::Entry { index, received, cluster, format, payload } = entry;
            let format = self::format(format);
            query::Entry { index, received, cluster, format, payload }.with_row(|row| {
                if query.matches(row) {
                    show(row);
                }
            });
        })?;
        Ok(())
    }

    /// Rows in order, page by page, so that memory stays bounded.
    fn pages(
        &self,
        ask: &Ask<'_>,
        show: &mut dyn FnMut(&FoundRow) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        let mut left = ask.limit.unwrap_or(usize::MAX);
        let mut last: Option<(i64, u64)> = None;
        while left > 0 {
            let wanted = left.min(PAGE_ROWS);
            let query = match last {
                Some((time, index)) => ask.query.clone().and(Query { expr: after(ask.order, time, index) }),
                None => ask.query.clone(),
            };
            let rows = self.store.scan(&query, &Scan::shown(wanted, order(ask.order), RowKeys::ALL, ask.raw))?;
            for row in &rows {
                if show(row)?.is_break() {
                    return Ok(());
                }
            }
            last = rows.last().map(|row| (row.time, row.index));
            left = if rows.len() < wanted { 0 } else { left - rows.len() };
        }
        Ok(())
    }
}

fn order(order: Order) -> store::Order {
    match order {
        Order::Newest => store::Order::Newest,
        Order::Oldest => store::Order::Oldest,
    }
}

/// Rows that come after one in the order.
fn after(order: Order, time: i64, index: u64) -> Expr {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let range = |value: i64| match order {
        Order::Newest => query::Range { low: None, high: Some(value - 1) },
        Order::Oldest => query::Range { low: Some(value + 1), high: None },
    };
    let within = |field, range| Expr::field(field, Test::Within(range));
    let same_time = within(Field::Time, query::Range::exactly(time));
    let later_place = within(Field::Index, range(index));
    Expr::or([within(Field::Time, range(time)), Expr::and([same_time, later_place])])
}

impl Backend for Local {
    fn search(&self, ask: &Ask<'_>, sink: &mut RowSink<'_>) -> anyhow::Result<()> {
        self.pages(ask, &mut |row| sink(&row.to_json(RowKeys::ALL, ask.raw)))
    }

    fn group(&self, query: &Query, by: &[Field]) -> anyhow::Result<Vec<Group>> {
        let column = |field: &Field| {
            Column::from_name(field.column()).with_context(|| format!("`{}` cannot be counted by", field.name()))
        };
        let keys = by.iter().map(|field| column(field).map(Key::Column)).collect::<Result<_, _>>()?;
        let by = GroupBy { keys, distinct: None, sum: Some(Column::Size) };
        let groups = self.store.group_by(query, &by)?;
        Ok(groups.groups.into_iter().map(group).collect())
    }

    fn get(&self, index: u64) -> anyhow::Result<Option<Found>> {
        if index >= self.ledger.size().get() {
            return Ok(None);
        }
        let entry = self.ledger.get(LeafIndex::new(index))?;
        let (row, defect) =
            query_entry(&entry.view()).with_row(|row| (row.to_json(Raw::With), row.defect.map(str::to_owned)));
        Ok(Some(Found { row, payload: entry.payload, defect }))
    }

    fn end(&self) -> anyhow::Result<u64> {
        Ok(self.ledger.size().get())
    }

    fn follow(
        &self,
        query: &Query,
        from: u64,
        wait: Duration,
        raw: Raw,
        sink: &mut RowSink<'_>,
    ) -> anyhow::Result<u64> {
        let size = self.ledger.wait_for(TreeSize::new(from.saturating_add(1)), wait)?.get();
        if size <= from {
            return Ok(from);
        }
        let mut result = Ok(ControlFlow::Continue(()));
        self.ledger.read(LeafIndex::new(from)..LeafIndex::new(size), |entry| {
            result = query_entry(&entry).with_row(|row| match query.matches(row) {
                true => sink(&row.to_json(raw)),
                false => Ok(ControlFlow::Continue(())),
            });
            if matches!(result, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        result.map(|_| size)
    }
}

fn group(group: store::Group) -> Group {
    let value = |value: Value| match value {
        Value::Absent => None,
        Value::Integer(value) => Some(value.to_string()),
        Value::Text(text) => Some(text.to_string()),
    };
    Group {
        values: group.keys.into_iter().map(value).collect(),
        count: group.count,
        bytes: group.sum.try_into().unwrap_or(0),
        first: group.first,
        last: group.last,
    }
}

fn format(code: u8) -> Format {
    Format::from_code(code).unwrap_or(Format::Quarantine)
}

fn query_entry<'e>(entry: &EntryView<'e>) -> query::Entry<'e> {
    let EntryView { index, received, cluster, payload, .. } = *entry;
    query::Entry { index: index.get(), received, cluster, format: format(entry.format), payload }
}
