//! Queries that hand out rows: filter, order, limit, and only then the columns of what is left.

use std::collections::BinaryHeap;
use std::sync::Arc;

use query::Query;

use crate::column::{Column, Kind};
use crate::page_rows::PageRows;
use crate::pages::PageError;
use crate::part::{Part, PartReader};
use crate::plan::Plan;
use crate::row::{FoundRow, Value};
use crate::snapshot::{Snapshot, rebuild};
use crate::spelling;
use crate::store::StoreError;
use crate::values::{ABSENT, NO_INTEGER, NO_UUID};

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
    /// Those of entries that are kept as they arrived, whose columns may not say all of the event.
    Uncut,
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
        self.find(query, scan.order, scan.limit)?.rows(&scan.columns, scan.payload)
    }

    /// Finds the first `limit` rows that match, in order.
    pub fn find(&self, query: &Query, order: Order, limit: usize) -> Result<Found<'_>, StoreError> {
        let plan = Plan::new(query);
        let mut parts = self.parts();
        parts.retain(|part| plan.may_match(part.times()));
        // The parts that can hold the first rows come first, so that the rest need not be read.
        parts.sort_by_key(|part| best_rank(part, order));
        let hits = first_hits(&plan, &parts, order, limit)?;
        Ok(Found { parts, hits })
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
                if let Some(at) = places.all().iter().position(|place| *place as u64 == index) {
                    let mut payload = Vec::new();
                    rebuild(&PageRows::new(&reader, page).row(at, &[])?, &mut payload);
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
fn first_hits(plan: &Plan, parts: &[Part<'_>], order: Order, limit: usize) -> Result<Vec<Hit>, PageError> {
    let mut best: BinaryHeap<Hit> = BinaryHeap::new();
    let mut at = 0;
    while at < parts.len() {
        let enough = best.len() >= limit;
        if enough && best.peek().is_none_or(|(worst, ..)| best_rank(&parts[at], order) > *worst) {
            break;
        }
        // A round of as many parts as there are threads; then see whether that was enough.
        let round = &parts[at..(at + THREADS).min(parts.len())];
        for (offset, hits) in in_parallel(round, |part| part_hits(plan, *part, order, limit))?.into_iter().enumerate() {
            for (rank, row) in hits {
                best.push((rank, at + offset, row));
                if best.len() > limit {
                    best.pop();
                }
            }
        }
        at += round.len();
    }
    Ok(best.into_sorted_vec())
}

/// The first rows of one part, in no order.
fn part_hits(plan: &Plan, part: Part<'_>, order: Order, limit: usize) -> Result<Vec<(Rank, usize)>, PageError> {
    let reader = PartReader::new(part);
    let mut best: BinaryHeap<(Rank, usize)> = BinaryHeap::new();
    plan.each_match(&reader, |page, found| {
        let (times, places) = (reader.integers(Column::Time, page)?, reader.integers(Column::Index, page)?);
        let first = reader.page_rows(page).start;
        for row in found.iter() {
            let rank = rank(times.get(row), places.get(row), order);
            if best.len() < limit {
                best.push((rank, first + row));
            } else if best.peek().is_some_and(|(worst, _)| rank < *worst) {
                best.pop();
                best.push((rank, first + row));
            }
        }
        Ok(())
    })?;
    Ok(best.into_vec())
}

/// Rows that a query found, of which only the places are known yet.
pub struct Found<'s> {
    parts: Vec<Part<'s>>,
    hits: Vec<Hit>,
}

impl Found<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Lets rows at the end go, so that the entries of the others have `bytes` at most in all. The first row stays.
    pub fn keep_bytes(&mut self, bytes: u64) -> Result<(), StoreError> {
        let size = |(): &mut (), reader: &PartReader<'_>, page, at| Ok(reader.integers(Column::Size, page)?.get(at));
        let sizes = self.read(size)?;
        let mut all = 0u64;
        let fitting = sizes.into_iter().enumerate().take_while(|(place, size)| {
            all = all.saturating_add(u64::try_from(*size).unwrap_or(0));
            *place == 0 || all <= bytes
        });
        let fitting = fitting.count();
        self.hits.truncate(fitting);
        Ok(())
    }

    /// The rows, in order.
    pub fn rows(&self, columns: &[Column], payload: Payload) -> Result<Vec<FoundRow>, StoreError> {
        let columns: Arc<[Column]> = columns.into();
        Ok(self.read(|last, reader, page, at| fetch_row(last, reader, page, at, &columns, payload))?)
    }

    /// What `read` gives for the page and place of each row, in order; read part by part and page by page. It may
    /// remember something between rows of a part.
    fn read<S: Default, T: Send>(
        &self,
        read: impl Fn(&mut S, &PartReader<'_>, usize, usize) -> Result<T, PageError> + Sync,
    ) -> Result<Vec<T>, PageError> {
        let mut places: Vec<usize> = (0..self.hits.len()).collect();
        places.sort_unstable_by_key(|place| (self.hits[*place].1, self.hits[*place].2));
        let runs: Vec<&[usize]> = places.chunk_by(|a, b| self.hits[*a].1 == self.hits[*b].1).collect();
        let of_run = |run: &&[usize]| {
            let reader = PartReader::new(self.parts[self.hits[run[0]].1]);
            let mut state = S::default();
            let one = |place: &usize| {
                let row = self.hits[*place].2;
                let page = reader.page_of(row);
                Ok((*place, read(&mut state, &reader, page, row - reader.page_rows(page).start)?))
            };
            run.iter().map(one).collect::<Result<Vec<_>, PageError>>()
        };
        let mut values: Vec<(usize, T)> = in_parallel(&runs, of_run)?.into_iter().flatten().collect();
        values.sort_unstable_by_key(|(place, _)| *place);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}

/// For each column, the code and the value of the row before; neighbours often agree.
type Last = Vec<(u32, Value)>;

fn fetch_row(
    last: &mut Last,
    reader: &PartReader<'_>,
    page: usize,
    at: usize,
    columns: &Arc<[Column]>,
    payload: Payload,
) -> Result<FoundRow, PageError> {
    last.resize(columns.len(), (ABSENT, Value::Absent));
    let values = columns.iter().zip(last).map(|(column, last)| {
        if !column.kind().is_coded() {
            return reader.value(*column, page, at);
        }
        let texts = reader.texts(*column, page)?;
        let value = || texts.get(at).map_or(Value::Absent, Value::text);
        if !texts.is_shared() {
            return Ok(value());
        }
        let code = texts.code(at);
        if code != last.0 {
            *last = (code, value());
        }
        Ok(last.1.clone())
    });
    let values = values.collect::<Result<_, _>>()?;
    let is_cut = reader.texts(Column::Residual, page)?.code(at) != ABSENT;
    let wanted = payload == Payload::With || payload == Payload::Uncut && !is_cut;
    let payload = wanted.then(|| {
        let mut payload = Vec::new();
        rebuild(&PageRows::new(reader, page).row(at, &[])?, &mut payload);
        Ok(payload)
    });
    Ok(FoundRow {
        index: reader.integers(Column::Index, page)?.get(at) as u64,
        time: reader.integers(Column::Time, page)?.get(at),
        columns: Arc::clone(columns),
        values,
        is_cut,
        payload: payload.transpose()?,
    })
}

impl PartReader<'_> {
    /// The value of a row of a page.
    pub(crate) fn value(&self, column: Column, page: usize, at: usize) -> Result<Value, PageError> {
        Ok(match column.kind() {
            Kind::Integer | Kind::Time => match self.integers(column, page)?.get(at) {
                NO_INTEGER => Value::Absent,
                value => Value::Integer(value),
            },
            Kind::Uuid => match self.uuids(page)?.slice()[at] {
                NO_UUID => self.value(Column::AuditIdText, page, at)?,
                uuid => {
                    let mut text = Vec::with_capacity(36);
                    spelling::put_uuid(&uuid, &mut text);
                    Value::text(&text)
                }
            },
            Kind::Text | Kind::Json | Kind::Binary => {
                self.texts(column, page)?.get(at).map_or(Value::Absent, Value::text)
            }
            Kind::Body | Kind::Blob => {
                let row = self.page_rows(page).start + at;
                match self.bytes(column, row)?.slice() {
                    [] => Value::Absent,
                    bytes => Value::text(bytes),
                }
            }
        })
    }
}

/// Threads that work on one query.
const THREADS: usize = 2;

/// Runs `work` on every part, results in the order of the parts.
pub(crate) fn in_parallel<P: Sync, T: Send>(
    parts: &[P],
    work: impl Fn(&P) -> Result<T, PageError> + Sync,
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
