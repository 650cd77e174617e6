//! A block: some rows, column by column, in memory. It stands alone, with dictionaries of its own.

use crate::column::{Column, Kind};
use crate::residual::{self, Comparison, Row};
use crate::values::{ABSENT, Dictionary, Interner, NO_INTEGER, NO_UUID, Strings, Values};

/// Rows in memory, in the order in which they were added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    rows: usize,
    columns: Vec<Values>,
}

/// Values of one row before it joins a block. Coded columns are interned as they come.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    codes: [u32; Column::COUNT],
    /// A bit for each coded column with a value.
    coded: u64,
    integers: [i64; INTEGERS],
    uuid: [u8; 16],
    bytes: [&'a [u8]; WIDE],
}

/// Columns of integers; they come first.
const INTEGERS: usize = Column::ResponseSize as usize + 1;
/// Columns that are held row by row as bytes.
const WIDE: usize = 3;

/// The place of a column that is held row by row among those.
fn wide(column: Column) -> usize {
    match column {
        Column::RequestObject => 0,
        Column::ResponseObject => 1,
        _ => 2,
    }
}

impl Default for Draft<'_> {
    fn default() -> Self {
        let codes = [ABSENT; Column::COUNT];
        Self { codes, coded: 0, integers: [NO_INTEGER; INTEGERS], uuid: NO_UUID, bytes: [&[]; WIDE] }
    }
}

impl<'a> Draft<'a> {
    pub(crate) fn set_integer(&mut self, column: Column, value: i64) {
        self.integers[column as usize] = value;
    }

    pub(crate) fn set_uuid(&mut self, value: [u8; 16]) {
        self.uuid = value;
    }

    pub(crate) fn set_bytes(&mut self, column: Column, value: &'a [u8]) {
        self.bytes[wide(column)] = value;
    }

    pub(crate) fn clear_text(&mut self, column: Column) {
        self.codes[column as usize] = ABSENT;
    }
}

/// A block that grows.
#[derive(Debug, Clone)]
pub(crate) struct BlockBuilder {
    rows: usize,
    columns: Vec<Growing>,
}

#[derive(Debug, Clone)]
enum Growing {
    Integers(Vec<i64>),
    Uuids(Vec<[u8; 16]>),
    /// Rows at the end that have no code yet have no value.
    Coded(Vec<u32>, Box<Interner>),
    Bytes(Strings),
}

impl Default for BlockBuilder {
    fn default() -> Self {
        let columns = Column::all().map(|column| match column.kind() {
            Kind::Integer | Kind::Time => Growing::Integers(Vec::new()),
            Kind::Uuid => Growing::Uuids(Vec::new()),
            Kind::Text | Kind::Json | Kind::Binary => Growing::Coded(Vec::new(), Box::default()),
            Kind::Body | Kind::Blob => Growing::Bytes(Strings::default()),
        });
        Self { rows: 0, columns: columns.collect() }
    }
}

impl BlockBuilder {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Interns `value` and notes it in the draft.
    pub(crate) fn set_text(&mut self, draft: &mut Draft<'_>, column: Column, value: &[u8]) {
        if let Growing::Coded(_, interner) = &mut self.columns[column as usize] {
            draft.codes[column as usize] = interner.intern(value);
            draft.coded |= 1 << column as usize;
        }
    }

    pub(crate) fn push(&mut self, draft: &Draft<'_>) {
        for (at, (name, column)) in Column::all().zip(&mut self.columns).enumerate() {
            match column {
                Growing::Integers(values) => values.push(draft.integers[at]),
                Growing::Uuids(values) => values.push(draft.uuid),
                Growing::Coded(codes, _) if draft.coded >> at & 1 != 0 => {
                    codes.resize(self.rows, ABSENT);
                    codes.push(draft.codes[at]);
                }
                Growing::Coded(..) => {}
                Growing::Bytes(strings) => strings.push(draft.bytes[wide(name)]),
            }
        }
        self.rows += 1;
    }

    /// Whether the draft's residual and values give `text`.
    pub(crate) fn gives(&self, draft: &Draft<'_>, text: &[u8]) -> bool {
        let row = DraftRow { builder: self, draft };
        let mut comparison = Comparison::with(text);
        residual::join(row.bytes(Column::Residual), &row, &mut comparison);
        comparison.is_equal()
    }

    pub(crate) fn finish(self) -> Block {
        let columns = self.columns.into_iter().map(|column| match column {
            Growing::Integers(values) => Values::Integers(values),
            Growing::Uuids(values) => Values::Uuids(values),
            Growing::Coded(mut codes, interner) => {
                codes.resize(self.rows, ABSENT);
                Values::Coded { codes, dictionary: interner.into_dictionary() }
            }
            Growing::Bytes(strings) => Values::Bytes(strings),
        });
        Block { rows: self.rows, columns: columns.collect() }
    }

    /// The rows so far, as a block of their own.
    pub(crate) fn copy(&self) -> Block {
        let columns = self.columns.iter().map(|column| match column {
            Growing::Integers(values) => Values::Integers(values.clone()),
            Growing::Uuids(values) => Values::Uuids(values.clone()),
            Growing::Coded(codes, interner) => {
                let mut codes = codes.clone();
                codes.resize(self.rows, ABSENT);
                Values::Coded { codes, dictionary: interner.dictionary().clone() }
            }
            Growing::Bytes(strings) => Values::Bytes(strings.clone()),
        });
        Block { rows: self.rows, columns: columns.collect() }
    }
}

struct DraftRow<'a> {
    builder: &'a BlockBuilder,
    draft: &'a Draft<'a>,
}

impl Row for DraftRow<'_> {
    fn integer(&self, column: Column) -> i64 {
        self.draft.integers.get(column as usize).copied().unwrap_or(NO_INTEGER)
    }

    fn uuid(&self) -> [u8; 16] {
        self.draft.uuid
    }

    fn bytes(&self, column: Column) -> &[u8] {
        match &self.builder.columns[column as usize] {
            Growing::Coded(_, interner) => {
                interner.dictionary().get(self.draft.codes[column as usize]).unwrap_or_default()
            }
            _ => self.draft.bytes[wide(column)],
        }
    }
}

impl Block {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn values(&self, column: Column) -> &Values {
        &self.columns[column as usize]
    }

    pub(crate) fn integers(&self, column: Column) -> &[i64] {
        match self.values(column) {
            Values::Integers(values) => values,
            _ => &[],
        }
    }

    /// Bytes of the entries as they arrived.
    pub(crate) fn entry_bytes(&self) -> usize {
        self.integers(Column::Size).iter().map(|size| usize::try_from(*size).unwrap_or(0)).sum()
    }

    /// Puts the rows of `blocks` one after the other, under common dictionaries.
    pub(crate) fn concat(blocks: &[&Block]) -> Block {
        let rows = blocks.iter().map(|block| block.rows).sum();
        let columns = Column::all().map(|column| concat_values(blocks.iter().map(|block| block.values(column)), rows));
        Block { rows, columns: columns.collect() }
    }

    /// From columns of equal length, in the order of [`Column::all`].
    pub(crate) fn from_columns(rows: usize, columns: Vec<Values>) -> Block {
        Block { rows, columns }
    }

    /// Some of its rows, in the given order.
    pub(crate) fn select(&self, rows: &[u32]) -> Block {
        let columns = self.columns.iter().map(|values| match values {
            Values::Integers(values) => Values::Integers(rows.iter().map(|row| values[*row as usize]).collect()),
            Values::Uuids(values) => Values::Uuids(rows.iter().map(|row| values[*row as usize]).collect()),
            Values::Coded { codes, dictionary } => {
                let mut interner = Interner::default();
                let value = |row: &u32| dictionary.get(codes[*row as usize]);
                let codes = rows.iter().map(|row| value(row).map_or(ABSENT, |value| interner.intern(value))).collect();
                Values::Coded { codes, dictionary: interner.into_dictionary() }
            }
            Values::Bytes(strings) => {
                let mut left = Strings::default();
                rows.iter().for_each(|row| left.push(strings.get(*row as usize)));
                Values::Bytes(left)
            }
        });
        Block { rows: rows.len(), columns: columns.collect() }
    }

    /// The first column in which two blocks of the same entries differ, whatever the order of their rows.
    pub(crate) fn difference(&self, other: &Block) -> Option<Column> {
        let (mine, theirs) = (self.rows_by_place(), other.rows_by_place());
        if mine.len() != theirs.len() {
            return Some(Column::Index);
        }
        let pairs = || mine.iter().copied().zip(theirs.iter().copied());
        Column::all().find(|column| !self.values(*column).are_equal(other.values(*column), pairs()))
    }

    fn rows_by_place(&self) -> Vec<usize> {
        let places = self.integers(Column::Index);
        let first = places.iter().copied().min().unwrap_or(0);
        // Mostly there is an entry at each place, so that a row's place says where it comes.
        let mut rows = vec![usize::MAX; self.rows];
        for (row, place) in places.iter().enumerate() {
            if let Some(slot) = rows.get_mut(place.wrapping_sub(first) as usize) {
                *slot = row;
            }
        }
        if rows.contains(&usize::MAX) {
            rows = (0..self.rows).collect();
            rows.sort_unstable_by_key(|row| places[*row]);
        }
        rows
    }

    pub(crate) fn row(&self, at: usize) -> BlockRow<'_> {
        BlockRow { block: self, at }
    }
}

/// One row of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockRow<'a> {
    block: &'a Block,
    at: usize,
}

impl Row for BlockRow<'_> {
    fn integer(&self, column: Column) -> i64 {
        match self.block.values(column) {
            Values::Integers(values) => values[self.at],
            _ => NO_INTEGER,
        }
    }

    fn uuid(&self) -> [u8; 16] {
        match self.block.values(Column::AuditId) {
            Values::Uuids(values) => values[self.at],
            _ => NO_UUID,
        }
    }

    fn bytes(&self, column: Column) -> &[u8] {
        match self.block.values(column) {
            Values::Coded { codes, dictionary } => dictionary.get(codes[self.at]).unwrap_or_default(),
            Values::Bytes(strings) => strings.get(self.at),
            _ => &[],
        }
    }
}

fn concat_values<'a>(parts: impl Iterator<Item = &'a Values> + Clone, rows: usize) -> Values {
    match parts.clone().next() {
        Some(Values::Integers(_)) => {
            let mut all = Vec::with_capacity(rows);
            parts.for_each(|part| {
                if let Values::Integers(values) = part {
                    all.extend_from_slice(values);
                }
            });
            Values::Integers(all)
        }
        Some(Values::Uuids(_)) => {
            let mut all = Vec::with_capacity(rows);
            parts.for_each(|part| {
                if let Values::Uuids(values) = part {
                    all.extend_from_slice(values);
                }
            });
            Values::Uuids(all)
        }
        Some(Values::Bytes(_)) => {
            let bytes =
                parts.clone().map(|part| if let Values::Bytes(strings) = part { strings.bytes() } else { 0 }).sum();
            let mut all = Strings::with_capacity(rows, bytes);
            parts.for_each(|part| {
                if let Values::Bytes(strings) = part {
                    strings.iter().for_each(|value| all.push(value));
                }
            });
            Values::Bytes(all)
        }
        _ => {
            let mut interner = Interner::default();
            let mut all = Vec::with_capacity(rows);
            for part in parts {
                let Values::Coded { codes, dictionary } = part else { continue };
                let mut new_codes = vec![ABSENT];
                new_codes.extend(dictionary.values().map(|value| interner.intern(value)));
                all.extend(codes.iter().map(|code| new_codes[*code as usize]));
            }
            Values::Coded { codes: all, dictionary: interner.into_dictionary() }
        }
    }
}

/// An empty dictionary column of `rows` rows; for columns that a file lacks.
pub(crate) fn absent(column: Column, rows: usize) -> Values {
    match column.kind() {
        Kind::Integer | Kind::Time => Values::Integers(vec![NO_INTEGER; rows]),
        Kind::Uuid => Values::Uuids(vec![NO_UUID; rows]),
        Kind::Text | Kind::Json | Kind::Binary => {
            Values::Coded { codes: vec![ABSENT; rows], dictionary: Dictionary::default() }
        }
        Kind::Body | Kind::Blob => {
            let mut strings = Strings::default();
            (0..rows).for_each(|_| strings.push(&[]));
            Values::Bytes(strings)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_room_for_every_column() {
        for column in Column::all() {
            assert_eq!(column.kind().is_integer(), (column as usize) < INTEGERS, "{}", column.name());
        }
        let wide_ones: Vec<usize> = Column::all().filter(|column| column.kind().is_bytes()).map(wide).collect();
        assert_eq!(wide_ones, (0..WIDE).collect::<Vec<_>>());
    }
}
