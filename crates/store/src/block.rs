//! A block: some rows, column by column, in memory. It stands alone, with dictionaries of its own.

use crate::column::{Column, Kind};
use crate::interner::Interner;
use crate::residual::Row;
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Strings, Values};

/// Rows in memory, in the order in which they were added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    rows: usize,
    columns: Vec<Values>,
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

    /// Without rows.
    pub(crate) fn empty() -> Block {
        Block { rows: 0, columns: Column::all().map(|column| absent(column, 0)).collect() }
    }

    /// Its columns, in the order of [`Column::all`].
    pub(crate) fn into_columns(self) -> Vec<Values> {
        self.columns
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

/// Values of some blocks one after the other, `rows` together. Bytes are left out.
pub(crate) fn concat_values<'a>(column: Column, parts: impl Iterator<Item = &'a Values>, rows: usize) -> Values {
    match column.kind() {
        Kind::Integer | Kind::Time => {
            let mut all = Vec::with_capacity(rows);
            parts.for_each(|part| {
                if let Values::Integers(values) = part {
                    all.extend_from_slice(values);
                }
            });
            Values::Integers(all)
        }
        Kind::Uuid => {
            let mut all = Vec::with_capacity(rows);
            parts.for_each(|part| {
                if let Values::Uuids(values) = part {
                    all.extend_from_slice(values);
                }
            });
            Values::Uuids(all)
        }
        Kind::Body | Kind::Blob => Values::Bytes(Strings::default()),
        Kind::Text | Kind::Json | Kind::Binary => {
            let mut interner = Interner::default();
            let mut all = Vec::with_capacity(rows);
            for part in parts {
                let Values::Coded { codes, dictionary } = part else { continue };
                if dictionary.len() == 1 {
                    all.resize(all.len() + codes.len(), ABSENT);
                    continue;
                }
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
