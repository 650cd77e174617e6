//! JSON in lines, in an array, and as YAML.

use std::io::Write;

use anyhow::Context;

use super::Printer;

/// One record a line, as it is.
pub(super) struct Lines<'o> {
    out: &'o mut dyn Write,
}

impl<'o> Lines<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out }
    }
}

impl Printer for Lines<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(record)?;
        Ok(self.out.write_all(b"\n")?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}

/// One array, indented.
pub(super) struct Array<'o> {
    out: &'o mut dyn Write,
    is_empty: bool,
}

impl<'o> Array<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, is_empty: true }
    }
}

impl Printer for Array<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&value(record)?)?.replace('\n', "\n  ");
        write!(self.out, "{}\n  {text}", if self.is_empty { "[" } else { "," })?;
        self.is_empty = false;
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        writeln!(self.out, "{}", if self.is_empty { "[]" } else { "\n]" })?;
        Ok(self.out.flush()?)
    }
}

/// One YAML list.
pub(super) struct Yaml<'o> {
    out: &'o mut dyn Write,
    is_empty: bool,
}

impl<'o> Yaml<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, is_empty: true }
    }
}

impl Printer for Yaml<'_> {
    fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        self.is_empty = false;
        Ok(write!(self.out, "{}", yaml_serde::to_string(&[value(record)?])?)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.is_empty {
            writeln!(self.out, "[]")?;
        }
        Ok(self.out.flush()?)
    }
}

fn value(record: &[u8]) -> anyhow::Result<serde_json::Value> {
    serde_json::from_slice(record).context("a row is not the JSON it should be")
}
