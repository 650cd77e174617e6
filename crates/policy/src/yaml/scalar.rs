//! Scalars: plain, quoted, literal and folded.

use super::scanner::Scanner;
use super::tag::hex;
use super::token::{Style, Symbol, Token};
use super::{Mark, SyntaxError};

/// White space between the words of a scalar that may span lines: one break folds to a blank, more stay.
#[derive(Default)]
struct Gap {
    blanks: Vec<u8>,
    first_break: Vec<u8>,
    more_breaks: Vec<u8>,
    broken: bool,
}

impl Gap {
    fn fold_into(&mut self, text: &mut Vec<u8>) {
        if !self.broken {
            text.append(&mut self.blanks);
            return;
        }
        if self.first_break.first() != Some(&b'\n') {
            text.append(&mut self.first_break);
        } else if self.more_breaks.is_empty() {
            text.push(b' ');
        }
        text.append(&mut self.more_breaks);
        self.first_break.clear();
        self.blanks.clear();
        self.broken = false;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn scan_plain(&mut self) -> Result<Token, SyntaxError> {
        let (mut value, mut gap) = (Vec::new(), Gap::default());
        let start = self.reader.mark;
        let mut end = start;
        let indent = self.indent + 1;
        loop {
            self.reader.need(4)?;
            if self.at_document_indicator() || self.reader.byte(0) == b'#' {
                break;
            }
            while !self.reader.is_blankz(0) && !self.ends_plain() {
                gap.fold_into(&mut value);
                self.reader.read(&mut value);
                end = self.reader.mark;
                self.reader.need(2)?;
            }
            if !(self.reader.is_blank(0) || self.reader.is_break(0)) {
                break;
            }
            self.plain_gap(&mut gap, indent, start)?;
            if self.flow_level == 0 && (self.reader.mark.column as isize) < indent {
                break;
            }
        }
        if gap.broken {
            self.simple_key_allowed = true;
        }
        Ok(Token { symbol: Symbol::Scalar { value, style: Style::Plain }, start, end })
    }

    fn at_document_indicator(&self) -> bool {
        self.reader.is_document_indicator(b"---") || self.reader.is_document_indicator(b"...")
    }

    fn ends_plain(&self) -> bool {
        match self.reader.byte(0) {
            b':' => self.reader.is_blankz(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => false,
        }
    }

    fn plain_gap(&mut self, gap: &mut Gap, indent: isize, start: Mark) -> Result<(), SyntaxError> {
        self.reader.need(1)?;
        while self.reader.is_blank(0) || self.reader.is_break(0) {
            let outdented = (self.reader.mark.column as isize) < indent;
            if gap.broken && outdented && self.reader.byte(0) == b'\t' {
                return Err(self.error(start, "found a tab character that violates indentation"));
            }
            self.gap_character(gap)?;
        }
        Ok(())
    }

    /// Takes one blank or break into the gap.
    fn gap_character(&mut self, gap: &mut Gap) -> Result<(), SyntaxError> {
        if self.reader.is_blank(0) {
            if gap.broken {
                self.reader.skip();
            } else {
                self.reader.read(&mut gap.blanks);
            }
        } else {
            self.reader.need(2)?;
            if gap.broken {
                self.reader.read_break(&mut gap.more_breaks);
            } else {
                gap.blanks.clear();
                self.reader.read_break(&mut gap.first_break);
                gap.broken = true;
            }
        }
        self.reader.need(1)
    }

    pub(super) fn scan_quoted(&mut self) -> Result<Token, SyntaxError> {
        let start = self.reader.mark;
        let quote = self.reader.byte(0);
        self.reader.skip();
        let mut value = Vec::new();
        loop {
            self.reader.need(4)?;
            if self.at_document_indicator() {
                return Err(self.error(start, "found unexpected document indicator"));
            }
            if self.reader.at_end() {
                return Err(self.error(start, "found unexpected end of stream"));
            }
            let escaped_break = self.quoted_words(quote, start, &mut value)?;
            self.reader.need(1)?;
            if self.reader.byte(0) == quote {
                break;
            }
            let mut gap = Gap { broken: escaped_break, ..Gap::default() };
            while self.reader.is_blank(0) || self.reader.is_break(0) {
                self.gap_character(&mut gap)?;
            }
            gap.fold_into(&mut value);
        }
        self.reader.skip();
        let symbol = Symbol::Scalar { value, style: Style::Quoted };
        Ok(Token { symbol, start, end: self.reader.mark })
    }

    /// Characters up to white space or the closing quote; true when an escaped line break ended them.
    fn quoted_words(&mut self, quote: u8, start: Mark, value: &mut Vec<u8>) -> Result<bool, SyntaxError> {
        while !self.reader.is_blankz(0) {
            match (self.reader.byte(0), self.reader.byte(1)) {
                (b'\'', b'\'') if quote == b'\'' => {
                    value.push(b'\'');
                    self.reader.skip();
                    self.reader.skip();
                }
                (found, _) if found == quote => break,
                (b'\\', _) if quote == b'"' && self.reader.is_break(1) => {
                    self.reader.need(3)?;
                    self.reader.skip();
                    self.reader.skip_break();
                    return Ok(true);
                }
                (b'\\', _) if quote == b'"' => self.escape(start, value)?,
                _ => self.reader.read(value),
            }
            self.reader.need(2)?;
        }
        Ok(false)
    }

    fn escape(&mut self, start: Mark, value: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let (plain, digits) = match self.reader.byte(1) {
            b'0' => ("\0", 0),
            b'a' => ("\x07", 0),
            b'b' => ("\x08", 0),
            b't' | b'\t' => ("\t", 0),
            b'n' => ("\n", 0),
            b'v' => ("\x0B", 0),
            b'f' => ("\x0C", 0),
            b'r' => ("\r", 0),
            b'e' => ("\x1B", 0),
            b' ' => (" ", 0),
            b'"' => ("\"", 0),
            b'\'' => ("'", 0),
            b'\\' => ("\\", 0),
            b'N' => ("\u{85}", 0),
            b'_' => ("\u{A0}", 0),
            b'L' => ("\u{2028}", 0),
            b'P' => ("\u{2029}", 0),
            b'x' => ("", 2),
            b'u' => ("", 4),
            b'U' => ("", 8),
            _ => return Err(self.error(start, "found unknown escape character")),
        };
        self.reader.skip();
        self.reader.skip();
        value.extend_from_slice(plain.as_bytes());
        if digits > 0 {
            let c = self.code_point(start, digits)?;
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    fn code_point(&mut self, start: Mark, digits: usize) -> Result<char, SyntaxError> {
        self.reader.need(digits)?;
        let mut code = 0u32;
        for ahead in 0..digits {
            let Some(digit) = hex(self.reader.byte(ahead)) else {
                return Err(self.error(start, "did not find expected hexdecimal number"));
            };
            code = (code << 4) | u32::from(digit);
        }
        let Some(c) = char::from_u32(code) else {
            return Err(self.error(start, "found invalid Unicode character escape code"));
        };
        for _ in 0..digits {
            self.reader.skip();
        }
        Ok(c)
    }

    /// A literal (`|`) or folded (`>`) scalar.
    pub(super) fn scan_block(&mut self) -> Result<Token, SyntaxError> {
        let start = self.reader.mark;
        let literal = self.reader.byte(0) == b'|';
        self.reader.skip();
        let (chomp, increment) = self.block_header(start)?;
        self.reader.skip_blanks()?;
        self.reader.skip_comment()?;
        self.require_break(start)?;
        let mut indent = increment.map_or(0, |n| self.indent.max(0).unsigned_abs() + n);
        let (mut value, mut line_break, mut blank_lines) = (Vec::new(), Vec::new(), Vec::new());
        let mut end = self.block_breaks(&mut indent, &mut blank_lines, start)?;
        self.reader.need(1)?;
        let mut after_blank = false;
        while self.reader.mark.column == indent && !self.reader.at_end() {
            let blank = self.reader.is_blank(0);
            if !literal && !after_blank && !blank && line_break.first() == Some(&b'\n') {
                if blank_lines.is_empty() {
                    value.push(b' ');
                }
                line_break.clear();
            }
            value.append(&mut line_break);
            value.append(&mut blank_lines);
            after_blank = blank;
            while !self.reader.is_breakz(0) {
                self.reader.read(&mut value);
                self.reader.need(1)?;
            }
            self.reader.need(2)?;
            self.reader.read_break(&mut line_break);
            end = self.block_breaks(&mut indent, &mut blank_lines, start)?;
        }
        if chomp != Chomp::Strip {
            value.append(&mut line_break);
        }
        if chomp == Chomp::Keep {
            value.append(&mut blank_lines);
        }
        Ok(Token { symbol: Symbol::Scalar { value, style: Style::Block }, start, end })
    }

    /// Chomping and indentation indicators, in either order.
    fn block_header(&mut self, start: Mark) -> Result<(Chomp, Option<usize>), SyntaxError> {
        self.reader.need(1)?;
        let before = self.chomp()?;
        let increment = self.indent_indicator(start)?;
        let chomp = match before {
            Some(chomp) => chomp,
            None if increment.is_some() => self.chomp()?.unwrap_or(Chomp::Clip),
            None => Chomp::Clip,
        };
        Ok((chomp, increment))
    }

    fn chomp(&mut self) -> Result<Option<Chomp>, SyntaxError> {
        let chomp = match self.reader.byte(0) {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return Ok(None),
        };
        self.reader.skip();
        self.reader.need(1)?;
        Ok(Some(chomp))
    }

    fn indent_indicator(&mut self, start: Mark) -> Result<Option<usize>, SyntaxError> {
        match self.reader.byte(0) {
            b'0' => Err(self.error(start, "found an indentation indicator equal to 0")),
            digit @ b'1'..=b'9' => {
                self.reader.skip();
                self.reader.need(1)?;
                Ok(Some(usize::from(digit - b'0')))
            }
            _ => Ok(None),
        }
    }

    /// Indentation and empty lines; finds the indentation when it is still unknown (zero).
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut Vec<u8>, start: Mark) -> Result<Mark, SyntaxError> {
        let mut end = self.reader.mark;
        let mut widest = 0;
        loop {
            self.reader.need(1)?;
            while (*indent == 0 || self.reader.mark.column < *indent) && self.reader.byte(0) == b' ' {
                self.reader.skip();
                self.reader.need(1)?;
            }
            widest = widest.max(self.reader.mark.column);
            if (*indent == 0 || self.reader.mark.column < *indent) && self.reader.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.error(start, problem));
            }
            if !self.reader.is_break(0) {
                break;
            }
            self.reader.need(2)?;
            self.reader.read_break(breaks);
            end = self.reader.mark;
        }
        if *indent == 0 {
            *indent = widest.max((self.indent + 1).max(1).unsigned_abs());
        }
        Ok(end)
    }
}
