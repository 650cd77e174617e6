//! JSON as Go's `encoding/json` reads it: its error texts, its nesting limit, duplicate keys kept.
//!
//! A document is a flat list of values in the order they begin, so that neither reading nor dropping a deeply
//! nested one recurses.

use crate::golang;

/// Deepest nesting of objects and arrays; deeper is a syntax error.
const MAX_DEPTH: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueId(u32);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// The literal as written.
    Number(String),
    Text(String),
    Array(Vec<ValueId>),
    /// Members in order, duplicates kept.
    Object(Vec<(String, ValueId)>),
}

#[derive(Debug, Default)]
pub(crate) struct Document {
    values: Vec<Value>,
}

impl Document {
    pub(crate) fn root(&self) -> ValueId {
        ValueId(0)
    }

    pub(crate) fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// Parses one JSON value. The error is Go's text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        Reader { bytes, at: 0, document: Self::default() }.document()
    }

    /// The value as compact JSON.
    pub(crate) fn write(&self, root: ValueId) -> String {
        enum Piece<'d> {
            Value(ValueId),
            Key(&'d str),
            Text(&'static str),
        }
        let mut out = String::new();
        let mut pieces = vec![Piece::Value(root)];
        while let Some(piece) = pieces.pop() {
            let id = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Key(key) => {
                    golang::push_json_string(&mut out, key);
                    out.push(':');
                    continue;
                }
                Piece::Value(id) => id,
            };
            match self.value(id) {
                Value::Null => out.push_str("null"),
                Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
                Value::Number(n) => out.push_str(n),
                Value::Text(text) => golang::push_json_string(&mut out, text),
                Value::Array(items) => {
                    out.push('[');
                    pieces.push(Piece::Text("]"));
                    for (i, &item) in items.iter().enumerate().rev() {
                        pieces.push(Piece::Value(item));
                        pieces.push(Piece::Text(if i > 0 { "," } else { "" }));
                    }
                }
                Value::Object(members) => {
                    out.push('{');
                    pieces.push(Piece::Text("}"));
                    for (i, (key, value)) in members.iter().enumerate().rev() {
                        pieces.push(Piece::Value(*value));
                        pieces.push(Piece::Key(key));
                        pieces.push(Piece::Text(if i > 0 { "," } else { "" }));
                    }
                }
            }
        }
        out
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    document: Document,
}

/// An open collection, with the key that waits for its value.
struct Open {
    id: ValueId,
    key: Option<String>,
}

impl Reader<'_> {
    fn document(mut self) -> Result<Document, String> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.skip_blanks();
            let id = self.begin_value(open.len())?;
            if let Some(parent) = open.last_mut() {
                self.attach(parent, id);
            }
            let began = matches!(self.document.value(id), Value::Array(_) | Value::Object(_));
            if began {
                open.push(Open { id, key: None });
            }
            if !self.seek_value(&mut open, began)? {
                return self.end();
            }
        }
    }

    fn attach(&mut self, parent: &mut Open, id: ValueId) {
        match &mut self.document.values[parent.id.0 as usize] {
            Value::Array(items) => items.push(id),
            Value::Object(members) => members.push((parent.key.take().unwrap_or_default(), id)),
            _ => {}
        }
    }

    /// Moves to where the next value begins, closing what ends; false when the root has ended.
    fn seek_value(&mut self, open: &mut Vec<Open>, mut fresh: bool) -> Result<bool, String> {
        while let Some(collection) = open.last_mut() {
            let is_object = matches!(self.document.value(collection.id), Value::Object(_));
            self.skip_blanks();
            let close = if is_object { b'}' } else { b']' };
            match self.peek() {
                None => return Err(self.unexpected("")),
                Some(byte) if byte == close => {
                    self.at += 1;
                    open.pop();
                    fresh = false;
                    continue;
                }
                Some(b',') if !fresh => {
                    self.at += 1;
                    self.skip_blanks();
                }
                Some(_) if !fresh => {
                    let place = if is_object { "after object key:value pair" } else { "after array element" };
                    return Err(self.unexpected(place));
                }
                Some(_) => {}
            }
            if is_object {
                collection.key = Some(self.key()?);
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<String, String> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        let key = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(key)
    }

    fn end(mut self) -> Result<Document, String> {
        self.skip_blanks();
        if self.at < self.bytes.len() {
            return Err(self.unexpected("after top-level value"));
        }
        Ok(self.document)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, place: &str) -> String {
        match self.peek() {
            None => "unexpected end of JSON input".to_owned(),
            Some(byte) => format!("invalid character {} {place}", golang::quote_byte(byte)),
        }
    }

    fn add(&mut self, value: Value) -> ValueId {
        self.document.values.push(value);
        ValueId(u32::try_from(self.document.values.len() - 1).unwrap_or(u32::MAX))
    }

    fn begin_value(&mut self, depth: usize) -> Result<ValueId, String> {
        let value = match self.peek() {
            Some(opening @ (b'[' | b'{')) => {
                if depth >= MAX_DEPTH {
                    return Err(self.unexpected("exceeded max depth"));
                }
                self.at += 1;
                if opening == b'[' { Value::Array(Vec::new()) } else { Value::Object(Vec::new()) }
            }
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            _ => return Err(self.unexpected("looking for beginning of value")),
        };
        Ok(self.add(value))
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = golang::quote_byte(expected);
                return Err(self.unexpected(&format!("in literal {word} (expecting {expected})")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn require_digit(&self, place: &str) -> Result<(), String> {
        if self.peek().is_some_and(|b| b.is_ascii_digit()) { Ok(()) } else { Err(self.unexpected(place)) }
    }

    fn number(&mut self) -> Result<String, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            self.require_digit("in numeric literal")?;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.require_digit("after decimal point in numeric literal")?;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.require_digit("in exponent of numeric literal")?;
            self.digits();
        }
        Ok(String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned())
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut text)?;
                }
                Some(byte @ 0x20..) => {
                    text.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
        self.at += 1;
        // Invalid UTF-8 becomes U+FFFD, one for each byte that does not belong.
        Ok(replace_invalid(&text))
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(text);
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        text.push(plain);
        self.at += 1;
        Ok(())
    }

    fn hex4(&mut self) -> Result<u16, String> {
        let mut code = 0u16;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return Err(self.unexpected(r"in \u hexadecimal character escape"));
            };
            code = (code << 4) | digit as u16;
            self.at += 1;
        }
        Ok(code)
    }

    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        let first = self.hex4()?;
        let mut c = char::from_u32(u32::from(first));
        if first & 0xFC00 == 0xD800 && self.bytes[self.at..].starts_with(br"\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            c = char::decode_utf16([first, second]).next().and_then(Result::ok);
            if c.is_none() {
                self.at = before; // the second stands for itself
            }
        }
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}

fn replace_invalid(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}
