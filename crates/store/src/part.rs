//! A part of a snapshot that a query works through alone: a row group of a segment, or a block of the head.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use crate::block::Block;
use crate::column::Column;
use crate::pages::{Codes, PAGE_ROWS, PageCodes, PageData, PageError, Use};
use crate::residual::Row;
use crate::segment::RowGroup;
use crate::values::{ABSENT, Dictionary, NO_INTEGER, NO_UUID, Strings, Values};
use crate::words::Tokens;

/// Where the rows are.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Sealed(&'a RowGroup),
    Head(&'a Block),
}

impl Part<'_> {
    /// Earliest and latest event time.
    pub(crate) fn times(&self) -> (i64, i64) {
        match self {
            Self::Sealed(group) => group.times(),
            Self::Head(block) => {
                let times = block.integers(Column::Time);
                (times.iter().copied().min().unwrap_or(i64::MAX), times.iter().copied().max().unwrap_or(i64::MIN))
            }
        }
    }
}

/// Reads a part page by page and remembers the page of each column that it read last.
pub(crate) struct PartReader<'a> {
    part: Part<'a>,
    dictionaries: [OnceCell<Arc<PageData>>; Column::COUNT],
    empty: Dictionary,
    open: [RefCell<Option<OpenPage>>; Column::COUNT],
}

/// A page with its number.
type OpenPage = (usize, Arc<PageData>);

impl<'a> PartReader<'a> {
    pub(crate) fn new(part: Part<'a>) -> Self {
        Self {
            part,
            dictionaries: std::array::from_fn(|_| OnceCell::new()),
            empty: Dictionary::default(),
            open: std::array::from_fn(|_| RefCell::new(None)),
        }
    }

    pub(crate) fn page_count(&self) -> usize {
        match self.part {
            Part::Sealed(group) => group.rows().div_ceil(PAGE_ROWS),
            Part::Head(_) => 1,
        }
    }

    /// Rows of a page, counted within the part.
    pub(crate) fn page_rows(&self, page: usize) -> Range<usize> {
        match self.part {
            Part::Sealed(group) => page * PAGE_ROWS..((page + 1) * PAGE_ROWS).min(group.rows()),
            Part::Head(block) => 0..block.rows(),
        }
    }

    /// The page of a row.
    pub(crate) fn page_of(&self, row: usize) -> usize {
        match self.part {
            Part::Sealed(_) => row / PAGE_ROWS,
            Part::Head(_) => 0,
        }
    }

    /// The dictionary that the part's pages share.
    pub(crate) fn dictionary(&self, column: Column) -> Result<&Dictionary, PageError> {
        match self.part {
            Part::Head(block) => Ok(match block.values(column) {
                Values::Coded { dictionary, .. } => dictionary,
                _ => &self.empty,
            }),
            Part::Sealed(group) => {
                let cell = &self.dictionaries[column as usize];
                if cell.get().is_none() {
                    let _ = cell.set(group.chunk(column).dictionary()?);
                }
                Ok(match cell.get().map(|data| &**data) {
                    Some(PageData::Dictionary(dictionary)) => dictionary,
                    _ => &self.empty,
                })
            }
        }
    }

    /// Integers of a page.
    pub(crate) fn integers(&self, column: Column, page: usize) -> Result<Integers<'a>, PageError> {
        match self.part {
            Part::Head(block) => Ok(Integers::Head(block.integers(column))),
            Part::Sealed(_) => self.read(column, page).map(Integers::Sealed),
        }
    }

    /// Audit ids of a page.
    pub(crate) fn uuids(&self, page: usize) -> Result<Uuids<'a>, PageError> {
        match self.part {
            Part::Head(block) => match block.values(Column::AuditId) {
                Values::Uuids(values) => Ok(Uuids::Head(values)),
                _ => Ok(Uuids::Head(&[])),
            },
            Part::Sealed(_) => self.read(Column::AuditId, page).map(Uuids::Sealed),
        }
    }

    /// Codes of a page and their dictionary.
    pub(crate) fn texts(&self, column: Column, page: usize) -> Result<PageTexts<'_>, PageError> {
        let shared = self.dictionary(column)?;
        match self.part {
            Part::Head(block) => match block.values(column) {
                Values::Coded { codes, .. } => Ok(PageTexts::Head(codes, shared)),
                _ => Ok(PageTexts::Head(&[], shared)),
            },
            Part::Sealed(_) => self.read(column, page).map(|data| PageTexts::Sealed(data, shared)),
        }
    }

    /// A row's value in a column that is held row by row. Remembers the page it came from.
    pub(crate) fn bytes<T>(&self, column: Column, row: usize, read: impl FnOnce(&[u8]) -> T) -> Result<T, PageError> {
        match self.part {
            Part::Head(block) => Ok(match block.values(column) {
                Values::Bytes(strings) => read(strings.get(row)),
                _ => read(&[]),
            }),
            Part::Sealed(group) => {
                let chunk = group.chunk(column);
                let page = chunk.page_of(row);
                Ok(match &*self.read(column, page)? {
                    PageData::Bytes(strings) => read(strings.get(row - chunk.page_rows(page).start)),
                    _ => read(&[]),
                })
            }
        }
    }

    /// For each of its own pages of a column with bodies, whether it may hold a text with these words; nothing if there
    /// is no index that knows.
    pub(crate) fn pages_with(&self, column: Column, tokens: &Tokens) -> Result<Option<Vec<bool>>, PageError> {
        let group = match self.part {
            Part::Sealed(group) if !tokens.is_empty() => group,
            _ => return Ok(None),
        };
        Ok(match &*group.chunk(column).words()? {
            PageData::Words(Some(index)) => Some(index.pages_with(tokens)),
            _ => None,
        })
    }

    /// Values of a column that is held row by row, a page of it at a time: the number of its first row, its values,
    /// and those of `wanted` that lie in it. Pages without a wanted row, or that `may_hold` rules out, are not read.
    pub(crate) fn each_run(
        &self,
        column: Column,
        wanted: &[usize],
        may_hold: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, &Strings, &[usize]),
    ) -> Result<(), PageError> {
        match self.part {
            Part::Head(block) => {
                if let Values::Bytes(strings) = block.values(column) {
                    each(0, strings, wanted);
                }
            }
            Part::Sealed(group) => {
                let chunk = group.chunk(column);
                let mut rest = wanted;
                while let Some(row) = rest.first() {
                    let page = chunk.page_of(*row);
                    let (here, later) = rest.split_at(rest.partition_point(|row| *row < chunk.page_rows(page).end));
                    if may_hold(page)
                        && let PageData::Bytes(strings) = &*self.read(column, page)?
                    {
                        each(chunk.page_rows(page).start, strings, here);
                    }
                    rest = later;
                }
            }
        }
        Ok(())
    }

    /// Whether every page uses the part's dictionary.
    pub(crate) fn is_coded_throughout(&self, column: Column) -> bool {
        match self.part {
            Part::Head(_) => true,
            Part::Sealed(group) => group.chunk(column).has_dictionary(),
        }
    }

    /// Whether an event with this audit id can be here.
    pub(crate) fn may_hold_audit_id(&self, uuid: &[u8; 16]) -> Result<bool, PageError> {
        match self.part {
            Part::Head(_) => Ok(true),
            Part::Sealed(group) => group.may_hold_audit_id(uuid),
        }
    }

    /// A page of a column in a file. Bodies are large and looked through once, so they do not drive others out of the
    /// cache.
    fn read(&self, column: Column, page: usize) -> Result<Arc<PageData>, PageError> {
        let Part::Sealed(group) = self.part else { return Ok(Arc::new(PageData::Integers(Vec::new()))) };
        let mut open = self.open[column as usize].borrow_mut();
        if let Some((known, data)) = &*open
            && *known == page
        {
            return Ok(Arc::clone(data));
        }
        let again = if column.kind().is_bytes() { Use::Once } else { Use::Again };
        let data = group.chunk(column).page(page, again)?;
        *open = Some((page, Arc::clone(&data)));
        Ok(data)
    }

    /// Calls `read` with one row's values, from which its entry can be put together.
    pub(crate) fn with_row<T>(&self, row: usize, read: impl FnOnce(&RowValues) -> T) -> Result<T, PageError> {
        let page = self.page_of(row);
        let at = row - self.page_rows(page).start;
        let mut values = RowValues::default();
        for column in Column::all() {
            let kind = column.kind();
            if kind.is_integer() {
                values.integers[column as usize] = self.integers(column, page)?.slice()[at];
            } else if kind.is_coded() {
                values.bytes[column as usize] = self.texts(column, page)?.get(at).unwrap_or_default().to_vec();
            } else if kind.is_bytes() {
                values.bytes[column as usize] = self.bytes(column, row, <[u8]>::to_vec)?;
            } else {
                values.uuid = self.uuids(page)?.slice()[at];
            }
        }
        Ok(read(&values))
    }
}

/// Integers of a page.
pub(crate) enum Integers<'a> {
    Head(&'a [i64]),
    Sealed(Arc<PageData>),
}

impl Integers<'_> {
    pub(crate) fn slice(&self) -> &[i64] {
        match self {
            Self::Head(values) => values,
            Self::Sealed(data) => match &**data {
                PageData::Integers(values) => values,
                _ => &[],
            },
        }
    }
}

/// UUIDs of a page.
pub(crate) enum Uuids<'a> {
    Head(&'a [[u8; 16]]),
    Sealed(Arc<PageData>),
}

impl Uuids<'_> {
    pub(crate) fn slice(&self) -> &[[u8; 16]] {
        match self {
            Self::Head(values) => values,
            Self::Sealed(data) => match &**data {
                PageData::Uuids(values) => values,
                _ => &[],
            },
        }
    }
}

/// Texts of a page.
pub(crate) enum PageTexts<'p> {
    Head(&'p [u32], &'p Dictionary),
    Sealed(Arc<PageData>, &'p Dictionary),
}

impl PageTexts<'_> {
    /// The code of a row.
    pub(crate) fn code(&self, row: usize) -> u32 {
        match self.codes() {
            PageCodes::Each(codes) => codes[row],
            PageCodes::Same(code) => code,
        }
    }

    /// Codes of the rows.
    pub(crate) fn codes(&self) -> PageCodes<'_> {
        match self {
            Self::Head(codes, _) => PageCodes::Each(codes),
            Self::Sealed(data, _) => data.codes().map_or(PageCodes::Same(ABSENT), Codes::view),
        }
    }

    /// No code of a row is lower or higher.
    pub(crate) fn range(&self) -> (u32, u32) {
        match self {
            Self::Head(_, dictionary) => (ABSENT, dictionary.len() as u32 - 1),
            Self::Sealed(data, _) => data.codes().map_or((ABSENT, ABSENT), Codes::range),
        }
    }

    pub(crate) fn dictionary(&self) -> &Dictionary {
        match self {
            Self::Head(_, dictionary) => dictionary,
            Self::Sealed(data, shared) => match &**data {
                PageData::Plain(_, own) => own,
                _ => shared,
            },
        }
    }

    /// Whether the codes are those of the part's dictionary.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self, Self::Sealed(data, _) if matches!(**data, PageData::Plain(..)))
    }

    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        self.dictionary().get(self.code(at))
    }
}

/// Values of one row.
pub(crate) struct RowValues {
    integers: [i64; Column::COUNT],
    uuid: [u8; 16],
    bytes: Vec<Vec<u8>>,
}

impl Default for RowValues {
    fn default() -> Self {
        Self { integers: [NO_INTEGER; Column::COUNT], uuid: NO_UUID, bytes: vec![Vec::new(); Column::COUNT] }
    }
}

impl Row for RowValues {
    fn integer(&self, column: Column) -> i64 {
        self.integers[column as usize]
    }

    fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    fn bytes(&self, column: Column) -> &[u8] {
        &self.bytes[column as usize]
    }
}
