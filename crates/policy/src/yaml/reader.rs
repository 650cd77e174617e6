//! Bytes to characters: encodings, allowed characters, place keeping.

use super::{Mark, SyntaxError};

/// Bytes decoded at a time. Part of the behaviour: a bad byte beyond the chunk in which the first document
/// ends is never seen.
const CHUNK: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// The text under the scanner, decoded as far as it has been looked at.
pub(super) struct Reader<'a> {
    raw: &'a [u8],
    raw_pos: usize,
    encoding: Encoding,
    text: Vec<u8>,
    unread: usize,
    /// Where the characters that were visible at the last refill began.
    window: usize,
    pub(super) mark: Mark,
}

fn detect(raw: &[u8]) -> (Encoding, usize) {
    match raw {
        [0xFF, 0xFE, ..] => (Encoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => (Encoding::Utf16Be, 2),
        [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
        _ => (Encoding::Utf8, 0),
    }
}

/// The whole input as text, or nothing where it is not text that a scanner would accept.
pub(crate) fn decode_text(raw: &[u8]) -> Option<String> {
    let mut reader = Reader::new(raw);
    while reader.raw_pos < raw.len() {
        reader.fill().ok()?;
    }
    String::from_utf8(reader.text).ok()
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let (encoding, raw_pos) = detect(raw);
        Self { raw, raw_pos, encoding, text: Vec::new(), unread: 0, window: 0, mark: Mark::default() }
    }

    /// Makes `count` characters ahead visible; beyond the end they read as NUL.
    pub(super) fn need(&mut self, count: usize) -> Result<(), SyntaxError> {
        if self.unread < count {
            self.window = self.mark.offset;
        }
        while self.unread < count && self.raw_pos < self.raw.len() {
            self.fill()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), SyntaxError> {
        // A first chunk shares its bytes with the byte order mark.
        let base = if self.text.is_empty() { 0 } else { self.raw_pos };
        let end = (base + CHUNK).min(self.raw.len());
        let start = self.raw_pos;
        while self.raw_pos < end {
            match self.next_char(end)? {
                Some((c, width)) => self.push(c, width)?,
                None => break,
            }
        }
        // A character cut off by the end is noticed when more is asked for, not before.
        if self.raw_pos == start {
            return Err(SyntaxError::reader(match (self.encoding, end - start) {
                (Encoding::Utf8, _) => "incomplete UTF-8 octet sequence",
                (_, 1) => "incomplete UTF-16 character",
                _ => "incomplete UTF-16 surrogate pair",
            }));
        }
        Ok(())
    }

    fn push(&mut self, c: char, width: usize) -> Result<(), SyntaxError> {
        let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}'
            | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        if !allowed {
            return Err(SyntaxError::reader("control characters are not allowed"));
        }
        self.raw_pos += width;
        self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.unread += 1;
        Ok(())
    }

    /// The next character of the chunk, nothing where it goes on in the next chunk.
    fn next_char(&self, end: usize) -> Result<Option<(char, usize)>, SyntaxError> {
        let rest = self.raw.get(self.raw_pos..end).unwrap_or_default();
        match self.encoding {
            Encoding::Utf8 => utf8_char(rest),
            Encoding::Utf16Le => utf16_char(rest, u16::from_le_bytes),
            Encoding::Utf16Be => utf16_char(rest, u16::from_be_bytes),
        }
    }

    /// Byte `ahead` of the position, NUL beyond what was made visible.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn at_end(&self) -> bool {
        self.byte(0) == 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b'\r' | b'\n' => true,
            0xC2 => self.byte(ahead + 1) == 0x85,
            0xE2 => self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    pub(super) fn is_breakz(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    pub(super) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    pub(super) fn is_word(&self) -> bool {
        let b = self.byte(0);
        b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
    }

    /// The library looks for the mark where its buffer begins, not where it stands.
    pub(super) fn is_byte_order_mark(&self) -> bool {
        self.text[self.window..].starts_with(&[0xEF, 0xBB, 0xBF])
    }

    fn width(&self) -> usize {
        match self.byte(0) {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        }
    }

    /// Passes one character on the same line.
    pub(super) fn skip(&mut self) {
        self.mark.offset = (self.mark.offset + self.width()).min(self.text.len());
        self.mark.index += 1;
        self.mark.column += 1;
        self.unread = self.unread.saturating_sub(1);
    }

    /// Passes one character and keeps it.
    pub(super) fn read(&mut self, into: &mut Vec<u8>) {
        let start = self.mark.offset;
        self.skip();
        into.extend_from_slice(&self.text[start..self.mark.offset]);
    }

    /// Passes a line break, if there is one, and keeps it in its normal form.
    pub(super) fn read_break(&mut self, into: &mut Vec<u8>) {
        let wide = self.byte(0) == 0xE2;
        let start = self.mark.offset;
        if self.skip_break() {
            if wide {
                into.extend_from_slice(&self.text[start..self.mark.offset]);
            } else {
                into.push(b'\n');
            }
        }
    }

    /// Passes a line break, if there is one.
    pub(super) fn skip_break(&mut self) -> bool {
        if !self.is_break(0) {
            return false;
        }
        if self.byte(0) == b'\r' && self.byte(1) == b'\n' {
            self.mark.offset += 1;
            self.mark.index += 1;
            self.unread = self.unread.saturating_sub(1);
        }
        self.skip();
        self.mark.column = 0;
        self.mark.line += 1;
        true
    }

    pub(super) fn skip_comment(&mut self) -> Result<(), SyntaxError> {
        if self.byte(0) == b'#' {
            while !self.is_breakz(0) {
                self.skip();
                self.need(1)?;
            }
        }
        Ok(())
    }

    pub(super) fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        self.need(1)?;
        while self.is_blank(0) {
            self.skip();
            self.need(1)?;
        }
        Ok(())
    }

    pub(super) fn is_document_indicator(&self, indicator: &[u8; 3]) -> bool {
        self.mark.column == 0 && (0..3).all(|i| self.byte(i) == indicator[i]) && self.is_blankz(3)
    }
}

/// The first character and its width; nothing where its bytes are not all there yet.
fn utf8_char(rest: &[u8]) -> Result<Option<(char, usize)>, SyntaxError> {
    let width = match rest.first() {
        None => return Ok(None),
        Some(0x00..=0x7F) => 1,
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        Some(_) => return Err(SyntaxError::reader("invalid leading UTF-8 octet")),
    };
    let Some(bytes) = rest.get(..width) else { return Ok(None) };
    if bytes[1..].iter().any(|b| b & 0xC0 != 0x80) {
        return Err(SyntaxError::reader("invalid trailing UTF-8 octet"));
    }
    match std::str::from_utf8(bytes).ok().and_then(|s| s.chars().next()) {
        Some(c) => Ok(Some((c, width))),
        None => Err(SyntaxError::reader("invalid Unicode character")),
    }
}

fn utf16_char(rest: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Option<(char, usize)>, SyntaxError> {
    let read = |i: usize| rest.get(i..i + 2).map(|b| unit([b[0], b[1]]));
    let Some(first) = read(0) else { return Ok(None) };
    match first & 0xFC00 {
        0xDC00 => Err(SyntaxError::reader("unexpected low surrogate area")),
        0xD800 => match read(2).map(|second| char::decode_utf16([first, second]).next()) {
            None => Ok(None),
            Some(Some(Ok(c))) => Ok(Some((c, 4))),
            Some(_) => Err(SyntaxError::reader("expected low surrogate area")),
        },
        _ => Ok(char::from_u32(u32::from(first)).map(|c| (c, 2))),
    }
}
