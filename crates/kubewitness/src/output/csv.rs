//! CSV of RFC 4180.

use std::io::Write;

use audit::Json;

use super::Printer;
use super::cell::plain;

/// Writes a heading and a line a record. The columns are those that were chosen, else the keys of the first record.
/// Values are as in JSON: times are RFC 3339 in UTC. Without a record there is nothing to name columns after.
pub(super) struct Csv<'o> {
    keys: Vec<String>,
    out: &'o mut dyn Write,
    is_started: bool,
}

impl<'o> Csv<'o> {
    pub(super) fn new(keys: Vec<String>, out: &'o mut dyn Write) -> Self {
        Self { keys, out, is_started: false }
    }

    fn start(&mut self, record: Json<'_>) -> std::io::Result<()> {
        if self.is_started {
            return Ok(());
        }
        self.is_started = true;
        if self.keys.is_empty() {
            self.keys = record.members().map(|(key, _)| key.display().into_owned()).collect();
        }
        self.write_line(self.keys.iter().map(|key| field(key)).collect())
    }

    fn write_line(&mut self, fields: Vec<String>) -> std::io::Result<()> {
        write!(self.out, "{}\r\n", fields.join(","))
    }
}

impl Printer for Csv<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let record = Json::whole(record)?;
        self.start(record)?;
        let show = |key: &String| field(&record.get(key).map(plain).unwrap_or_default());
        Ok(self.write_line(self.keys.iter().map(show).collect())?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()
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
