//! Tables for people.

use std::io::Write;

use audit::Json;

use super::cell::{Cell, Style, fitted, visible, width};
use super::{Column, Printer, Zone};

/// Rows from which the widths of the columns are taken; later rows that are wider push their line out.
const ROWS_MEASURED: usize = 1000;
/// Narrowest that a column is made to fit the terminal.
const WIDTH_MIN: usize = 10;
/// Blanks between columns.
const GAP: &str = "  ";

/// Collects rows until it knows how wide columns are, then writes.
pub(super) struct Table<'o> {
    columns: Vec<Column>,
    zone: Zone,
    limit: Option<usize>,
    waiting: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
    out: &'o mut dyn Write,
}

/// Columns of the terminal on standard output; `None` if it is none.
pub(super) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

impl<'o> Table<'o> {
    /// A table that is cut to `limit` columns of the terminal.
    pub(super) fn new(columns: Vec<Column>, zone: Zone, limit: Option<usize>, out: &'o mut dyn Write) -> Self {
        Self { columns, zone, limit, waiting: Vec::new(), widths: None, out }
    }

    fn write_waiting(&mut self) -> std::io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if self.widths.is_none() && !rows.is_empty() {
            let widths = self.measure(&rows);
            let titles: Vec<Cell> =
                self.columns.iter().map(|column| Cell::new(column.title.to_uppercase(), Style::Bold)).collect();
            self.write_row(&titles, &widths)?;
            self.widths = Some(widths);
        }
        let widths = self.widths.clone().unwrap_or_default();
        rows.iter().try_for_each(|row| self.write_row(row, &widths))
    }

    fn measure(&self, rows: &[Vec<Cell>]) -> Vec<usize> {
        let widest = |i: usize, column: &Column| {
            rows.iter().map(|row| width(&row[i].text)).max().unwrap_or(0).max(width(&column.title))
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(|(i, column)| widest(i, column)).collect();
        if let Some(limit) = self.limit {
            shrink(&mut widths, limit);
        }
        widths
    }

    fn write_row(&mut self, row: &[Cell], widths: &[usize]) -> std::io::Result<()> {
        let last = row.len().saturating_sub(1);
        for (i, cell) in row.iter().enumerate() {
            let limit = if self.limit.is_some() { widths[i] } else { usize::MAX };
            let text = fitted(&cell.text, limit);
            let blanks = if i == last { 0 } else { widths[i].saturating_sub(width(&text)) };
            let style = cell.style.ansi();
            let gap = if i == last { "" } else { GAP };
            write!(self.out, "{style}{text}{style:#}{:blanks$}{gap}", "")?;
        }
        writeln!(self.out)
    }
}

/// Takes from the widest columns until all fit into `limit`.
fn shrink(widths: &mut [usize], limit: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
    while over > 0 {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > WIDTH_MIN) else { return };
        *widest -= 1;
        over -= 1;
    }
}

impl Printer for Table<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let record = Json::whole(record)?;
        let cells = self.columns.iter().map(|column| {
            let cell = column.cell(record, &self.zone);
            Cell::new(visible(&cell.text), cell.style)
        });
        self.waiting.push(cells.collect());
        if self.waiting.len() >= ROWS_MEASURED || self.widths.is_some() {
            self.write_waiting()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.write_waiting()?;
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.write_waiting()?;
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_give() {
        let mut widths = [4, 40, 20];
        shrink(&mut widths, 48);
        assert_eq!(widths, [4, 20, 20]);
        shrink(&mut widths, 1);
        assert_eq!(widths, [4, 10, 10]);
    }

    #[test]
    fn cells_stand_under_their_titles() {
        let mut out = Vec::new();
        let columns = vec![Column::key("a"), Column::key("verb")];
        let mut table = Table::new(columns, Zone::utc(), None, &mut out);
        for record in [r#"{"a":"刪","verb":"get"}"#, r#"{"a":["x","y"],"verb":null}"#] {
            table.record(record.as_bytes()).unwrap();
        }
        table.finish().unwrap();
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        assert_eq!(String::from_utf8(text).unwrap(), "A     VERB\n刪    get\nx, y  \n");
    }
}
