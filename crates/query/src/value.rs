//! A written value → the test that it means for its target.

use std::net::IpAddr;
use std::ops::Bound;

use audit::ByteSize;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Problem;
use crate::expr::{Expr, Target, Term, Test};
use crate::field::{Field, Kind};
use crate::pattern::{Pattern, Piece};
use crate::range::{NumberRange, Range};
use crate::time::{self, Context};

/// Largest integer that a query can name; its neighbours still fit.
const INTEGER_MAX: i64 = 1_000_000_000_000_000_000;

/// A value as written: with its wildcards, and as plain text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Value {
    pub(crate) pattern: Pattern,
    pub(crate) raw: String,
    pub(crate) is_quoted: bool,
}

/// `<`, `<=`, `>`, `>=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One end of a written range; `None` is `*`.
pub(crate) struct End<'v> {
    pub(crate) value: Option<&'v Value>,
    pub(crate) is_included: bool,
}

/// `target:value`.
pub(crate) fn equals(target: &Target, value: &Value, context: &Context) -> Result<Expr, Problem> {
    let term = |test| Expr::Term(Term { target: target.clone(), test });
    if value.raw.is_empty() {
        return Ok(term(Test::Exists).negate());
    }
    if value.pattern.is_any() {
        return Ok(term(Test::Exists));
    }
    if let Some((low, high)) = two_dots(target, value) {
        let (low, high) = (part(low), part(high));
        let ends =
            [&low, &high].map(|value| End { value: (!value.raw.is_empty()).then_some(value), is_included: true });
        return range(target, &ends, context);
    }
    match target {
        Target::Anything => Ok(term(Test::Has(value.pattern.clone()))),
        Target::Path(_) => Ok(term(Test::Is(value.pattern.clone()))),
        Target::Field(field) => match field.kind() {
            Kind::Words => Ok(term(Test::Has(value.pattern.clone()))),
            Kind::Keyword => Ok(keyword(*field, &value.pattern)),
            Kind::Address => Ok(term(address(value))),
            _ => Ok(term(Test::Within(span(*field, value, context)?))),
        },
    }
}

/// `target>value` and its like.
pub(crate) fn compare(
    target: &Target,
    comparison: Comparison,
    value: &Value,
    context: &Context,
) -> Result<Expr, Problem> {
    let end = |is_included| End { value: Some(value), is_included };
    let open = End { value: None, is_included: true };
    match comparison {
        Comparison::Less => range(target, &[open, end(false)], context),
        Comparison::LessOrEqual => range(target, &[open, end(true)], context),
        Comparison::Greater => range(target, &[end(false), open], context),
        Comparison::GreaterOrEqual => range(target, &[end(true), open], context),
    }
}

/// `target:[low TO high]`.
pub(crate) fn range(target: &Target, ends: &[End<'_>; 2], context: &Context) -> Result<Expr, Problem> {
    let test = match target {
        Target::Field(field) if field.kind().is_ordered() => integer_range(*field, ends, context)?,
        Target::Path(_) => number_range(target, ends)?,
        Target::Field(_) | Target::Anything => return Err(Problem::NotOrdered { field: target.to_string() }),
    };
    Ok(Expr::Term(Term { target: target.clone(), test }))
}

fn integer_range(field: Field, [low, high]: &[End<'_>; 2], context: &Context) -> Result<Test, Problem> {
    let ends = |value: &Value| {
        let span = span(field, value, context)?;
        Ok::<_, Problem>((span.low.unwrap_or(i64::MIN), span.high.unwrap_or(i64::MAX)))
    };
    let mut range = Range::ALL;
    if let Some(value) = low.value {
        let (first, last) = ends(value)?;
        range.low = Some(if low.is_included { first } else { last + 1 });
    }
    if let Some(value) = high.value {
        let (first, last) = ends(value)?;
        range.high = Some(if high.is_included { last } else { first - 1 });
    }
    if field.kind() == Kind::Time {
        range.low = range.low.map(|low| low.min(time::TIME_MAX));
        range.high = range.high.map(|high| high.max(time::TIME_MIN));
    }
    match range {
        Range::ALL => Ok(Test::Exists),
        range if range.is_empty() => Err(Problem::EmptyRange),
        range => Ok(Test::Within(range)),
    }
}

fn number_range(target: &Target, [low, high]: &[End<'_>; 2]) -> Result<Test, Problem> {
    let bound = |end: &End<'_>| match end.value {
        None => Ok(Bound::Unbounded),
        Some(value) => match number(&value.raw) {
            Some(number) if end.is_included => Ok(Bound::Included(number)),
            Some(number) => Ok(Bound::Excluded(number)),
            None => Err(wrong(target, value, "a number")),
        },
    };
    let range = NumberRange { low: bound(low)?, high: bound(high)? };
    match (range.low, range.high) {
        (Bound::Unbounded, Bound::Unbounded) => Ok(Test::Exists),
        _ if range.is_empty() => Err(Problem::EmptyRange),
        _ => Ok(Test::Between(range)),
    }
}

/// The integers that `value` covers: one, or more where it is written coarsely (`4xx`, a date).
fn span(field: Field, value: &Value, context: &Context) -> Result<Range, Problem> {
    let raw = value.raw.as_str();
    let span = match field.kind() {
        Kind::Time => time::span(raw, context),
        Kind::Duration => duration(raw).map(Range::exactly),
        Kind::Size => integer(raw).or_else(|| size(raw)).map(Range::exactly),
        _ if field == Field::Code => integer(raw).map(Range::exactly).or_else(|| code_class(raw)),
        _ => integer(raw).map(Range::exactly),
    };
    span.ok_or_else(|| wrong(&Target::Field(field), value, field.kind().expected()))
}

fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| (-INTEGER_MAX..=INTEGER_MAX).contains(number))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn duration(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => time::parse_duration(rest).map(|micros| -micros),
        None => time::parse_duration(text),
    }
}

fn size(text: &str) -> Option<i64> {
    let ByteSize(bytes) = text.parse().ok()?;
    i64::try_from(bytes).ok().filter(|bytes| *bytes <= INTEGER_MAX)
}

/// `4xx` and `4*`.
fn code_class(text: &str) -> Option<Range> {
    let (class, rest) = (text.get(..1)?.parse::<i64>().ok()?, text.get(1..)?);
    let is_class = matches!(rest, "xx" | "XX" | "*" | "??");
    is_class.then_some(Range { low: Some(class * 100), high: Some(class * 100 + 99) })
}

/// `resource:pods/exec` asks for both.
fn keyword(field: Field, pattern: &Pattern) -> Expr {
    let is =
        |field, pattern: Pattern| Expr::field(field, if pattern.is_any() { Test::Exists } else { Test::Is(pattern) });
    let parts = if field == Field::Resource { split_at_slash(pattern) } else { None };
    match parts {
        Some((resource, subresource)) => Expr::and([is(field, resource), is(Field::Subresource, subresource)]),
        None => is(field, pattern.clone()),
    }
}

fn split_at_slash(pattern: &Pattern) -> Option<(Pattern, Pattern)> {
    let pieces = pattern.pieces();
    let (i, before, after) = pieces.iter().enumerate().find_map(|(i, piece)| match piece {
        Piece::Text(text) => text.split_once('/').map(|(before, after)| (i, before, after)),
        _ => None,
    })?;
    let text = |text: &str| Piece::Text(text.to_owned());
    let left = Pattern::new(pieces[..i].iter().cloned().chain([text(before)]));
    let right = Pattern::new([text(after)].into_iter().chain(pieces[i + 1..].iter().cloned()));
    let both = !left.pieces().is_empty() && !right.pieces().is_empty();
    // A second slash names nothing that exists: let the value stand as it is.
    both.then_some((left, right)).filter(|(_, right)| split_is_done(right))
}

fn split_is_done(right: &Pattern) -> bool {
    right.pieces().iter().all(|piece| !matches!(piece, Piece::Text(text) if text.contains('/')))
}

fn address(value: &Value) -> Test {
    if let Ok(address) = value.raw.parse::<IpAddr>() {
        return Test::Inside(single(address.to_canonical()));
    }
    match value.raw.parse::<IpNet>() {
        Ok(network) => Test::Inside(network.trunc()),
        Err(_) => Test::Is(value.pattern.clone()),
    }
}

fn single(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(address) => Ipv4Net::from(address).into(),
        IpAddr::V6(address) => Ipv6Net::from(address).into(),
    }
}

/// `400..499`, where the target has an order. In a path both ends must be numbers, for `..` may be text there.
fn two_dots<'v>(target: &Target, value: &'v Value) -> Option<(&'v str, &'v str)> {
    let (low, high) = value.raw.split_once("..")?;
    let is_range = match target {
        Target::Field(field) => field.kind().is_ordered(),
        Target::Path(_) => !value.is_quoted && number(low).is_some() && number(high).is_some(),
        Target::Anything => false,
    };
    is_range.then_some((low, high))
}

fn part(text: &str) -> Value {
    Value { pattern: Pattern::literal(text), raw: text.to_owned(), is_quoted: false }
}

fn wrong(target: &Target, value: &Value, expected: &'static str) -> Problem {
    Problem::WrongValue { field: target.to_string(), value: value.raw.clone(), expected }
}
