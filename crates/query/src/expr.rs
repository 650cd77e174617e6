//! The typed tree of a query.

use std::fmt;
use std::ops::Bound;

use ipnet::IpNet;

use crate::field::{Field, Kind};
use crate::path::Path;
use crate::pattern::Pattern;
use crate::range::{NumberRange, Range};
use crate::time;

/// A query: text in, tree out. Displayed, it is its canonical text, which reads as the same query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The tree.
    pub expr: Expr,
}

/// A node of the tree. Made by [`Expr::and`], [`Expr::or`] and [`Expr::negate`], it is flat: no and in an and.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Every row.
    All,
    /// One test.
    Term(Term),
    /// What the inner expression does not match. True of rows that lack the field.
    Not(Box<Expr>),
    /// All of them; at least two.
    And(Vec<Expr>),
    /// Any of them; at least two.
    Or(Vec<Expr>),
}

/// One test of one value or list of values. True if any value satisfies it; false if there is none.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "see the types")]
pub struct Term {
    pub target: Target,
    pub test: Test,
}

/// What is tested.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A field of the row.
    Field(Field),
    /// Values in the event's own JSON.
    Path(Path),
    /// Every value of the event; the raw text of an entry in quarantine.
    Anything,
}

/// How it is tested. Text is compared without regard to the case of ASCII letters.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// There is a value. `null` and the empty text count as absent.
    Exists,
    /// The whole value is this. For fields of [`Kind::Keyword`] and [`Kind::Address`] and for paths; where a path ends at
    /// an object, the pattern is looked for as by `Has` in every value below.
    Is(Pattern),
    /// The value has these words in it. For fields of [`Kind::Words`] and for [`Target::Anything`].
    Has(Pattern),
    /// The integer lies inside. For ordered fields, in their unit.
    Within(Range),
    /// The number lies inside. For paths.
    Between(NumberRange),
    /// The address belongs to the network. For [`Kind::Address`]. IPv4 in IPv6 counts as IPv4.
    Inside(IpNet),
}

impl Query {
    /// The query that matches every row.
    pub fn all() -> Self {
        Self { expr: Expr::All }
    }

    /// Rows that match both queries.
    #[must_use]
    pub fn and(self, other: Query) -> Self {
        Self { expr: Expr::and([self.expr, other.expr]) }
    }

    /// Rows whose time lies in `range`.
    pub fn within(range: Range) -> Self {
        if range == Range::ALL {
            return Self::all();
        }
        Self { expr: Expr::field(Field::Time, Test::Within(range)) }
    }

    /// An interval outside which no row can match, for pruning by time.
    pub fn time_range(&self) -> Range {
        self.expr.time_range()
    }
}

impl Expr {
    /// All of `parts`.
    pub fn and(parts: impl IntoIterator<Item = Expr>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Expr::All => {}
                Expr::And(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        match flat.len() {
            0 => Expr::All,
            1 => flat.swap_remove(0),
            _ => Expr::And(flat),
        }
    }

    /// Any of `parts`; every row if one of them is every row. `parts` must not be empty.
    pub fn or(parts: impl IntoIterator<Item = Expr>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Expr::All => return Expr::All,
                Expr::Or(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        match flat.len() {
            0 => Expr::All,
            1 => flat.swap_remove(0),
            _ => Expr::Or(flat),
        }
    }

    /// What this does not match.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Expr::Not(inner) => *inner,
            other => Expr::Not(Box::new(other)),
        }
    }

    /// A test of a field.
    pub fn field(field: Field, test: Test) -> Self {
        Expr::Term(Term { target: Target::Field(field), test })
    }

    /// A test of a field for a text without wildcards.
    pub fn field_is(field: Field, text: impl Into<String>) -> Self {
        Self::field(field, Test::Is(Pattern::literal(text)))
    }

    fn time_range(&self) -> Range {
        match self {
            Expr::Term(Term { target: Target::Field(Field::Time), test: Test::Within(range) }) => *range,
            Expr::And(parts) => parts.iter().fold(Range::ALL, |range, part| range.intersection(part.time_range())),
            Expr::Or(parts) => parts.iter().map(Expr::time_range).reduce(Range::hull).unwrap_or(Range::ALL),
            Expr::All | Expr::Term(_) | Expr::Not(_) => Range::ALL,
        }
    }
}

impl Target {
    /// The field that a path names, or the path: `objectRef.resource` is `resource`.
    pub fn of_path(path: Path) -> Self {
        match Field::from_name(&path.to_string()) {
            Some(field) => Self::Field(field),
            None => Self::Path(path),
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::All => f.write_str("*"),
            Expr::Term(term) => term.fmt(f),
            Expr::Not(inner) => match **inner {
                Expr::And(_) | Expr::Or(_) => write!(f, "NOT ({inner})"),
                _ => write!(f, "NOT {inner}"),
            },
            Expr::And(parts) => join(f, parts, " AND ", |part| matches!(part, Expr::Or(_))),
            Expr::Or(parts) => join(f, parts, " OR ", |_| false),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, bracketed: fn(&Expr) -> bool) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        if bracketed(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.target, &self.test) {
            (Target::Anything, Test::Has(pattern) | Test::Is(pattern)) => write_free_text(f, pattern),
            (target, Test::Exists) => write!(f, "{target}:*"),
            (target, Test::Is(pattern) | Test::Has(pattern)) => write!(f, "{target}:{pattern}"),
            (target, Test::Inside(network)) => write!(f, "{target}:{network}"),
            (target, Test::Within(range)) => write_range(f, target, *range),
            (target, Test::Between(range)) => write_number_range(f, target, range),
        }
    }
}

/// In quotes wherever the bare text could be read as something else.
fn write_free_text(f: &mut fmt::Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    let text = pattern.to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'*' | b'?'));
    let keyword = ["and", "or", "not", "to"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if text.starts_with('"') || (plain && !keyword) { f.write_str(&text) } else { write!(f, "\"{text}\"") }
}

fn write_range(f: &mut fmt::Formatter<'_>, target: &Target, range: Range) -> fmt::Result {
    let kind = if let Target::Field(field) = target { field.kind() } else { Kind::Integer };
    let show = |value: i64| match kind {
        Kind::Time => time::write(value),
        Kind::Duration => format!("{value}us"),
        _ => value.to_string(),
    };
    match (range.low, range.high) {
        (None, None) => write!(f, "{target}:*"),
        (Some(low), None) => write!(f, "{target}>={}", show(low)),
        (None, Some(high)) => write!(f, "{target}<={}", show(high)),
        (Some(low), Some(high)) if low == high => write!(f, "{target}:{}", show(low)),
        (Some(low), Some(high)) => write!(f, "{target}:[{} TO {}]", show(low), show(high)),
    }
}

fn write_number_range(f: &mut fmt::Formatter<'_>, target: &Target, range: &NumberRange) -> fmt::Result {
    use Bound::{Excluded, Included, Unbounded};
    match (range.low, range.high) {
        (Unbounded, Unbounded) => write!(f, "{target}:*"),
        (Included(low), Unbounded) => write!(f, "{target}>={low:?}"),
        (Excluded(low), Unbounded) => write!(f, "{target}>{low:?}"),
        (Unbounded, Included(high)) => write!(f, "{target}<={high:?}"),
        (Unbounded, Excluded(high)) => write!(f, "{target}<{high:?}"),
        (Included(low) | Excluded(low), Included(high) | Excluded(high)) => {
            let open = if matches!(range.low, Included(_)) { '[' } else { '{' };
            let close = if matches!(range.high, Included(_)) { ']' } else { '}' };
            write!(f, "{target}:{open}{low:?} TO {high:?}{close}")
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Field(field) => f.write_str(field.name()),
            Target::Path(path) => path.fmt(f),
            Target::Anything => f.write_str("*"),
        }
    }
}
