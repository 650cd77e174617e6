//! Grouping the rows of one part: by small numbers, through an array where there are few combinations of them.

mod coder;
mod places;

use audit::Micros;

use self::coder::{Coder, Numbers};
use self::places::{Places, Seen};
use crate::column::Column;
use crate::group::{GroupBy, KEYS_MAX, Key, NOTHING, Numbered, Sums, Tally};
use crate::mask::Mask;
use crate::pages::PageError;
use crate::part::{Part, PartReader};
use crate::plan::Plan;

/// Groups the rows of `part` that match.
pub(crate) fn tally_part(plan: &Plan, part: Part<'_>, by: &GroupBy) -> Result<Tally, PageError> {
    let reader = PartReader::new(part);
    let mut rows = PartTally::new(&reader, part, by)?;
    plan.each_match(&reader, |page, matching| rows.add_page(page, matching))?;
    rows.finish(by)
}

/// Groups of one part.
struct PartTally<'r, 'a> {
    reader: &'r PartReader<'a>,
    coders: Vec<Coder>,
    distinct: Option<Coder>,
    sum: Option<Column>,
    places: Places,
    groups: Vec<Sums>,
    seen: Seen,
    other: u64,
}

impl<'r, 'a> PartTally<'r, 'a> {
    fn new(reader: &'r PartReader<'a>, part: Part<'a>, by: &GroupBy) -> Result<Self, PageError> {
        let coders: Vec<Coder> = by.keys.iter().take(KEYS_MAX).map(|key| Coder::new(reader, part, *key)).collect();
        let counts: Result<Vec<_>, _> = coders.iter().map(|coder| coder.count(reader, part)).collect();
        let distinct = by.distinct.map(|column| Coder::new(reader, part, Key::Column(column)));
        let values = distinct.as_ref().map(|coder| coder.count(reader, part)).transpose()?.flatten();
        Ok(Self {
            reader,
            coders,
            distinct,
            sum: by.sum,
            places: Places::new(&counts?),
            groups: Vec::new(),
            seen: Seen::new(values),
            other: 0,
        })
    }

    fn add_page(&mut self, page: usize, rows: &Mask) -> Result<(), PageError> {
        let Self { reader, coders, distinct, sum, places, groups, seen, other } = self;
        let mut rows: Vec<u32> = rows.iter().map(|row| row as u32).collect();
        let numbers: Result<Vec<Numbers<'_>>, _> =
            coders.iter_mut().map(|coder| coder.page(reader, page, &rows)).collect();
        let distinct = distinct.as_mut().map(|coder| coder.page(reader, page, &rows)).transpose()?;
        let times = reader.integers(Column::Time, page)?;
        let times = times.of(&rows);
        let sums = sum.map(|column| reader.integers(column, page)).transpose()?;
        let sums = sums.as_ref().map(|sums| sums.of(&rows));

        rows.iter_mut().zip(0..).for_each(|(row, at)| *row = at);
        let numbers = flatten(numbers?, &mut rows);
        let places = places.of(rows.len(), &numbers);
        groups.resize(self.places.keys.len(), Sums::NONE);
        for (row, place) in rows.iter().map(|row| *row as usize).zip(&places) {
            match groups.get_mut(*place as usize) {
                Some(group) => group.add_row(times[row], sums.as_ref().map_or(0, |sums| sums[row].max(0))),
                None => *other += 1,
            }
        }
        let Some(distinct) = &distinct else { return Ok(()) };
        for (row, place) in rows.iter().zip(places).filter(|(_, place)| (*place as usize) < groups.len()) {
            distinct.each(*row as usize, |value| seen.note(place, value));
        }
        Ok(())
    }

    /// The groups by the values of their keys.
    fn finish(self, by: &GroupBy) -> Result<Tally, PageError> {
        let mut tally = Tally::new(by);
        tally.other = self.other;
        let mut places = Vec::with_capacity(self.groups.len());
        for (key, sums) in self.places.keys.iter().zip(&self.groups) {
            let mut shared: Numbered = [NOTHING; KEYS_MAX];
            for (at, coder) in self.coders.iter().enumerate() {
                shared[at] = coder.shared(self.reader, key[at], &mut tally.interners[at])?;
            }
            places.push(tally.add(shared, sums));
        }
        let Some(distinct) = &self.distinct else { return Ok(tally) };
        for (place, value) in self.seen.pairs() {
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

/// The numbers of each key for each of `rows`; a row with lists becomes one row for every combination of their numbers.
fn flatten(keys: Vec<Numbers<'_>>, rows: &mut Vec<u32>) -> Vec<Vec<u32>> {
    let mut flat: Vec<Vec<u32>> = Vec::new();
    for key in keys {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut sources = Vec::new();
        match key {
            Numbers::Each(each) if flat.is_empty() => numbers = each,
            Numbers::Each(each) => numbers.extend(rows.iter().map(|row| each[*row as usize])),
            Numbers::Lists(..) => {
                for (at, row) in rows.iter().enumerate() {
                    key.each(*row as usize, |number| {
                        numbers.push(number);
                        sources.push(at);
                    });
                }
                *rows = sources.iter().map(|at| rows[*at]).collect();
                for earlier in &mut flat {
                    *earlier = sources.iter().map(|at| earlier[*at]).collect();
                }
            }
        }
        flat.push(numbers);
    }
    flat
}
