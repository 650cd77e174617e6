//! Tokens to events: the grammar, with an explicit stack instead of recursion.

use super::scanner::Scanner;
use super::token::{Style, Symbol, Token};
use super::{Mark, Origin, SyntaxError};

/// What a tree is built from.
#[derive(Debug)]
pub(super) enum Event {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias { name: Vec<u8>, start: Mark, end: Mark },
    Scalar(ScalarEvent),
    SequenceStart { anchor: Option<Vec<u8>>, start: Mark, flow: bool },
    MappingStart { anchor: Option<Vec<u8>>, start: Mark, flow: bool },
    CollectionEnd { end: Mark },
}

#[derive(Debug, Default)]
pub(super) struct ScalarEvent {
    pub(super) value: Vec<u8>,
    pub(super) anchor: Option<Vec<u8>>,
    pub(super) tag: Vec<u8>,
    /// Plain and untagged: the value decides the type.
    pub(super) implicit: bool,
    pub(super) block: bool,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    DocumentStart { implicit: bool },
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequence { first: bool },
    IndentlessSequence,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequence { first: bool },
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

/// Where a node stands decides which collections it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Block,
    BlockOrIndentless,
    Flow,
}

pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Anchor and tag in front of a node.
#[derive(Default)]
struct Properties {
    anchor: Option<Vec<u8>>,
    tag: Option<(Vec<u8>, Vec<u8>, Mark)>,
    start: Option<Mark>,
    end: Option<Mark>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Result<Self, SyntaxError> {
        let mut scanner = Scanner::new(raw);
        scanner.take()?; // the start of the stream
        let state = State::DocumentStart { implicit: true };
        Ok(Self { scanner, state, states: Vec::new(), marks: Vec::new(), tags: Vec::new() })
    }

    pub(super) fn next(&mut self) -> Result<Event, SyntaxError> {
        match self.state {
            State::DocumentStart { implicit } => self.document_start(implicit),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Place::Block),
            State::BlockSequence { first } => self.block_sequence(first),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockMappingKey { first } => self.block_mapping_key(first),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequence { first } => self.flow_sequence(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => self.pair_end(),
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => Ok(Event::StreamEnd),
        }
    }

    /// Where something other than the end of the stream follows a document.
    pub(super) fn following(&mut self) -> Option<Mark> {
        match self.peek() {
            Ok(token) if token.symbol == Symbol::StreamEnd => None,
            Ok(token) => Some(token.start),
            Err(error) => Some(error.at),
        }
    }

    fn peek(&mut self) -> Result<&Token, SyntaxError> {
        self.scanner.peek()
    }

    fn at(&mut self, symbols: &[Symbol]) -> Result<bool, SyntaxError> {
        Ok(symbols.contains(&self.peek()?.symbol))
    }

    fn here(&mut self) -> Result<Mark, SyntaxError> {
        Ok(self.peek()?.start)
    }

    /// Takes the next token if it is this one.
    fn accept(&mut self, symbol: &Symbol) -> Result<Option<Token>, SyntaxError> {
        if self.peek()?.symbol == *symbol { self.scanner.take().map(Some) } else { Ok(None) }
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn error(&mut self, problem: &str, at: Mark, context: Mark) -> SyntaxError {
        SyntaxError::new(Origin::Parser, problem, at, context)
    }

    /// The collection opened at the innermost mark does not go on like this.
    fn unexpected(&mut self, problem: &str) -> SyntaxError {
        let at = self.here().unwrap_or_default();
        let context = self.marks.pop().unwrap_or_default();
        self.error(problem, at, context)
    }

    fn empty(&mut self, mark: Mark, next: State) -> Event {
        self.state = next;
        Event::Scalar(ScalarEvent { implicit: true, start: mark, end: mark, ..ScalarEvent::default() })
    }

    fn child(&mut self, place: Place, then: State) -> Result<Event, SyntaxError> {
        self.states.push(then);
        self.node(place)
    }

    fn close(&mut self) -> Result<Event, SyntaxError> {
        self.pop();
        self.marks.pop();
        Ok(Event::CollectionEnd { end: self.scanner.take()?.end })
    }

    fn open(&mut self, first: bool) -> Result<(), SyntaxError> {
        if first {
            let token = self.scanner.take()?;
            self.marks.push(token.start);
        }
        Ok(())
    }

    fn document_start(&mut self, implicit: bool) -> Result<Event, SyntaxError> {
        if !implicit {
            while self.accept(&Symbol::DocumentEnd)?.is_some() {}
        }
        let symbol = &self.peek()?.symbol;
        let marked = matches!(symbol, Symbol::Version { .. } | Symbol::TagDirective { .. } | Symbol::DocumentStart);
        if *symbol == Symbol::StreamEnd {
            self.state = State::End;
            return Ok(Event::StreamEnd);
        }
        self.directives()?;
        self.states.push(State::DocumentEnd);
        if implicit && !marked {
            self.state = State::BlockNode;
            return Ok(Event::DocumentStart);
        }
        if self.accept(&Symbol::DocumentStart)?.is_none() {
            let at = self.here()?;
            return Err(self.error("did not find expected <document start>", at, Mark::default()));
        }
        self.state = State::DocumentContent;
        Ok(Event::DocumentStart)
    }

    fn directives(&mut self) -> Result<(), SyntaxError> {
        let mut versions = 0;
        loop {
            let Token { symbol, start, .. } = self.peek()?.clone();
            match symbol {
                Symbol::Version { .. } if versions > 0 => {
                    return Err(self.error("found duplicate %YAML directive", start, Mark::default()));
                }
                Symbol::Version { major: 1, minor: 1 } => versions += 1,
                Symbol::Version { .. } => {
                    return Err(self.error("found incompatible YAML document", start, Mark::default()));
                }
                Symbol::TagDirective { handle, prefix } => {
                    if self.tags.iter().any(|(known, _)| *known == handle) {
                        return Err(self.error("found duplicate %TAG directive", start, Mark::default()));
                    }
                    self.tags.push((handle, prefix));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(known, _)| known == handle.as_bytes()) {
                self.tags.push((handle.into(), prefix.into()));
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<Event, SyntaxError> {
        let Token { symbol, start, .. } = self.peek()?;
        let start = *start;
        let absent = matches!(
            symbol,
            Symbol::Version { .. }
                | Symbol::TagDirective { .. }
                | Symbol::DocumentStart
                | Symbol::DocumentEnd
                | Symbol::StreamEnd
        );
        if absent {
            self.pop();
            let next = self.state;
            return Ok(self.empty(start, next));
        }
        self.node(Place::Block)
    }

    fn document_end(&mut self) -> Result<Event, SyntaxError> {
        self.accept(&Symbol::DocumentEnd)?;
        self.tags.clear();
        self.state = State::DocumentStart { implicit: false };
        Ok(Event::DocumentEnd)
    }

    fn node(&mut self, place: Place) -> Result<Event, SyntaxError> {
        if let Token { symbol: Symbol::Alias(name), start, end } = self.peek()?.clone() {
            self.scanner.take()?;
            self.pop();
            return Ok(Event::Alias { name, start, end });
        }
        let properties = self.properties()?;
        let start = match properties.start {
            Some(start) => start,
            None => self.here()?,
        };
        let tag = self.resolve_tag(&properties, start)?;
        self.content(place, properties, tag, start)
    }

    fn properties(&mut self) -> Result<Properties, SyntaxError> {
        let mut found = Properties::default();
        for _ in 0..2 {
            match self.peek()?.symbol.clone() {
                Symbol::Anchor(name) if found.anchor.is_none() => found.anchor = Some(name),
                Symbol::Tag { handle, suffix } if found.tag.is_none() => {
                    let mark = self.here()?;
                    found.tag = Some((handle, suffix, mark));
                }
                _ => break,
            }
            let token = self.scanner.take()?;
            found.start.get_or_insert(token.start);
            found.end = Some(token.end);
        }
        Ok(found)
    }

    fn resolve_tag(&mut self, properties: &Properties, start: Mark) -> Result<Vec<u8>, SyntaxError> {
        let Some((handle, suffix, mark)) = &properties.tag else {
            return Ok(Vec::new());
        };
        if handle.is_empty() {
            return Ok(suffix.clone());
        }
        let prefix = self.tags.iter().find(|(known, _)| known == handle).map(|(_, prefix)| prefix);
        let tag: Vec<u8> = prefix.into_iter().chain([suffix]).flatten().copied().collect();
        if prefix.is_none() || tag.is_empty() {
            return Err(self.error("found undefined tag handle", *mark, start));
        }
        Ok(tag)
    }

    fn content(
        &mut self,
        place: Place,
        properties: Properties,
        tag: Vec<u8>,
        start: Mark,
    ) -> Result<Event, SyntaxError> {
        let token = self.peek()?.clone();
        let anchor = properties.anchor;
        let block = place != Place::Flow;
        let (sequence, flow, state) = match token.symbol {
            Symbol::BlockEntry if place == Place::BlockOrIndentless => (true, false, State::IndentlessSequence),
            Symbol::Scalar { value, style } => {
                self.scanner.take()?;
                self.pop();
                let implicit = (tag.is_empty() && style == Style::Plain) || tag == b"!";
                let block = style == Style::Block;
                let end = token.end;
                return Ok(Event::Scalar(ScalarEvent { value, anchor, tag, implicit, block, start, end }));
            }
            Symbol::FlowSequenceStart => (true, true, State::FlowSequence { first: true }),
            Symbol::FlowMappingStart => (false, true, State::FlowMappingKey { first: true }),
            Symbol::BlockSequenceStart if block => (true, false, State::BlockSequence { first: true }),
            Symbol::BlockMappingStart if block => (false, false, State::BlockMappingKey { first: true }),
            _ if anchor.is_some() || !tag.is_empty() => {
                self.pop();
                let (implicit, end) = (tag.is_empty(), properties.end.unwrap_or(start));
                let value = Vec::new();
                return Ok(Event::Scalar(ScalarEvent { value, anchor, tag, implicit, block: false, start, end }));
            }
            _ => return Err(self.error("did not find expected node content", token.start, start)),
        };
        self.state = state;
        if sequence {
            Ok(Event::SequenceStart { anchor, start, flow })
        } else {
            Ok(Event::MappingStart { anchor, start, flow })
        }
    }

    fn block_sequence(&mut self, first: bool) -> Result<Event, SyntaxError> {
        self.open(first)?;
        let next = State::BlockSequence { first: false };
        if let Some(entry) = self.accept(&Symbol::BlockEntry)? {
            if self.at(&[Symbol::BlockEntry, Symbol::BlockEnd])? {
                return Ok(self.empty(entry.end, next));
            }
            return self.child(Place::Block, next);
        }
        if self.at(&[Symbol::BlockEnd])? {
            return self.close();
        }
        Err(self.unexpected("did not find expected '-' indicator"))
    }

    fn indentless_sequence(&mut self) -> Result<Event, SyntaxError> {
        let Some(entry) = self.accept(&Symbol::BlockEntry)? else {
            self.pop();
            return Ok(Event::CollectionEnd { end: self.here()? });
        };
        if self.at(&[Symbol::BlockEntry, Symbol::Key, Symbol::Value, Symbol::BlockEnd])? {
            return Ok(self.empty(entry.end, State::IndentlessSequence));
        }
        self.child(Place::Block, State::IndentlessSequence)
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<Event, SyntaxError> {
        self.open(first)?;
        if let Some(key) = self.accept(&Symbol::Key)? {
            if self.at(&[Symbol::Key, Symbol::Value, Symbol::BlockEnd])? {
                return Ok(self.empty(key.end, State::BlockMappingValue));
            }
            return self.child(Place::BlockOrIndentless, State::BlockMappingValue);
        }
        if self.at(&[Symbol::BlockEnd])? {
            return self.close();
        }
        Err(self.unexpected("did not find expected key"))
    }

    fn block_mapping_value(&mut self) -> Result<Event, SyntaxError> {
        let next = State::BlockMappingKey { first: false };
        let Some(value) = self.accept(&Symbol::Value)? else {
            let here = self.here()?;
            return Ok(self.empty(here, next));
        };
        if self.at(&[Symbol::Key, Symbol::Value, Symbol::BlockEnd])? {
            return Ok(self.empty(value.end, next));
        }
        self.child(Place::BlockOrIndentless, next)
    }

    /// Takes the comma between entries; nothing stands before the first.
    fn separator(&mut self, first: bool, problem: &str) -> Result<(), SyntaxError> {
        if first || self.accept(&Symbol::FlowEntry)?.is_some() {
            return Ok(());
        }
        Err(self.unexpected(problem))
    }

    fn flow_sequence(&mut self, first: bool) -> Result<Event, SyntaxError> {
        self.open(first)?;
        if self.at(&[Symbol::FlowSequenceEnd])? {
            return self.close();
        }
        self.separator(first, "did not find expected ',' or ']'")?;
        if let Some(key) = self.accept(&Symbol::Key)? {
            self.state = State::PairKey;
            return Ok(Event::MappingStart { anchor: None, start: key.start, flow: true });
        }
        if self.at(&[Symbol::FlowSequenceEnd])? {
            return self.close();
        }
        self.child(Place::Flow, State::FlowSequence { first: false })
    }

    fn pair_key(&mut self) -> Result<Event, SyntaxError> {
        if self.at(&[Symbol::Value, Symbol::FlowEntry, Symbol::FlowSequenceEnd])? {
            // The library swallows this token, so `[? ]` never finds its end.
            let token = self.scanner.take()?;
            return Ok(self.empty(token.end, State::PairValue));
        }
        self.child(Place::Flow, State::PairValue)
    }

    fn pair_value(&mut self) -> Result<Event, SyntaxError> {
        if self.accept(&Symbol::Value)?.is_some() && !self.at(&[Symbol::FlowEntry, Symbol::FlowSequenceEnd])? {
            return self.child(Place::Flow, State::PairEnd);
        }
        let here = self.here()?;
        Ok(self.empty(here, State::PairEnd))
    }

    fn pair_end(&mut self) -> Result<Event, SyntaxError> {
        self.state = State::FlowSequence { first: false };
        Ok(Event::CollectionEnd { end: self.here()? })
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event, SyntaxError> {
        self.open(first)?;
        if self.at(&[Symbol::FlowMappingEnd])? {
            return self.close();
        }
        self.separator(first, "did not find expected ',' or '}'")?;
        if self.accept(&Symbol::Key)?.is_some() {
            let next = State::FlowMappingValue { empty: false };
            if self.at(&[Symbol::Value, Symbol::FlowEntry, Symbol::FlowMappingEnd])? {
                let here = self.here()?;
                return Ok(self.empty(here, next));
            }
            return self.child(Place::Flow, next);
        }
        if self.at(&[Symbol::FlowMappingEnd])? {
            return self.close();
        }
        self.child(Place::Flow, State::FlowMappingValue { empty: true })
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Result<Event, SyntaxError> {
        let next = State::FlowMappingKey { first: false };
        let has_value = !empty
            && self.accept(&Symbol::Value)?.is_some()
            && !self.at(&[Symbol::FlowEntry, Symbol::FlowMappingEnd])?;
        if has_value {
            return self.child(Place::Flow, next);
        }
        let here = self.here()?;
        Ok(self.empty(here, next))
    }
}
