//! Queries that count: rows by the values of columns, with what each group adds up to.

use std::collections::HashMap;

use audit::Micros;
use query::Query;

use crate::column::Column;
use crate::interner::Interner;
use crate::plan::Plan;
use crate::row::Value;
use crate::scan::in_parallel;
use crate::snapshot::Snapshot;
use crate::store::StoreError;
use crate::tally::tally_part;
use crate::values::NO_INTEGER;

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
        let tallies = in_parallel(&parts, |part| tally_part(&plan, *part, by))?;
        let mut all = Tally::new(by);
        tallies.into_iter().for_each(|tally| all.merge(tally));
        Ok(all.finish())
    }
}

/// Keys of a group as numbers: of an interner for text, themselves for integers, [`NOTHING`] for what is absent.
pub(crate) type Numbered = [i64; KEYS_MAX];

/// The number that stands for "absent".
pub(crate) const NOTHING: i64 = NO_INTEGER;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) count: u64,
    pub(crate) sum: i64,
    pub(crate) first: Micros,
    pub(crate) last: Micros,
}

impl Sums {
    pub(crate) const NONE: Sums = Sums { count: 0, sum: 0, first: Micros::MAX, last: Micros::MIN };

    fn add(&mut self, other: &Sums) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Groups of some parts, by the values of their keys.
pub(crate) struct Tally {
    keys: Vec<Key>,
    pub(crate) interners: Vec<Interner>,
    places: hashbrown::HashMap<Numbered, u32>,
    groups: Vec<(Numbered, Sums)>,
    distinct: Option<Column>,
    pub(crate) distinct_interner: Interner,
    /// Group and value, each pair once.
    seen: hashbrown::HashSet<(u32, i64)>,
    pub(crate) other: u64,
}

impl Tally {
    pub(crate) fn new(by: &GroupBy) -> Self {
        let keys: Vec<Key> = by.keys.iter().copied().take(KEYS_MAX).collect();
        Self {
            interners: keys.iter().map(|_| Interner::default()).collect(),
            keys,
            places: hashbrown::HashMap::new(),
            groups: Vec::new(),
            distinct: by.distinct,
            distinct_interner: Interner::default(),
            seen: hashbrown::HashSet::new(),
            other: 0,
        }
    }

    /// Adds rows to the group with these keys; its place, or nothing if there are too many groups.
    pub(crate) fn add(&mut self, key: Numbered, sums: &Sums) -> Option<u32> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.groups.len() >= GROUPS_MAX => {
                self.other += sums.count;
                return None;
            }
            None => {
                let place = self.groups.len() as u32;
                self.places.insert(key, place);
                self.groups.push((key, Sums::NONE));
                place
            }
        };
        self.groups[place as usize].1.add(sums);
        Some(place)
    }

    /// Notes that the group at `place` has a value of the column whose distinct values are counted.
    pub(crate) fn note_distinct(&mut self, place: u32, value: i64) {
        self.seen.insert((place, value));
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
            places.push(self.add(mine, sums));
        }
        let Some(distinct) = self.distinct.map(Key::Column) else { return };
        let mut renumbered = HashMap::new();
        for (place, value) in other.seen {
            if let Some(place) = places[place as usize] {
                let value = *renumbered.entry(value).or_insert_with(|| {
                    renumber(distinct, value, &other.distinct_interner, &mut self.distinct_interner)
                });
                self.seen.insert((place, value));
            }
        }
    }

    fn finish(self) -> Groups {
        let mut distinct = vec![0; self.groups.len()];
        for (place, _) in &self.seen {
            distinct[*place as usize] += 1;
        }
        let value = |at: usize, number: i64| match (is_number(self.keys[at]), number) {
            (_, NOTHING) => Value::Absent,
            (true, number) => Value::Integer(number),
            (false, number) => Value::text(self.interners[at].dictionary().get(number as u32).unwrap_or_default()),
        };
        let groups = self.groups.iter().zip(distinct).map(|((key, sums), distinct)| Group {
            keys: (0..self.keys.len()).map(|at| value(at, key[at])).collect(),
            count: sums.count,
            distinct,
            sum: sums.sum,
            first: sums.first,
            last: sums.last,
        });
        let mut groups: Vec<Group> = groups.collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.keys.cmp(&b.keys)));
        Groups { groups, other: self.other }
    }
}

/// Whether the key's numbers are its values.
pub(crate) fn is_number(key: Key) -> bool {
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
