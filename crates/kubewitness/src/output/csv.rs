//! CSV of RFC 4180.

use std::io::Write;

use audit::Json;

use super::cell::plain;
use super::{Column, Printer, Zone};

/// Writes a heading and a line a record. Times are RFC 3339 in UTC.
pub(super) struct Csv<'o> {
    columns: Vec<Column>,
    out: &'o mut dyn Write,
    is_started: bool,
}

impl<'o> Csv<'o> {
    pub(super) fn new(columns: Vec<Column>, out: &'o mut dyn Write) -> Self {
        Self { columns, out, is_started: false }
    }

    fn start(&mut self) -> std::io::Result<()> {
        if self.is_started {
            return Ok(());
        }
        self.is_started = true;
        let titles: Vec<String> = self.columns.iter().map(|column| field(&column.title)).collect();
        write!(self.out, "{}\r\n", titles.join(","))
    }
}

impl Printer for Csv<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        self.start()?;
        let record = Json::whole(record)?;
        let show = |column: &Column| match &column.show {
            super::Show::Time(key) => record.get(key).map(plain).unwrap_or_default(),
            _ => column.cell(record, &Zone::utc()).text,
        };
        let fields: Vec<String> = self.columns.iter().map(|column| field(&show(column))).collect();
        write!(self.out, "{}\r\n", fields.join(","))?;
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.start()?;
        Ok(self.out.flush()?)
    }
}

/// In quotes where need be. Text that a spreadsheet would take for a formula gets a `'` before it: agents and names
/// come from clients.
fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_defused() {
        for (text, wanted) in [("a", "a"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "'=1+1"), ("", "")] {
            assert_eq!(field(text), wanted);
        }
    }
}
