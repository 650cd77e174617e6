//! The one condition language: what Sigma and Falco conditions become.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use regex::Regex;

use crate::field::Field;

/// What is known about a condition on one event. In this order the least of several is what all of them come to, and the
/// greatest what any of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    False,
    /// The audit level, the stage or truncation hid a field that decides it.
    NotRecorded,
    /// It holds.
    True,
}

impl Truth {
    /// `True` or `False`.
    pub fn known(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// Whether it is true, or false if the sense is negative. What is not recorded is neither.
    pub(crate) fn is(self, sense: Sense) -> bool {
        match sense {
            Sense::Positive => self == Self::True,
            Sense::Negative => self == Self::False,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    /// What is not recorded stays so.
    fn not(self) -> Truth {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::NotRecorded => Self::NotRecorded,
        }
    }
}

/// A condition on one event.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Holds always, or never.
    Always(Truth),
    /// Every one holds; an empty list holds.
    All(Vec<Condition>),
    /// At least one holds; an empty list does not.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A test of one field.
    Test(Predicate),
}

impl Condition {
    /// The condition that holds when this one does not.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::Always(truth) => Self::Always(!truth),
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of `parts`, without needless nesting.
    pub fn all(mut parts: Vec<Condition>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::All(parts) }
    }

    /// Any of `parts`, without needless nesting.
    pub fn any(mut parts: Vec<Condition>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::Any(parts) }
    }

    /// Calls `visit` with every test and whether it stands under an odd number of negations.
    pub fn each_test<'c>(&'c self, visit: &mut dyn FnMut(&'c Predicate, Sense)) {
        self.visit(Sense::Positive, visit);
    }

    /// Calls `visit` with every test.
    pub(crate) fn each_test_mut(&mut self, visit: &mut dyn FnMut(&mut Predicate)) {
        match self {
            Self::Always(_) => {}
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().for_each(|part| part.each_test_mut(visit)),
            Self::Not(inner) => inner.each_test_mut(visit),
            Self::Test(predicate) => visit(predicate),
        }
    }

    fn visit<'c>(&'c self, sense: Sense, visit: &mut dyn FnMut(&'c Predicate, Sense)) {
        match self {
            Self::Always(_) => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(sense, visit)),
            Self::Not(inner) => inner.visit(sense.flipped(), visit),
            Self::Test(predicate) => visit(predicate, sense),
        }
    }
}

/// Whether a test must hold or must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sense {
    /// It stands as it is.
    Positive,
    /// It stands under a negation.
    Negative,
}

impl Sense {
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Positive => Self::Negative,
            Self::Negative => Self::Positive,
        }
    }
}

/// A test of the values of one field. A field without a value fails every test.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Predicate {
    /// Whose values.
    pub field: Field,
    /// What is asked of them.
    pub test: Test,
}

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Case {
    /// They do not: patterns are kept in lower case.
    Folded,
    /// They do.
    Exact,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the comparisons")]
pub enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether `left` stands in this order to `right`.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// As written in a condition.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A part of a time, as the Sigma time modifiers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of Sigma's time modifiers")]
pub enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// How the values of two fields are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Equal, less and so on; numbers as numbers if both are.
    Order(Order),
    /// The first contains the second.
    Contains,
    /// The first starts with the second.
    StartsWith,
    /// The first ends with the second.
    EndsWith,
}

/// What is asked of a field's values. Except where said otherwise, one value that passes is enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// There is a value, and it is not null.
    Exists,
    /// The value as text fits a pattern.
    Text(Case, Pattern),
    /// Every value, as text, is one of these (sorted).
    AllWithin(Vec<Box<str>>),
    /// Every value fits the test; [`Test::AllWithin`] is the common case.
    Every(Box<Test>),
    /// One of several tests holds for one value.
    AnyOf(Vec<Test>),
    /// The value is a number in this order to the given one.
    Number(Order, Float),
    /// The value as text stands in this order to the given one.
    TextOrder(Order, Box<str>),
    /// The value fits a regular expression.
    Regex(Expression),
    /// The value is an address in one of these networks.
    Network(Vec<IpNet>),
    /// A part of the value, a time, is in this order to the given number.
    Time(TimePart, Order, i64),
    /// The value is so related to a value of another field.
    Compare(Relation, Case, Box<Field>),
    /// One of these paths is the value or stands above it (sorted).
    UnderPath(Vec<Box<str>>),
}

/// A number that can be hashed: compared by its bits.
#[derive(Debug, Clone, Copy)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

impl std::hash::Hash for Float {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A bounded regular expression.
#[derive(Clone)]
pub struct Expression(Arc<Written>);

/// The text of a regular expression, and its compiled form once there is one; none if it does not compile.
struct Written {
    text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

/// Largest compiled form of one regular expression, in bytes; a larger one is refused.
pub const REGEX_BYTES_MAX: usize = 8 << 20;
/// Longest text of one regular expression, in bytes; a longer one is refused.
pub const REGEX_TEXT_MAX: usize = 16 << 10;

impl Expression {
    /// Compiles `text`. Matching takes time in proportion to the value, whatever the expression.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let compiled = OnceLock::from(Some(compile(text)?));
        Ok(Self(Arc::new(Written { text: text.into(), compiled })))
    }

    /// Compiles `text` when it is first asked. One that does not compile finds nothing, so this is for expressions that
    /// were compiled before.
    pub(crate) fn deferred(text: &str) -> Self {
        Self(Arc::new(Written { text: text.into(), compiled: OnceLock::new() }))
    }

    /// The text of the expression.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether it is found in `value`.
    pub fn finds(&self, value: &str) -> bool {
        match self.text() {
            // The most common of all, and the automaton has no short cut for it.
            "." => value.bytes().any(|byte| byte != b'\n'),
            text => {
                let compiled = self.0.compiled.get_or_init(|| compile(text).ok());
                compiled.as_ref().is_some_and(|regex| regex.is_match(value))
            }
        }
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    if text.len() > REGEX_TEXT_MAX {
        return Err(regex::Error::CompiledTooBig(REGEX_TEXT_MAX));
    }
    regex::RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build()
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text()).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Expression {}

impl std::hash::Hash for Expression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

/// A text pattern. Under [`Case::Folded`] its texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// The whole value.
    Exact(Box<str>),
    /// Its start.
    Prefix(Box<str>),
    /// Its end.
    Suffix(Box<str>),
    /// Any part of it.
    Contains(Box<str>),
    /// Literals with `*` and `?` between them.
    Wild(Box<[Piece]>),
}

/// One piece of a wildcard pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// Exactly this text.
    Literal(Box<str>),
    /// Any number of characters.
    Many,
    /// Exactly one character.
    One,
}

impl Pattern {
    /// The simplest pattern of `pieces`; neighbouring literals and stars are joined.
    pub fn of(pieces: Vec<Piece>) -> Self {
        let pieces = joined(pieces);
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            _ => "".into(),
        };
        match pieces.as_slice() {
            [] => Self::Exact("".into()),
            [Piece::Literal(text)] => Self::Exact(text.clone()),
            [literal @ Piece::Literal(_), Piece::Many] => Self::Prefix(text(literal)),
            [Piece::Many, literal @ Piece::Literal(_)] => Self::Suffix(text(literal)),
            [Piece::Many, literal @ Piece::Literal(_), Piece::Many] => Self::Contains(text(literal)),
            [Piece::Many] => Self::Contains("".into()),
            _ => Self::Wild(pieces.into()),
        }
    }

    /// The same pattern in lower case.
    #[must_use]
    pub fn lower(self) -> Self {
        let lower = |text: Box<str>| text.to_lowercase().into_boxed_str();
        match self {
            Self::Exact(text) => Self::Exact(lower(text)),
            Self::Prefix(text) => Self::Prefix(lower(text)),
            Self::Suffix(text) => Self::Suffix(lower(text)),
            Self::Contains(text) => Self::Contains(lower(text)),
            Self::Wild(pieces) => Self::Wild(
                pieces
                    .into_iter()
                    .map(|piece| match piece {
                        Piece::Literal(text) => Piece::Literal(lower(text)),
                        other => other,
                    })
                    .collect(),
            ),
        }
    }

    /// Whether `value` (in lower case if the pattern is) fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => value == &**text,
            Self::Prefix(text) => value.starts_with(&**text),
            Self::Suffix(text) => value.ends_with(&**text),
            Self::Contains(text) => memchr::memmem::find(value.as_bytes(), text.as_bytes()).is_some(),
            Self::Wild(pieces) => wild_fits(pieces, value),
        }
    }
}

fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(text)) => *before = format!("{before}{text}").into(),
            (Some(Piece::Many), Piece::Many) => {}
            (_, Piece::Literal(text)) if text.is_empty() => {}
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

/// Greedy matching: after a star only the nearest place of what follows needs to be tried again, so the time is at
/// most the product of both lengths.
fn wild_fits(pieces: &[Piece], value: &str) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pieces.get(piece) {
            None if at == value.len() => return true,
            None => None,
            Some(Piece::Many) => {
                retry = Some((piece, at));
                piece += 1;
                continue;
            }
            Some(Piece::One) => value[at..].chars().next().map(char::len_utf8),
            Some(Piece::Literal(text)) => value[at..].starts_with(&**text).then_some(text.len()),
        };
        match (step, &mut retry) {
            (Some(length), _) => (piece, at) = (piece + 1, at + length),
            (None, Some((star, from))) => {
                let Some(skipped) = value[*from..].chars().next() else { return false };
                *from += skipped.len_utf8();
                (piece, at) = (*star + 1, *from);
            }
            (None, None) => return false,
        }
    }
}

/// Reads an address, also with a port or zone left out as audit events write it.
pub(crate) fn address(value: &str) -> Option<IpAddr> {
    let address: IpAddr = value.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(address.to_canonical())
}
