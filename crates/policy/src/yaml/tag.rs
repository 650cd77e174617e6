//! Directives, anchors, aliases and tags.

use super::scanner::Scanner;
use super::token::{Symbol, Token};
use super::{Mark, SyntaxError};

impl Scanner<'_> {
    pub(super) fn scan_directive(&mut self) -> Result<Token, SyntaxError> {
        let start = self.reader.mark;
        self.reader.skip();
        let symbol = match self.directive_name(start)?.as_slice() {
            b"YAML" => self.version(start)?,
            b"TAG" => self.tag_directive(start)?,
            _ => return Err(self.error(start, "found unknown directive name")),
        };
        let end = self.reader.mark;
        self.reader.skip_blanks()?;
        self.reader.skip_comment()?;
        self.require_break(start)?;
        Ok(Token { symbol, start, end })
    }

    pub(super) fn require_break(&mut self, start: Mark) -> Result<(), SyntaxError> {
        if !self.reader.is_breakz(0) {
            return Err(self.error(start, "did not find expected comment or line break"));
        }
        self.reader.need(2)?;
        self.reader.skip_break();
        Ok(())
    }

    fn word(&mut self) -> Result<Vec<u8>, SyntaxError> {
        self.reader.need(1)?;
        let mut word = Vec::new();
        while self.reader.is_word() {
            self.reader.read(&mut word);
            self.reader.need(1)?;
        }
        Ok(word)
    }

    fn directive_name(&mut self, start: Mark) -> Result<Vec<u8>, SyntaxError> {
        let name = self.word()?;
        if name.is_empty() {
            return Err(self.error(start, "could not find expected directive name"));
        }
        if !self.reader.is_blankz(0) {
            return Err(self.error(start, "found unexpected non-alphabetical character"));
        }
        Ok(name)
    }

    fn version(&mut self, start: Mark) -> Result<Symbol, SyntaxError> {
        self.reader.skip_blanks()?;
        let major = self.version_number(start)?;
        if self.reader.byte(0) != b'.' {
            return Err(self.error(start, "did not find expected digit or '.' character"));
        }
        self.reader.skip();
        let minor = self.version_number(start)?;
        Ok(Symbol::Version { major, minor })
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, SyntaxError> {
        self.reader.need(1)?;
        let (mut value, mut length) = (0, 0);
        while self.reader.byte(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return Err(self.error(start, "found extremely long version number"));
            }
            value = value * 10 + (self.reader.byte(0) - b'0');
            self.reader.skip();
            self.reader.need(1)?;
        }
        if length == 0 {
            return Err(self.error(start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn tag_directive(&mut self, start: Mark) -> Result<Symbol, SyntaxError> {
        self.reader.skip_blanks()?;
        let handle = self.tag_handle(start, HandleUse::Directive)?;
        self.reader.need(1)?;
        if !self.reader.is_blank(0) {
            return Err(self.error(start, "did not find expected whitespace"));
        }
        self.reader.skip_blanks()?;
        let prefix = self.tag_uri(start, &[])?;
        self.require_blank(start)?;
        Ok(Symbol::TagDirective { handle, prefix })
    }

    fn require_blank(&mut self, start: Mark) -> Result<(), SyntaxError> {
        self.reader.need(1)?;
        if self.reader.is_blankz(0) {
            return Ok(());
        }
        Err(self.error(start, "did not find expected whitespace or line break"))
    }

    /// An anchor (`&name`) or alias (`*name`).
    pub(super) fn scan_anchor(&mut self) -> Result<Token, SyntaxError> {
        let start = self.reader.mark;
        let is_alias = self.reader.byte(0) == b'*';
        self.reader.skip();
        let name = self.word()?;
        let end = self.reader.mark;
        let ended = self.reader.is_blankz(0)
            || matches!(self.reader.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ended {
            return Err(self.error(start, "did not find expected alphabetic or numeric character"));
        }
        let symbol = if is_alias { Symbol::Alias(name) } else { Symbol::Anchor(name) };
        Ok(Token { symbol, start, end })
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token, SyntaxError> {
        let start = self.reader.mark;
        self.reader.need(2)?;
        let (handle, suffix) = if self.reader.byte(1) == b'<' {
            (Vec::new(), self.verbatim_tag(start)?)
        } else {
            self.shorthand_tag(start)?
        };
        self.require_blank(start)?;
        Ok(Token { symbol: Symbol::Tag { handle, suffix }, start, end: self.reader.mark })
    }

    fn verbatim_tag(&mut self, start: Mark) -> Result<Vec<u8>, SyntaxError> {
        self.reader.skip();
        self.reader.skip();
        let uri = self.tag_uri(start, &[])?;
        if self.reader.byte(0) != b'>' {
            return Err(self.error(start, "did not find the expected '>'"));
        }
        self.reader.skip();
        Ok(uri)
    }

    /// `!`, `!suffix`, `!!suffix` or `!handle!suffix`.
    fn shorthand_tag(&mut self, start: Mark) -> Result<(Vec<u8>, Vec<u8>), SyntaxError> {
        let handle = self.tag_handle(start, HandleUse::Tag)?;
        if handle.len() > 1 && handle.ends_with(b"!") {
            let suffix = self.tag_uri(start, &[])?;
            return Ok((handle, suffix));
        }
        let suffix = self.tag_uri(start, &handle)?;
        if suffix.is_empty() {
            return Ok((suffix, b"!".to_vec()));
        }
        Ok((b"!".to_vec(), suffix))
    }

    fn tag_handle(&mut self, start: Mark, used: HandleUse) -> Result<Vec<u8>, SyntaxError> {
        self.reader.need(1)?;
        if self.reader.byte(0) != b'!' {
            return Err(self.error(start, "did not find expected '!'"));
        }
        let mut handle = Vec::new();
        self.reader.read(&mut handle);
        handle.extend(self.word()?);
        if self.reader.byte(0) == b'!' {
            self.reader.read(&mut handle);
        } else if used == HandleUse::Directive && handle != b"!" {
            return Err(self.error(start, "did not find expected '!'"));
        }
        Ok(handle)
    }

    /// The rest of a tag; `head` is a handle that turned out to belong to it.
    fn tag_uri(&mut self, start: Mark, head: &[u8]) -> Result<Vec<u8>, SyntaxError> {
        let mut uri = head.get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        self.reader.need(1)?;
        while self.reader.is_word() || b";/?:@&=+$,.!~*'()[]%".contains(&self.reader.byte(0)) {
            if self.reader.byte(0) == b'%' {
                self.uri_escape(start, &mut uri)?;
            } else {
                self.reader.read(&mut uri);
            }
            self.reader.need(1)?;
            found = true;
        }
        if found { Ok(uri) } else { Err(self.error(start, "did not find expected tag URI")) }
    }

    /// One character written as `%XX` octets.
    fn uri_escape(&mut self, start: Mark, uri: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let mut remaining = None;
        while remaining != Some(0) {
            self.reader.need(3)?;
            let octet = match (self.reader.byte(0), hex(self.reader.byte(1)), hex(self.reader.byte(2))) {
                (b'%', Some(high), Some(low)) => (high << 4) | low,
                _ => return Err(self.error(start, "did not find URI escaped octet")),
            };
            remaining = match remaining {
                None => Some(match octet {
                    0x00..=0x7F => 0,
                    0xC0..=0xDF => 1,
                    0xE0..=0xEF => 2,
                    0xF0..=0xF7 => 3,
                    _ => return Err(self.error(start, "found an incorrect leading UTF-8 octet")),
                }),
                Some(_) if octet & 0xC0 != 0x80 => {
                    return Err(self.error(start, "found an incorrect trailing UTF-8 octet"));
                }
                Some(left) => Some(left - 1),
            };
            uri.push(octet);
            for _ in 0..3 {
                self.reader.skip();
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HandleUse {
    Directive,
    Tag,
}

pub(super) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}
