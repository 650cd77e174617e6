//! Queries that count: rows by the values of columns, with what each group adds up to.

use std::collections::HashMap;

use audit::{Json, Micros};
use query::Query;

use crate::column::{Column, Kind};
use crate::mask::Mask;
use crate::pages::PageError;
use crate::part::{Part, PartReader};
use crate::plan::Plan;
use crate::row::Value;
use crate::scan::in_parallel;
use crate::snapshot::Snapshot;
use crate::store::StoreError;
use crate::values::{ABSENT, Interner, NO_INTEGER};

/// Most columns that rows are grouped by at once.
pub const KEYS_MAX: usize = 4;
/// Most groups that one query makes; rows of further groups are counted together in [`Groups::other`].
pub const GROUPS_MAX: usize = 1 << 20;

/// What rows are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The value of a column. Lists count once for each of their texts.
    Column(Column),
    /// The start of the step of event time that the row falls into; the step is in microseconds, from 1970.
    TimeStep(Micros),
}

/// How rows are grouped and what is added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupBy {
    /// At most [`KEYS_MAX`]; further ones are ignored.
    pub keys: Vec<Key>,
    /// A column whose distinct values are counted.
    pub distinct: Option<Column>,
    /// A column of integers that is summed up.
    pub sum: Option<Column>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Values of the keys.
    pub keys: Vec<Value>,
    /// Rows.
    pub count: u64,
    /// Distinct values of the column that was asked for.
    pub distinct: u64,
    /// Sum of the column that was asked for.
    pub sum: i64,
    /// Earliest event time.
    pub first: Micros,
    /// Latest event time.
    pub last: Micros,
}

/// The answer, largest groups first; of equal size in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    /// The groups.
    pub groups: Vec<Group>,
    /// Rows of groups that were too many.
    pub other: u64,
}

impl Snapshot {
    /// Rows that match, grouped.
    pub fn group_by(&self, query: &Query, by: &GroupBy) -> Result<Groups, StoreError> {
        let plan = Plan::new(query);
        let mut parts = self.parts();
        parts.retain(|part| plan.may_match(part.times()));
        // One tally a thread: as many slices of parts as there are threads would be uneven, so tallies are merged.
        let tallies = in_parallel(&parts, |part| tally_part(&plan, *part, by))?;
        let mut all = Tally::new(by);
        tallies.into_iter().for_each(|tally| all.merge(tally));
        Ok(all.finish())
    }
}

fn tally_part(plan: &Plan, part: Part<'_>, by: &GroupBy) -> Result<Tally, PageError> {
    let reader = PartReader::new(part);
    let asking = plan.ask(&reader);
    let mut tally = Tally::new(by);
    let mut codings: Vec<Coding> = by.keys.iter().take(KEYS_MAX).map(|key| Coding::new(*key)).collect();
    let mut distinct = by.distinct.map(|column| Coding::new(Key::Column(column)));
    for page in 0..reader.page_count() {
        let rows = asking.matches(page)?;
        if rows.is_empty() {
            continue;
        }
        tally.add_page(&reader, page, &rows, by, &mut codings, distinct.as_mut())?;
    }
    Ok(tally)
}

/// Values of one key as numbers: of an interner for text, themselves for integers.
struct Coding {
    key: Key,
    interner_of_shared: Vec<Vec<i64>>,
}

/// Numbers of one page's rows: one for each row, or several where the column holds lists.
enum Numbers {
    Plain(Vec<i64>),
    Coded { codes: Vec<u32>, numbers: Vec<Vec<i64>> },
}

impl Numbers {
    fn of(&self, row: usize) -> &[i64] {
        match self {
            Self::Plain(values) => std::slice::from_ref(&values[row]),
            Self::Coded { codes, numbers } => &numbers[codes[row] as usize],
        }
    }
}

/// The number that stands for "absent".
const NOTHING: i64 = NO_INTEGER;

impl Coding {
    fn new(key: Key) -> Self {
        Self { key, interner_of_shared: Vec::new() }
    }

    fn numbers(
        &mut self,
        reader: &PartReader<'_>,
        page: usize,
        rows: &Mask,
        interner: &mut Interner,
    ) -> Result<Numbers, PageError> {
        let column = match self.key {
            Key::Column(column) => column,
            Key::TimeStep(step) => {
                let step = step.max(1);
                let times = reader.integers(Column::Time, page)?;
                return Ok(Numbers::Plain(times.slice().iter().map(|time| time.div_euclid(step) * step).collect()));
            }
        };
        match column.kind() {
            Kind::Integer | Kind::Time => Ok(Numbers::Plain(reader.integers(column, page)?.slice().to_vec())),
            Kind::Text | Kind::Json | Kind::Binary => self.coded(reader, column, page, rows, interner),
            Kind::Uuid | Kind::Body | Kind::Blob => {
                let mut values = vec![NOTHING; reader.page_rows(page).len()];
                for row in rows.iter() {
                    if let Value::Text(text) = reader.value(column, page, row)? {
                        values[row] = i64::from(interner.intern(text.as_bytes()));
                    }
                }
                Ok(Numbers::Plain(values))
            }
        }
    }

    fn coded(
        &mut self,
        reader: &PartReader<'_>,
        column: Column,
        page: usize,
        rows: &Mask,
        interner: &mut Interner,
    ) -> Result<Numbers, PageError> {
        let texts = reader.texts(column, page)?;
        let codes = texts.codes();
        let mut fresh = Vec::new();
        let numbers = if texts.is_shared() { &mut self.interner_of_shared } else { &mut fresh };
        numbers.resize(texts.dictionary().len(), Vec::new());
        numbers[ABSENT as usize] = vec![NOTHING];
        // Only values that occur are looked at.
        for row in rows.iter() {
            let code = codes[row];
            if numbers[code as usize].is_empty() {
                let value = texts.dictionary().get(code).unwrap_or_default();
                numbers[code as usize] = intern_values(column, value, interner);
            }
        }
        Ok(Numbers::Coded { codes: codes.to_vec(), numbers: numbers.clone() })
    }
}

fn intern_values(column: Column, value: &[u8], interner: &mut Interner) -> Vec<i64> {
    let is_list = matches!(column, Column::Groups | Column::Ips | Column::ImpersonatedGroups);
    if !is_list {
        return vec![i64::from(interner.intern(value))];
    }
    let texts = Json::whole(value).into_iter().flat_map(Json::elements).filter_map(Json::text);
    let mut numbers: Vec<i64> = texts.map(|text| i64::from(interner.intern(text.as_bytes()))).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() { vec![NOTHING] } else { numbers }
}

type Numbered = [i64; KEYS_MAX];

#[derive(Debug, Clone, Copy)]
struct Sums {
    count: u64,
    distinct: u64,
    sum: i64,
    first: Micros,
    last: Micros,
}

impl Sums {
    const NONE: Sums = Sums { count: 0, distinct: 0, sum: 0, first: Micros::MAX, last: Micros::MIN };
}

/// Groups of some parts.
struct Tally {
    keys: Vec<Key>,
    interners: Vec<Interner>,
    places: hashbrown::HashMap<Numbered, u32>,
    groups: Vec<(Numbered, Sums)>,
    distinct_column: Option<Column>,
    distinct_interner: Interner,
    seen: hashbrown::HashSet<(u32, i64)>,
    other: u64,
}

impl Tally {
    fn new(by: &GroupBy) -> Self {
        let keys: Vec<Key> = by.keys.iter().copied().take(KEYS_MAX).collect();
        Self {
            interners: keys.iter().map(|_| Interner::default()).collect(),
            keys,
            places: hashbrown::HashMap::new(),
            groups: Vec::new(),
            distinct_column: by.distinct,
            distinct_interner: Interner::default(),
            seen: hashbrown::HashSet::new(),
            other: 0,
        }
    }

    fn add_page(
        &mut self,
        reader: &PartReader<'_>,
        page: usize,
        rows: &Mask,
        by: &GroupBy,
        codings: &mut [Coding],
        distinct: Option<&mut Coding>,
    ) -> Result<(), PageError> {
        let times = reader.integers(Column::Time, page)?;
        let sums = by.sum.map(|column| reader.integers(column, page)).transpose()?;
        let mut numbers = Vec::with_capacity(codings.len());
        for (coding, interner) in codings.iter_mut().zip(&mut self.interners) {
            numbers.push(coding.numbers(reader, page, rows, interner)?);
        }
        let distinct = match distinct {
            Some(coding) => Some(coding.numbers(reader, page, rows, &mut self.distinct_interner)?),
            None => None,
        };
        let mut last: Option<(Numbered, u32)> = None;
        for row in rows.iter() {
            let time = times.slice()[row];
            let sum = sums.as_ref().map_or(0, |values| values.slice()[row]).max(0);
            each_combination(&numbers, row, &mut |key| {
                let place = match last {
                    Some((known, place)) if known == key => Some(place),
                    _ => self.place(key),
                };
                let Some(place) = place else {
                    self.other += 1;
                    return;
                };
                last = Some((key, place));
                let group = &mut self.groups[place as usize].1;
                group.count += 1;
                group.sum = group.sum.saturating_add(sum);
                group.first = group.first.min(time);
                group.last = group.last.max(time);
                let values = distinct.as_ref().map_or(&[][..], |numbers| numbers.of(row));
                for value in values.iter().filter(|value| **value != NOTHING) {
                    self.seen.insert((place, *value));
                }
            });
        }
        Ok(())
    }

    fn place(&mut self, key: Numbered) -> Option<u32> {
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        if self.groups.len() >= GROUPS_MAX {
            return None;
        }
        let place = self.groups.len() as u32;
        self.places.insert(key, place);
        self.groups.push((key, Sums::NONE));
        Some(place)
    }

    fn merge(&mut self, other: Tally) {
        self.other += other.other;
        let mut renumbered: Vec<HashMap<i64, i64>> = vec![HashMap::new(); self.keys.len()];
        let mut places = Vec::with_capacity(other.groups.len());
        for (key, sums) in &other.groups {
            let mut mine = [NOTHING; KEYS_MAX];
            for at in 0..self.keys.len() {
                let interner = &mut self.interners[at];
                mine[at] = *renumbered[at]
                    .entry(key[at])
                    .or_insert_with(|| renumber(self.keys[at], key[at], &other.interners[at], interner));
            }
            let place = self.place(mine);
            places.push(place);
            match place {
                Some(place) => self.groups[place as usize].1.add(sums),
                None => self.other += sums.count,
            }
        }
        let key = other.distinct_column.map(Key::Column);
        for (place, value) in other.seen {
            if let (Some(key), Some(place)) = (key, places[place as usize]) {
                let value = renumber(key, value, &other.distinct_interner, &mut self.distinct_interner);
                self.seen.insert((place, value));
            }
        }
    }

    fn finish(mut self) -> Groups {
        for (place, _) in &self.seen {
            self.groups[*place as usize].1.distinct += 1;
        }
        let value = |at: usize, number: i64| match (is_number(self.keys[at]), number) {
            (_, NOTHING) => Value::Absent,
            (true, number) => Value::Integer(number),
            (false, number) => Value::text(self.interners[at].dictionary().get(number as u32).unwrap_or_default()),
        };
        let mut groups: Vec<Group> = self
            .groups
            .iter()
            .map(|(key, sums)| Group {
                keys: (0..self.keys.len()).map(|at| value(at, key[at])).collect(),
                count: sums.count,
                distinct: sums.distinct,
                sum: sums.sum,
                first: sums.first,
                last: sums.last,
            })
            .collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.keys.cmp(&b.keys)));
        Groups { groups, other: self.other }
    }
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Calls `each` with every combination of the row's values.
fn each_combination(numbers: &[Numbers], row: usize, each: &mut impl FnMut(Numbered)) {
    let mut key = [NOTHING; KEYS_MAX];
    combine(numbers, row, 0, &mut key, each);
}

fn combine(numbers: &[Numbers], row: usize, at: usize, key: &mut Numbered, each: &mut impl FnMut(Numbered)) {
    let Some(first) = numbers.get(at) else { return each(*key) };
    for value in first.of(row) {
        key[at] = *value;
        combine(numbers, row, at + 1, key, each);
    }
}

fn is_number(key: Key) -> bool {
    match key {
        Key::TimeStep(_) => true,
        Key::Column(column) => column.kind().is_integer(),
    }
}

fn renumber(key: Key, number: i64, from: &Interner, to: &mut Interner) -> i64 {
    if is_number(key) || number == NOTHING {
        return number;
    }
    i64::from(to.intern(from.dictionary().get(number as u32).unwrap_or_default()))
}
