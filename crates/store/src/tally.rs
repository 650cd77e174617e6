//! Grouping the rows of one part: by small numbers, through an array where there are few combinations of them.

use audit::{Json, Micros};
use hashbrown::{HashMap, HashSet};

use crate::column::{Column, Kind};
use crate::group::{GROUPS_MAX, GroupBy, KEYS_MAX, Key, NOTHING, Numbered, Sums, Tally};
use crate::mask::Mask;
use crate::pages::PageError;
use crate::part::{PageTexts, Part, PartReader};
use crate::plan::Plan;
use crate::row::Value;
use crate::values::{ABSENT, Interner, NO_INTEGER};

/// Most combinations of keys for which there is an array; beyond it groups are found by hashing.
const ARRAY_MAX: usize = 1 << 16;

/// Groups the rows of `part` that match.
pub(crate) fn tally_part(plan: &Plan, part: Part<'_>, by: &GroupBy) -> Result<Tally, PageError> {
    let reader = PartReader::new(part);
    let mut rows = PartTally::new(&reader, part, by)?;
    plan.each_match(&reader, |page, matching| rows.add_page(page, matching))?;
    rows.finish(by)
}

/// Numbers of the values of one key within a part; zero is "absent".
enum Coder {
    /// Codes of the part's dictionary.
    Dictionary(Column),
    /// Steps from the first one, which is number one.
    Steps { step: Micros, first: i64 },
    /// Integers in the order in which they were found.
    Integers { column: Column, numbers: HashMap<i64, u32>, values: Vec<i64> },
    /// Texts in the order in which they were found.
    Texts { column: Column, interner: Interner },
    /// Lists of texts. `of_code` knows the lists of the part's dictionary that were met, by their place plus one.
    Lists { column: Column, interner: Interner, lists: Vec<Box<[u32]>>, of_code: Vec<u32> },
}

/// Numbers of a page's rows.
enum Numbers<'p> {
    Codes(PageTexts<'p>),
    Each(Vec<u32>),
    /// The list of each row, and the numbers of each list.
    Lists(Vec<u32>, &'p [Box<[u32]>]),
}

impl Numbers<'_> {
    /// The number of a row; of a list the first.
    fn first(&self, row: usize) -> u32 {
        match self {
            Self::Codes(texts) => texts.code(row),
            Self::Each(numbers) => numbers[row],
            Self::Lists(..) => self.list(row).first().copied().unwrap_or(ABSENT),
        }
    }

    /// The numbers of a row's list; empty for what is no list.
    fn list(&self, row: usize) -> &[u32] {
        match self {
            Self::Lists(rows, lists) => &lists[rows[row] as usize],
            _ => &[],
        }
    }
}

impl Coder {
    fn new(reader: &PartReader<'_>, part: Part<'_>, key: Key) -> Self {
        let column = match key {
            Key::TimeStep(step) => {
                let step = step.max(1);
                return Self::Steps { step, first: part.times().0.div_euclid(step) };
            }
            Key::Column(column) => column,
        };
        match column.kind() {
            Kind::Integer | Kind::Time => Self::Integers { column, numbers: HashMap::new(), values: vec![NO_INTEGER] },
            _ if is_list(column) => {
                let lists = vec![[ABSENT].into()];
                Self::Lists { column, interner: Interner::default(), lists, of_code: Vec::new() }
            }
            kind if kind.is_coded() && reader.is_coded_throughout(column) => Self::Dictionary(column),
            _ => Self::Texts { column, interner: Interner::default() },
        }
    }

    /// How many numbers there can be, if that is known.
    fn count(&self, reader: &PartReader<'_>, part: Part<'_>) -> Result<Option<usize>, PageError> {
        match self {
            Self::Dictionary(column) => Ok(Some(reader.dictionary(*column)?.len())),
            Self::Steps { step, first } => {
                let steps = part.times().1.div_euclid(*step).saturating_sub(*first);
                Ok(usize::try_from(steps).ok().and_then(|steps| steps.checked_add(2)))
            }
            _ => Ok(None),
        }
    }

    /// Numbers of the rows of a page; of those outside `rows` they may be anything.
    fn page<'p>(&'p mut self, reader: &'p PartReader<'_>, page: usize, rows: &Mask) -> Result<Numbers<'p>, PageError> {
        let length = reader.page_rows(page).len();
        match self {
            Self::Dictionary(column) => reader.texts(*column, page).map(Numbers::Codes),
            Self::Steps { step, first } => {
                let times = reader.integers(Column::Time, page)?;
                let number = |time: &i64| time.div_euclid(*step).wrapping_sub(*first).wrapping_add(1) as u32;
                Ok(Numbers::Each(times.slice().iter().map(number).collect()))
            }
            Self::Integers { column, numbers, values } => {
                let integers = reader.integers(*column, page)?;
                Ok(Numbers::Each(number_integers(integers.slice(), rows, numbers, values)))
            }
            Self::Texts { column, interner } => {
                let mut each = vec![ABSENT; length];
                for row in rows.iter() {
                    if let Value::Text(text) = reader.value(*column, page, row)? {
                        each[row] = interner.intern(text.as_bytes());
                    }
                }
                Ok(Numbers::Each(each))
            }
            Self::Lists { column, interner, lists, of_code } => {
                let texts = reader.texts(*column, page)?;
                let mut fresh = Vec::new();
                let known = if texts.is_shared() { of_code } else { &mut fresh };
                known.resize(texts.dictionary().len(), 0);
                let mut each = vec![0; length];
                for row in rows.iter() {
                    let code = texts.code(row) as usize;
                    if code != ABSENT as usize && known[code] == 0 {
                        known[code] = lists.len() as u32;
                        lists.push(numbers_of_list(texts.get(row).unwrap_or_default(), interner));
                    }
                    each[row] = known[code];
                }
                Ok(Numbers::Lists(each, lists))
            }
        }
    }

    /// The number as tallies of several parts share it.
    fn shared(&self, reader: &PartReader<'_>, number: u32, to: &mut Interner) -> Result<i64, PageError> {
        if number == ABSENT {
            return Ok(NOTHING);
        }
        let value = match self {
            Self::Steps { step, first } => return Ok((first + i64::from(number) - 1).saturating_mul(*step)),
            Self::Integers { values, .. } => return Ok(values[number as usize]),
            Self::Dictionary(column) => reader.dictionary(*column)?.get(number),
            Self::Texts { interner, .. } | Self::Lists { interner, .. } => interner.dictionary().get(number),
        };
        Ok(i64::from(to.intern(value.unwrap_or_default())))
    }
}

fn is_list(column: Column) -> bool {
    matches!(column, Column::Groups | Column::Ips | Column::ImpersonatedGroups)
}

fn number_integers(integers: &[i64], rows: &Mask, numbers: &mut HashMap<i64, u32>, values: &mut Vec<i64>) -> Vec<u32> {
    let mut each = vec![ABSENT; integers.len()];
    let mut last = (NO_INTEGER, ABSENT);
    for row in rows.iter() {
        let value = integers[row];
        if value != last.0 {
            let number = *numbers.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() as u32 - 1
            });
            last = (value, number);
        }
        each[row] = last.1;
    }
    each
}

/// Numbers of the texts in a JSON array, each once.
fn numbers_of_list(value: &[u8], interner: &mut Interner) -> Box<[u32]> {
    let texts = Json::whole(value).into_iter().flat_map(Json::elements).filter_map(Json::text);
    let mut numbers: Vec<u32> = texts.map(|text| interner.intern(text.as_bytes())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() { [ABSENT].into() } else { numbers.into() }
}

type PartKey = [u32; KEYS_MAX];

/// Where the group of a key is.
enum Places {
    /// By the key's numbers as digits of one number, each with its weight; zero is "nowhere", others one more than the place.
    Array(Vec<u32>, [usize; KEYS_MAX]),
    Hash(HashMap<PartKey, u32>),
}

impl Places {
    /// With an array if the keys have few combinations.
    fn new(counts: &[Option<usize>]) -> Self {
        let mut weights = [0; KEYS_MAX];
        let mut all = Some(1usize);
        for (weight, count) in weights.iter_mut().zip(counts) {
            *weight = all.unwrap_or(0);
            all = all.zip(*count).and_then(|(all, count)| all.checked_mul(count)).filter(|all| *all <= ARRAY_MAX);
        }
        all.map_or_else(|| Self::Hash(HashMap::new()), |all| Self::Array(vec![0; all], weights))
    }

    fn of(&mut self, key: PartKey, next: usize) -> usize {
        let slot = match self {
            Self::Array(places, weights) => {
                let at = key.iter().zip(weights).map(|(number, weight)| *number as usize * *weight).sum::<usize>();
                &mut places[at]
            }
            Self::Hash(places) => places.entry(key).or_insert(0),
        };
        if *slot == 0 {
            *slot = next as u32 + 1;
        }
        *slot as usize - 1
    }
}

/// Groups of one part.
struct PartTally<'r, 'a> {
    reader: &'r PartReader<'a>,
    coders: Vec<Coder>,
    distinct: Option<Coder>,
    sum: Option<Column>,
    places: Places,
    groups: Vec<(PartKey, Sums)>,
    seen: HashSet<(u32, u32)>,
    other: u64,
}

impl<'r, 'a> PartTally<'r, 'a> {
    fn new(reader: &'r PartReader<'a>, part: Part<'a>, by: &GroupBy) -> Result<Self, PageError> {
        let coders: Vec<Coder> = by.keys.iter().take(KEYS_MAX).map(|key| Coder::new(reader, part, *key)).collect();
        let counts: Result<Vec<_>, _> = coders.iter().map(|coder| coder.count(reader, part)).collect();
        Ok(Self {
            reader,
            coders,
            distinct: by.distinct.map(|column| Coder::new(reader, part, Key::Column(column))),
            sum: by.sum,
            places: Places::new(&counts?),
            groups: Vec::new(),
            seen: HashSet::new(),
            other: 0,
        })
    }

    fn add_page(&mut self, page: usize, rows: &Mask) -> Result<(), PageError> {
        let Self { reader, coders, distinct, sum, places, groups, seen, other } = self;
        let times = reader.integers(Column::Time, page)?;
        let sums = sum.map(|column| reader.integers(column, page)).transpose()?;
        let numbers: Result<Vec<Numbers<'_>>, _> =
            coders.iter_mut().map(|coder| coder.page(reader, page, rows)).collect();
        let numbers = numbers?;
        let distinct = distinct.as_mut().map(|coder| coder.page(reader, page, rows)).transpose()?;
        let mut noted = (u32::MAX, ABSENT);
        for row in rows.iter() {
            let (time, sum) = (times.slice()[row], sums.as_ref().map_or(0, |sums| sums.slice()[row].max(0)));
            each_key(&numbers, row, &mut |key| {
                let place = places.of(key, groups.len());
                if place >= groups.len() {
                    if place >= GROUPS_MAX {
                        *other += 1;
                        return;
                    }
                    groups.push((key, Sums::NONE));
                }
                groups[place].1.add_row(time, sum);
                let Some(distinct) = &distinct else { return };
                each_value(distinct, row, &mut |value| {
                    let pair = (place as u32, value);
                    if value != ABSENT && pair != noted {
                        seen.insert(pair);
                        noted = pair;
                    }
                });
            });
        }
        Ok(())
    }

    /// The groups by the values of their keys.
    fn finish(self, by: &GroupBy) -> Result<Tally, PageError> {
        let mut tally = Tally::new(by);
        tally.other = self.other;
        let mut places = Vec::with_capacity(self.groups.len());
        for (key, sums) in &self.groups {
            let mut shared: Numbered = [NOTHING; KEYS_MAX];
            for (at, coder) in self.coders.iter().enumerate() {
                shared[at] = coder.shared(self.reader, key[at], &mut tally.interners[at])?;
            }
            places.push(tally.add(shared, sums));
        }
        let Some(distinct) = &self.distinct else { return Ok(tally) };
        for (place, value) in self.seen {
            if let Some(place) = places[place as usize] {
                let value = distinct.shared(self.reader, value, &mut tally.distinct_interner)?;
                tally.note_distinct(place, value);
            }
        }
        Ok(tally)
    }
}

impl Sums {
    fn add_row(&mut self, time: Micros, sum: i64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(sum);
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// Calls `each` with every key of a row: several where a column holds lists.
fn each_key(numbers: &[Numbers<'_>], row: usize, each: &mut impl FnMut(PartKey)) {
    let mut key = [ABSENT; KEYS_MAX];
    for (number, numbers) in key.iter_mut().zip(numbers) {
        *number = numbers.first(row);
    }
    match numbers.iter().any(|numbers| numbers.list(row).len() > 1) {
        true => combine(numbers, row, 0, &mut key, each),
        false => each(key),
    }
}

fn combine(numbers: &[Numbers<'_>], row: usize, at: usize, key: &mut PartKey, each: &mut impl FnMut(PartKey)) {
    let Some(of_key) = numbers.get(at) else { return each(*key) };
    each_value(of_key, row, &mut |value| {
        key[at] = value;
        combine(numbers, row, at + 1, key, &mut *each);
    });
}

fn each_value(numbers: &Numbers<'_>, row: usize, each: &mut dyn FnMut(u32)) {
    match numbers {
        Numbers::Lists(..) => numbers.list(row).iter().for_each(|value| each(*value)),
        _ => each(numbers.first(row)),
    }
}
