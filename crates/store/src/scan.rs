//! Queries that hand out rows: filter, order, limit, and only then the columns of what is left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use query::Query;

use crate::column::{Column, Kind};
use crate::pages::PageError;
use crate::part::{Part, PartReader};
use crate::plan::Plan;
use crate::residual;
use crate::row::{FoundRow, Value};
use crate::snapshot::{Snapshot, rebuild};
use crate::store::StoreError;
use crate::values::{NO_INTEGER, NO_UUID};

/// Which rows come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Latest event time first; of equal times the higher place.
    #[default]
    Newest,
    /// Earliest event time first; of equal times the lower place.
    Oldest,
}

/// Whether rows carry their entry's exact bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// Only columns.
    #[default]
    Without,
    /// The exact bytes too.
    With,
}

/// What a scan hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Most rows that are wanted.
    pub limit: usize,
    /// Which of them.
    pub order: Order,
    /// Columns of each row.
    pub columns: Vec<Column>,
    /// Exact bytes of each row.
    pub payload: Payload,
}

impl Default for Scan {
    /// The newest hundred rows with the columns that a table of events shows.
    fn default() -> Self {
        use Column as C;
        let columns = [
            C::Index,
            C::Time,
            C::Received,
            C::Cluster,
            C::User,
            C::Groups,
            C::Verb,
            C::Resource,
            C::Subresource,
            C::Namespace,
            C::Name,
            C::Code,
            C::Decision,
            C::Ips,
            C::Agent,
            C::Stage,
            C::Level,
            C::AuditId,
            C::LatencyUs,
            C::Defect,
        ];
        Self { limit: 100, order: Order::Newest, columns: columns.to_vec(), payload: Payload::Without }
    }
}

/// A row that matched: its rank in the order, and where it is.
type Hit = (Rank, usize, usize);
/// Lower ranks come first.
type Rank = (i64, i64);

impl Snapshot {
    /// Rows that match, in order.
    pub fn scan(&self, query: &Query, scan: &Scan) -> Result<Vec<FoundRow>, StoreError> {
        let plan = Plan::new(query);
        let mut parts = self.parts();
        parts.retain(|part| plan.may_match(part.times()));
        // The parts that can hold the first rows come first, so that the rest need not be read.
        parts.sort_by_key(|part| best_rank(part, scan.order));
        let hits = first_hits(&plan, &parts, scan)?;
        Ok(fetch(&parts, &hits, scan)?)
    }

    /// Number of rows that match.
    pub fn count(&self, query: &Query) -> Result<u64, StoreError> {
        let plan = Plan::new(query);
        let mut parts = self.parts();
        parts.retain(|part| plan.may_match(part.times()));
        let counts = in_parallel(&parts, |part| {
            let mut count = 0;
            plan.each_match(&PartReader::new(*part), |_, rows| {
                count += rows.count() as u64;
                Ok(())
            })?;
            Ok(count)
        })?;
        Ok(counts.into_iter().sum())
    }

    /// The row of one entry with its exact bytes; nothing if the store does not hold it.
    pub fn get(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        for part in self.parts_with(index) {
            let reader = PartReader::new(part);
            for page in 0..reader.page_count() {
                let places = reader.integers(Column::Index, page)?;
                if let Some(at) = places.slice().iter().position(|place| *place as u64 == index) {
                    let mut payload = Vec::new();
                    reader.with_row(reader.page_rows(page).start + at, |row| rebuild(row, &mut payload))?;
                    return Ok(Some(payload));
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let sealed = self.segments().iter().flat_map(|segment| segment.segment.groups()).map(Part::Sealed);
        sealed.chain(self.blocks().iter().map(|block| Part::Head(block))).collect()
    }

    fn parts_with(&self, index: u64) -> Vec<Part<'_>> {
        let mut parts = self.parts();
        parts.retain(|part| match part {
            Part::Sealed(group) => group.may_hold(&(index..index.saturating_add(1))),
            Part::Head(_) => true,
        });
        parts
    }
}

fn rank(time: i64, index: i64, order: Order) -> Rank {
    match order {
        Order::Newest => (!time, !index),
        Order::Oldest => (time, index),
    }
}

/// No row of the part comes before this.
fn best_rank(part: &Part<'_>, order: Order) -> Rank {
    let (from, until) = part.times();
    match order {
        Order::Newest => rank(until, i64::MAX, order),
        Order::Oldest => rank(from, i64::MIN, order),
    }
}

/// The first rows of all parts, in order.
fn first_hits(plan: &Plan, parts: &[Part<'_>], scan: &Scan) -> Result<Vec<Hit>, PageError> {
    let mut best: BinaryHeap<Hit> = BinaryHeap::new();
    let mut at = 0;
    while at < parts.len() {
        let enough = best.len() >= scan.limit;
        if enough && best.peek().is_none_or(|(worst, ..)| best_rank(&parts[at], scan.order) > *worst) {
            break;
        }
        // A round of as many parts as there are threads; then see whether that was enough.
        let round = &parts[at..(at + THREADS).min(parts.len())];
        for (offset, hits) in in_parallel(round, |part| part_hits(plan, *part, scan))?.into_iter().enumerate() {
            for Reverse((rank, row)) in hits {
                best.push((rank, at + offset, row));
                if best.len() > scan.limit {
                    best.pop();
                }
            }
        }
        at += round.len();
    }
    Ok(best.into_sorted_vec())
}

/// The first rows of one part, in no order.
fn part_hits(plan: &Plan, part: Part<'_>, scan: &Scan) -> Result<Vec<Reverse<(Rank, usize)>>, PageError> {
    let reader = PartReader::new(part);
    let mut best: BinaryHeap<(Rank, usize)> = BinaryHeap::new();
    plan.each_match(&reader, |page, found| {
        let (times, places) = (reader.integers(Column::Time, page)?, reader.integers(Column::Index, page)?);
        let first = reader.page_rows(page).start;
        for row in found.iter() {
            let rank = rank(times.slice()[row], places.slice()[row], scan.order);
            if best.len() < scan.limit {
                best.push((rank, first + row));
            } else if best.peek().is_some_and(|(worst, _)| rank < *worst) {
                best.pop();
                best.push((rank, first + row));
            }
        }
        Ok(())
    })?;
    Ok(best.into_iter().map(Reverse).collect())
}

/// The columns of the rows that are left, part by part and page by page.
fn fetch(parts: &[Part<'_>], hits: &[Hit], scan: &Scan) -> Result<Vec<FoundRow>, PageError> {
    let columns: Arc<[Column]> = scan.columns.clone().into();
    let mut places: Vec<usize> = (0..hits.len()).collect();
    places.sort_unstable_by_key(|place| (hits[*place].1, hits[*place].2));
    let mut rows: Vec<Option<FoundRow>> = vec![None; hits.len()];
    for group in places.chunk_by(|a, b| hits[*a].1 == hits[*b].1) {
        let reader = PartReader::new(parts[hits[group[0]].1]);
        for place in group {
            rows[*place] = Some(fetch_row(&reader, hits[*place].2, &columns, scan)?);
        }
    }
    Ok(rows.into_iter().flatten().collect())
}

fn fetch_row(reader: &PartReader<'_>, row: usize, columns: &Arc<[Column]>, scan: &Scan) -> Result<FoundRow, PageError> {
    let page = reader.page_of(row);
    let at = row - reader.page_rows(page).start;
    let values = columns.iter().map(|column| reader.value(*column, page, at)).collect::<Result<_, _>>()?;
    let payload = match scan.payload {
        Payload::Without => None,
        Payload::With => {
            let mut payload = Vec::new();
            reader.with_row(row, |row| rebuild(row, &mut payload))?;
            Some(payload)
        }
    };
    Ok(FoundRow {
        index: reader.integers(Column::Index, page)?.slice()[at] as u64,
        time: reader.integers(Column::Time, page)?.slice()[at],
        columns: Arc::clone(columns),
        values,
        payload,
    })
}

impl PartReader<'_> {
    /// The value of a row of a page.
    pub(crate) fn value(&self, column: Column, page: usize, at: usize) -> Result<Value, PageError> {
        Ok(match column.kind() {
            Kind::Integer | Kind::Time => match self.integers(column, page)?.slice()[at] {
                NO_INTEGER => Value::Absent,
                value => Value::Integer(value),
            },
            Kind::Uuid => match self.uuids(page)?.slice()[at] {
                NO_UUID => self.value(Column::AuditIdText, page, at)?,
                uuid => {
                    let mut text = Vec::with_capacity(36);
                    residual::put_uuid(&uuid, &mut text);
                    Value::text(&text)
                }
            },
            Kind::Text | Kind::Json | Kind::Binary => {
                self.texts(column, page)?.get(at).map_or(Value::Absent, Value::text)
            }
            Kind::Body | Kind::Blob => {
                let row = self.page_rows(page).start + at;
                self.bytes(column, row, |bytes| if bytes.is_empty() { Value::Absent } else { Value::text(bytes) })?
            }
        })
    }
}

/// Threads that work on one query.
const THREADS: usize = 2;

/// Runs `work` on every part, results in the order of the parts.
pub(crate) fn in_parallel<'a, T: Send>(
    parts: &[Part<'a>],
    work: impl Fn(&Part<'a>) -> Result<T, PageError> + Sync,
) -> Result<Vec<T>, PageError> {
    if parts.len() < 2 {
        return parts.iter().map(work).collect();
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(part) = parts.get(at) else { return done };
            done.push((at, work(part)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS.min(parts.len())).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
