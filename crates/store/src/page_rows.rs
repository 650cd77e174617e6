//! Rows of one page put together again: of each only the columns that its residual names are read.

use crate::column::Column;
use crate::pages::PageError;
use crate::part::{Bytes, Integers, PageTexts, PartReader, Uuids};
use crate::residual::{self, Row};
use crate::values::{NO_INTEGER, NO_UUID};

/// The columns of a page as far as they are open.
pub(crate) struct PageRows<'p, 'a> {
    reader: &'p PartReader<'a>,
    page: usize,
    columns: [Open<'p, 'a>; Column::COUNT],
}

enum Open<'p, 'a> {
    Not,
    Integers(Integers<'a>),
    Uuids(Uuids<'a>),
    Texts(PageTexts<'p>),
    /// Of the row that was opened last.
    Bytes(Bytes<'a>),
}

impl<'p, 'a> PageRows<'p, 'a> {
    pub(crate) fn new(reader: &'p PartReader<'a>, page: usize) -> Self {
        Self { reader, page, columns: std::array::from_fn(|_| Open::Not) }
    }

    /// A row of the page, with `columns` and with what its entry is put together from.
    pub(crate) fn row(&mut self, at: usize, columns: &[Column]) -> Result<PageRow<'_>, PageError> {
        for column in columns {
            self.open(*column, at)?;
        }
        let residuals = self.reader.texts(Column::Residual, self.page)?;
        match residuals.get(at) {
            Some(residual) => residual::columns(residual).try_for_each(|column| self.open(column, at))?,
            None => self.open(Column::Raw, at)?,
        }
        self.columns[Column::Residual as usize] = Open::Texts(residuals);
        Ok(PageRow { columns: &self.columns, at })
    }

    fn open(&mut self, column: Column, at: usize) -> Result<(), PageError> {
        let kind = column.kind();
        let open = &mut self.columns[column as usize];
        if kind.is_bytes() {
            let row = self.reader.page_rows(self.page).start + at;
            *open = Open::Bytes(self.reader.bytes(column, row)?);
        } else if matches!(open, Open::Not) {
            *open = if kind.is_integer() {
                Open::Integers(self.reader.integers(column, self.page)?)
            } else if kind.is_coded() {
                Open::Texts(self.reader.texts(column, self.page)?)
            } else {
                Open::Uuids(self.reader.uuids(self.page)?)
            };
        }
        // The request's time is told by the event's time and the latency.
        if column == Column::LatencyUs { self.open(Column::Time, at) } else { Ok(()) }
    }
}

/// One row of a page.
pub(crate) struct PageRow<'r> {
    columns: &'r [Open<'r, 'r>; Column::COUNT],
    at: usize,
}

impl Row for PageRow<'_> {
    fn integer(&self, column: Column) -> i64 {
        match &self.columns[column as usize] {
            Open::Integers(values) => values.get(self.at),
            _ => NO_INTEGER,
        }
    }

    fn uuid(&self) -> [u8; 16] {
        match &self.columns[Column::AuditId as usize] {
            Open::Uuids(values) => values.slice()[self.at],
            _ => NO_UUID,
        }
    }

    fn bytes(&self, column: Column) -> &[u8] {
        match &self.columns[column as usize] {
            Open::Texts(texts) => texts.get(self.at).unwrap_or_default(),
            Open::Bytes(bytes) => bytes.slice(),
            _ => &[],
        }
    }
}
