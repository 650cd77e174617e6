//! A part of a snapshot that a query works through alone: a row group of a segment, or a block of the head.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use crate::block::Block;
use crate::column::Column;
use crate::pages::{Codes, PAGE_ROWS, PageCodes, PageData, PageError, Use};
use crate::segment::RowGroup;
use crate::values::{ABSENT, Dictionary, NO_INTEGER, Strings, Values};
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
            Part::Sealed(group) => {
                let texts = PageTexts::Sealed(self.read(column, page)?, shared);
                match (texts.range().1 as usize) < texts.dictionary().len() {
                    true => Ok(texts),
                    false => Err(group.chunk(column).damaged_page(page)),
                }
            }
        }
    }

    /// A row's value in a column that is held row by row. Remembers the page it came from.
    pub(crate) fn bytes(&self, column: Column, row: usize) -> Result<Bytes<'a>, PageError> {
        match self.part {
            Part::Head(block) => Ok(match block.values(column) {
                Values::Bytes(strings) => Bytes::Head(strings.get(row)),
                _ => Bytes::Head(&[]),
            }),
            Part::Sealed(group) => {
                let chunk = group.chunk(column);
                let page = chunk.page_of(row);
                Ok(Bytes::Sealed(self.read(column, page)?, row - chunk.page_rows(page).start))
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

    /// Calls `each` with the values of a column that is held row by row and with the number of the first, page by page
    /// as far as they lie in `rows` and `wanted` says so of a page's number and rows.
    pub(crate) fn each_run(
        &self,
        column: Column,
        rows: Range<usize>,
        wanted: impl Fn(usize, Range<usize>) -> bool,
        mut each: impl FnMut(usize, &Strings),
    ) -> Result<(), PageError> {
        match self.part {
            Part::Head(block) => {
                if let Values::Bytes(strings) = block.values(column) {
                    each(0, strings);
                }
            }
            Part::Sealed(group) => {
                let chunk = group.chunk(column);
                let mut at = rows.start;
                while at < rows.end {
                    let page = chunk.page_of(at);
                    let of_page = chunk.page_rows(page);
                    at = of_page.end.max(at + 1);
                    if wanted(page, of_page.clone())
                        && let PageData::Bytes(strings) = &*self.read(column, page)?
                    {
                        each(of_page.start, strings);
                    }
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
        let Part::Sealed(group) = self.part else { return Ok(Arc::new(PageData::Uuids(Vec::new()))) };
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
}

/// Integers of a page.
pub(crate) enum Integers<'a> {
    Head(&'a [i64]),
    Sealed(Arc<PageData>),
}

impl Integers<'_> {
    /// The value of a row.
    pub(crate) fn get(&self, row: usize) -> i64 {
        match self {
            Self::Head(values) => values[row],
            Self::Sealed(data) => match &**data {
                PageData::Integers(values) => values.get(row),
                _ => NO_INTEGER,
            },
        }
    }

    /// No value of a row is lower or higher, but for those that are absent.
    pub(crate) fn range(&self) -> (i64, i64) {
        match self {
            Self::Head(_) => (i64::MIN, i64::MAX),
            Self::Sealed(data) => match &**data {
                PageData::Integers(values) => values.range(),
                _ => (i64::MIN, i64::MAX),
            },
        }
    }

    /// The values of some rows, each named once and in order.
    pub(crate) fn of(&self, rows: &[u32]) -> Cow<'_, [i64]> {
        if rows.len() == self.len() { self.all() } else { rows.iter().map(|row| self.get(*row as usize)).collect() }
    }

    fn len(&self) -> usize {
        match self {
            Self::Head(values) => values.len(),
            Self::Sealed(data) => match &**data {
                PageData::Integers(values) => values.len(),
                _ => 0,
            },
        }
    }

    /// The values of all rows.
    pub(crate) fn all(&self) -> Cow<'_, [i64]> {
        match self {
            Self::Head(values) => Cow::Borrowed(values),
            Self::Sealed(data) => match &**data {
                PageData::Integers(values) => Cow::Owned(values.all()),
                _ => Cow::Borrowed(&[]),
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

/// A value that is held row by row.
pub(crate) enum Bytes<'a> {
    Head(&'a [u8]),
    Sealed(Arc<PageData>, usize),
}

impl Bytes<'_> {
    pub(crate) fn slice(&self) -> &[u8] {
        match self {
            Self::Head(bytes) => bytes,
            Self::Sealed(data, at) => match &**data {
                PageData::Bytes(strings) => strings.get(*at),
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
        match self {
            Self::Head(codes, _) => codes[row],
            Self::Sealed(data, _) => data.codes().map_or(ABSENT, |codes| codes.get(row)),
        }
    }

    /// The codes of some rows, each named once and in order.
    pub(crate) fn of(&self, rows: &[u32]) -> Vec<u32> {
        let all = match self {
            Self::Head(codes, _) => codes.len(),
            Self::Sealed(data, _) => data.codes().map_or(0, Codes::len),
        };
        if rows.len() < all {
            return rows.iter().map(|row| self.code(*row as usize)).collect();
        }
        match self.codes() {
            PageCodes::Each(codes) => codes.into_owned(),
            PageCodes::Same(code) => vec![code; rows.len()],
        }
    }

    /// Codes of all rows.
    pub(crate) fn codes(&self) -> PageCodes<'_> {
        match self {
            Self::Head(codes, _) => PageCodes::Each(Cow::Borrowed(codes)),
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
