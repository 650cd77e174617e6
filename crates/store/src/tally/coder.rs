//! Values of a part's rows as small numbers.

use audit::{Json, Micros};
use hashbrown::HashMap;

use crate::column::{Column, Kind};
use crate::group::{Key, NOTHING};
use crate::interner::Interner;
use crate::pages::PageError;
use crate::part::{Part, PartReader};
use crate::row::Value;
use crate::values::{ABSENT, NO_INTEGER};

/// Numbers of the values of one key within a part; zero is "absent".
pub(super) enum Coder {
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

/// Numbers of some rows of a page.
pub(super) enum Numbers<'p> {
    Each(Vec<u32>),
    /// The list of each row, and the numbers of each list.
    Lists(Vec<u32>, &'p [Box<[u32]>]),
}

impl Numbers<'_> {
    /// Calls `each` with the numbers of a row: one, or those of its list.
    pub(super) fn each(&self, row: usize, mut each: impl FnMut(u32)) {
        match self {
            Self::Each(numbers) => each(numbers[row]),
            Self::Lists(rows, lists) => lists[rows[row] as usize].iter().for_each(|number| each(*number)),
        }
    }
}

impl Coder {
    pub(super) fn new(reader: &PartReader<'_>, part: Part<'_>, key: Key) -> Self {
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
    pub(super) fn count(&self, reader: &PartReader<'_>, part: Part<'_>) -> Result<Option<usize>, PageError> {
        match self {
            Self::Dictionary(column) => Ok(Some(reader.dictionary(*column)?.len())),
            Self::Steps { step, first } => {
                let steps = part.times().1.div_euclid(*step).saturating_sub(*first);
                Ok(usize::try_from(steps).ok().and_then(|steps| steps.checked_add(2)))
            }
            _ => Ok(None),
        }
    }

    /// Numbers of some rows of a page.
    pub(super) fn page<'p>(
        &'p mut self,
        reader: &'p PartReader<'_>,
        page: usize,
        rows: &[u32],
    ) -> Result<Numbers<'p>, PageError> {
        match self {
            Self::Dictionary(column) => Ok(Numbers::Each(reader.texts(*column, page)?.of(rows))),
            Self::Steps { step, first } => {
                let times = reader.integers(Column::Time, page)?;
                let number = |time: &i64| time.div_euclid(*step).wrapping_sub(*first).wrapping_add(1) as u32;
                Ok(Numbers::Each(times.of(rows).iter().map(number).collect()))
            }
            Self::Integers { column, numbers, values } => {
                let integers = reader.integers(*column, page)?;
                Ok(Numbers::Each(number_integers(&integers.of(rows), numbers, values)))
            }
            Self::Texts { column, interner } => {
                let mut number = |row: &u32| match reader.value(*column, page, *row as usize)? {
                    Value::Text(text) => Ok(interner.intern(text.as_bytes())),
                    _ => Ok(ABSENT),
                };
                Ok(Numbers::Each(rows.iter().map(&mut number).collect::<Result<_, _>>()?))
            }
            Self::Lists { column, interner, lists, of_code } => {
                let texts = reader.texts(*column, page)?;
                let mut fresh = Vec::new();
                let known = if texts.is_shared() { of_code } else { &mut fresh };
                known.resize(texts.dictionary().len(), 0);
                let mut number = |code: u32| {
                    if code != ABSENT && known[code as usize] == 0 {
                        known[code as usize] = lists.len() as u32;
                        lists.push(numbers_of_list(texts.dictionary().get(code).unwrap_or_default(), interner));
                    }
                    known[code as usize]
                };
                let each = texts.of(rows).into_iter().map(&mut number).collect();
                Ok(Numbers::Lists(each, lists))
            }
        }
    }

    /// The number as tallies of several parts share it.
    pub(super) fn shared(&self, reader: &PartReader<'_>, number: u32, to: &mut Interner) -> Result<i64, PageError> {
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

fn number_integers(integers: &[i64], numbers: &mut HashMap<i64, u32>, values: &mut Vec<i64>) -> Vec<u32> {
    let mut last = (NO_INTEGER, ABSENT);
    let number = |value: &i64| {
        if *value != last.0 {
            let number = numbers.entry(*value).or_insert_with(|| {
                values.push(*value);
                values.len() as u32 - 1
            });
            last = (*value, *number);
        }
        last.1
    };
    integers.iter().map(number).collect()
}

/// Numbers of the texts in a JSON array, each once.
fn numbers_of_list(value: &[u8], interner: &mut Interner) -> Box<[u32]> {
    let texts = Json::whole(value).into_iter().flat_map(Json::elements).filter_map(Json::text);
    let mut numbers: Vec<u32> = texts.map(|text| interner.intern(text.as_bytes())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() { [ABSENT].into() } else { numbers.into() }
}
