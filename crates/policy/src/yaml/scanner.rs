//! Characters to tokens: indentation, simple keys, indicators.
//!
//! A simple key is one written without `?`. Whether a scalar was a key is only known when its `:` arrives, so
//! tokens wait in a queue while a key may still be inserted in front of them.

use std::collections::{HashMap, VecDeque};

use super::reader::Reader;
use super::token::{Symbol, Token};
use super::{MAX_DEPTH, Mark, Origin, SyntaxError};

/// Characters a simple key may span.
const SIMPLE_KEY_MAX: usize = 1024;

#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

/// Tokens on demand. `indent` is -1 outside every block collection.
pub(super) struct Scanner<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) indent: isize,
    pub(super) flow_level: usize,
    pub(super) simple_key_allowed: bool,
    indents: Vec<isize>,
    keys: Vec<SimpleKey>,
    key_of_token: HashMap<usize, usize>,
    queue: VecDeque<Token>,
    parsed: usize,
    started: bool,
    ended: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(raw),
            indent: -1,
            flow_level: 0,
            simple_key_allowed: true,
            indents: Vec::new(),
            keys: vec![SimpleKey::default()],
            key_of_token: HashMap::new(),
            queue: VecDeque::new(),
            parsed: 0,
            started: false,
            ended: false,
        }
    }

    /// The next token, without taking it. After the end it stays at the end.
    pub(super) fn peek(&mut self) -> Result<&Token, SyntaxError> {
        while self.more_needed()? {
            self.fetch()?;
        }
        self.queue.front().ok_or_else(|| SyntaxError::decoder("attempted to go past the end of stream"))
    }

    pub(super) fn take(&mut self) -> Result<Token, SyntaxError> {
        let token = self.peek()?.clone();
        if token.symbol != Symbol::StreamEnd {
            self.queue.pop_front();
            self.parsed += 1;
        }
        Ok(token)
    }

    pub(super) fn error(&self, context: Mark, problem: &str) -> SyntaxError {
        SyntaxError::new(Origin::Scanner, problem, self.reader.mark, context)
    }

    /// Whether the first token in the queue may still get a key in front of it.
    fn more_needed(&mut self) -> Result<bool, SyntaxError> {
        if self.queue.is_empty() {
            return Ok(!self.ended);
        }
        match self.key_of_token.get(&self.parsed) {
            None => Ok(false),
            Some(&key) => self.key_is_valid(key),
        }
    }

    fn fetch(&mut self) -> Result<(), SyntaxError> {
        self.reader.need(1)?;
        if !self.started {
            self.started = true;
            self.push(Symbol::StreamStart, self.reader.mark);
            return Ok(());
        }
        self.skip_to_token()?;
        self.unroll_indent(self.reader.mark.column as isize);
        self.reader.need(4)?;
        if self.reader.at_end() {
            return self.fetch_stream_end();
        }
        if self.reader.mark.column == 0 && self.reader.byte(0) == b'%' {
            return self.fetch_directive();
        }
        if self.reader.is_document_indicator(b"---") {
            return self.fetch_document_indicator(Symbol::DocumentStart);
        }
        if self.reader.is_document_indicator(b"...") {
            return self.fetch_document_indicator(Symbol::DocumentEnd);
        }
        self.fetch_content()
    }

    fn fetch_content(&mut self) -> Result<(), SyntaxError> {
        let in_flow = self.flow_level > 0;
        let before_blank = self.reader.is_blankz(1);
        match self.reader.byte(0) {
            b'[' => self.fetch_flow_start(Symbol::FlowSequenceStart),
            b'{' => self.fetch_flow_start(Symbol::FlowMappingStart),
            b']' => self.fetch_flow_end(Symbol::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(Symbol::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if before_blank => self.fetch_block_entry(),
            b'?' if in_flow || before_blank => self.fetch_key(),
            b':' if in_flow || before_blank => self.fetch_value(),
            b'*' | b'&' => self.fetch_with_key(Self::scan_anchor),
            b'!' => self.fetch_with_key(Self::scan_tag),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_with_key(Self::scan_quoted),
            _ if self.starts_plain() => self.fetch_with_key(Self::scan_plain),
            _ => Err(self.error(self.reader.mark, "found character that cannot start any token")),
        }
    }

    fn starts_plain(&self) -> bool {
        let reader = &self.reader;
        match reader.byte(0) {
            b'-' => !reader.is_blank(1),
            b'?' | b':' => self.flow_level == 0 && !reader.is_blankz(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => false,
            _ => !reader.is_blankz(0),
        }
    }

    fn skip_to_token(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.reader.need(1)?;
            if self.reader.mark.column == 0 && self.reader.is_byte_order_mark() {
                self.reader.skip();
            }
            self.reader.need(1)?;
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.reader.byte(0) == b' ' || (tabs && self.reader.byte(0) == b'\t') {
                self.reader.skip();
                self.reader.need(1)?;
            }
            self.reader.skip_comment()?;
            if !self.reader.is_break(0) {
                return Ok(());
            }
            self.reader.need(2)?;
            self.reader.skip_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    fn push(&mut self, symbol: Symbol, start: Mark) {
        let end = self.reader.mark;
        self.queue.push_back(Token { symbol, start, end });
    }

    /// Queues an indicator `width` characters wide.
    fn push_indicator(&mut self, symbol: Symbol, width: usize) {
        let start = self.reader.mark;
        for _ in 0..width {
            self.reader.skip();
        }
        self.push(symbol, start);
    }

    fn key_is_valid(&mut self, key: usize) -> Result<bool, SyntaxError> {
        let Some(found) = self.keys.get(key).copied() else {
            return Ok(false);
        };
        if !found.possible {
            return Ok(false);
        }
        let here = self.reader.mark;
        if found.mark.line < here.line || found.mark.index + SIMPLE_KEY_MAX < here.index {
            if found.required {
                return Err(self.error(found.mark, "could not find expected ':'"));
            }
            self.keys[key].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_key(&mut self) -> Result<(), SyntaxError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && self.indent == self.reader.mark.column as isize;
        let token = self.parsed + self.queue.len();
        self.remove_key()?;
        let last = self.keys.len() - 1;
        self.keys[last] = SimpleKey { possible: true, required, token, mark: self.reader.mark };
        self.key_of_token.insert(token, last);
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), SyntaxError> {
        let last = self.keys.len() - 1;
        let key = self.keys[last];
        if key.possible {
            if key.required {
                return Err(self.error(key.mark, "could not find expected ':'"));
            }
            self.keys[last].possible = false;
            self.key_of_token.remove(&key.token);
        }
        Ok(())
    }

    fn roll_indent(&mut self, at: Option<usize>, symbol: Symbol, mark: Mark) -> Result<(), SyntaxError> {
        let column = mark.column as isize;
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return Err(self.error(mark, "exceeded max depth of 10000"));
        }
        let token = Token { symbol, start: mark, end: mark };
        self.insert(at, token);
        Ok(())
    }

    /// Queues a token in front of token `number`. One that was already handed out cannot be preceded any more:
    /// then the token goes to the end, as the library has it (`[]: x` is where it shows).
    fn insert(&mut self, number: Option<usize>, token: Token) {
        let at = number.and_then(|n| n.checked_sub(self.parsed)).unwrap_or(self.queue.len());
        self.queue.insert(at.min(self.queue.len()), token);
    }

    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(Symbol::BlockEnd, self.reader.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Result<(), SyntaxError> {
        if self.reader.mark.column != 0 {
            self.reader.mark.column = 0;
            self.reader.mark.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_key()?;
        self.simple_key_allowed = false;
        self.ended = true;
        self.push(Symbol::StreamEnd, self.reader.mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), SyntaxError> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.queue.push_back(token);
        Ok(())
    }

    fn fetch_document_indicator(&mut self, symbol: Symbol) -> Result<(), SyntaxError> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.simple_key_allowed = false;
        self.push_indicator(symbol, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, symbol: Symbol) -> Result<(), SyntaxError> {
        self.save_key()?;
        let token = self.parsed + self.queue.len();
        self.keys.push(SimpleKey { token, mark: self.reader.mark, ..SimpleKey::default() });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(self.error(self.reader.mark, "exceeded max depth of 10000"));
        }
        self.simple_key_allowed = true;
        self.push_indicator(symbol, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, symbol: Symbol) -> Result<(), SyntaxError> {
        self.remove_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.keys.pop() {
                self.key_of_token.remove(&key.token);
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(symbol, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), SyntaxError> {
        self.remove_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Symbol::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), SyntaxError> {
        if self.flow_level == 0 {
            self.allow_block("block sequence entries are not allowed in this context")?;
            self.roll_indent(None, Symbol::BlockSequenceStart, self.reader.mark)?;
        }
        self.remove_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Symbol::BlockEntry, 1);
        Ok(())
    }

    fn allow_block(&self, problem: &str) -> Result<(), SyntaxError> {
        if self.simple_key_allowed { Ok(()) } else { Err(self.error(self.reader.mark, problem)) }
    }

    fn fetch_key(&mut self) -> Result<(), SyntaxError> {
        if self.flow_level == 0 {
            self.allow_block("mapping keys are not allowed in this context")?;
            self.roll_indent(None, Symbol::BlockMappingStart, self.reader.mark)?;
        }
        self.remove_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(Symbol::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), SyntaxError> {
        let last = self.keys.len() - 1;
        if self.key_is_valid(last)? {
            let key = self.keys[last];
            let token = Token { symbol: Symbol::Key, start: key.mark, end: key.mark };
            self.insert(Some(key.token), token);
            self.roll_indent(Some(key.token), Symbol::BlockMappingStart, key.mark)?;
            self.keys[last].possible = false;
            self.key_of_token.remove(&key.token);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.allow_block("mapping values are not allowed in this context")?;
                self.roll_indent(None, Symbol::BlockMappingStart, self.reader.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Symbol::Value, 1);
        Ok(())
    }

    /// Scans something that may turn out to be a key.
    fn fetch_with_key(&mut self, scan: fn(&mut Self) -> Result<Token, SyntaxError>) -> Result<(), SyntaxError> {
        self.save_key()?;
        self.simple_key_allowed = false;
        let token = scan(self)?;
        self.queue.push_back(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self) -> Result<(), SyntaxError> {
        self.remove_key()?;
        self.simple_key_allowed = true;
        let token = self.scan_block()?;
        self.queue.push_back(token);
        Ok(())
    }
}
