//! Query text → tree, by recursive descent.
//!
//! ```text
//! or    = and { ("OR" | "||") and }            in a field group also ","
//! and   = not { ["AND" | "&&"] not }
//! not   = { "NOT" | "-" | "!" } term
//! term  = "(" or ")" | name test | text
//! test  = ":" values | ":" "(" or ")" | ":" range | op value
//! range = ("[" | "{") end "TO" end ("]" | "}")
//! ```

use crate::error::{ParseError, Problem};
use crate::expr::{Expr, Query, Target};
use crate::field::Field;
use crate::path::{Path, Root, Step, is_key_byte};
use crate::pattern::{Pattern, Piece};
use crate::time::Context;
use crate::value::{self, Comparison, End, Value};

/// Longest query that is read.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Most terms in a query.
pub const TERMS_MAX: usize = 1024;
/// Deepest nesting of brackets and negations.
pub const DEPTH_MAX: usize = 64;

type Parsed<T> = Result<T, ParseError>;

impl Query {
    /// Reads a query; the empty text matches every row.
    pub fn parse(text: &str, context: &Context) -> Result<Self, ParseError> {
        if text.len() > QUERY_BYTES_MAX {
            let problem = Problem::TooLong { bytes: text.len(), limit: QUERY_BYTES_MAX };
            return Err(ParseError { column: 1, width: 1, problem });
        }
        let mut parser = Parser { text, at: 0, context, terms: 0, depth: 0 };
        if parser.is_at_end() {
            return Ok(Self::all());
        }
        let expr = parser.or(None)?;
        if !parser.is_at_end() {
            return Err(parser.expected("AND, OR or the end of the query"));
        }
        Ok(Self { expr })
    }
}

struct Parser<'q> {
    text: &'q str,
    at: usize,
    context: &'q Context,
    terms: usize,
    depth: usize,
}

impl Parser<'_> {
    /// In a field group `scope` is the field, and terms are values.
    fn or(&mut self, scope: Option<&Target>) -> Parsed<Expr> {
        let mut parts = vec![self.and(scope)?];
        while self.take_keyword("OR") || self.take("||") || (scope.is_some() && self.take(",")) {
            parts.push(self.and(scope)?);
        }
        Ok(Expr::or(parts))
    }

    fn and(&mut self, scope: Option<&Target>) -> Parsed<Expr> {
        let mut parts = vec![self.not(scope)?];
        loop {
            if self.take_keyword("AND") || self.take("&&") {
                parts.push(self.not(scope)?);
            } else if self.ends_and(scope) {
                return Ok(Expr::and(parts));
            } else {
                parts.push(self.not(scope)?);
            }
        }
    }

    fn ends_and(&mut self, scope: Option<&Target>) -> bool {
        self.is_at_end()
            || self.rest().starts_with(')')
            || self.rest().starts_with("||")
            || (scope.is_some() && self.rest().starts_with(','))
            || self.is_keyword("OR")
    }

    fn not(&mut self, scope: Option<&Target>) -> Parsed<Expr> {
        let mut negations = 0;
        while self.take_negation() {
            negations += 1;
            if negations > DEPTH_MAX {
                return Err(self.wrong(self.at, Problem::TooDeep { limit: DEPTH_MAX }));
            }
        }
        let expr = self.term(scope)?;
        Ok(if negations % 2 == 1 { expr.negate() } else { expr })
    }

    fn take_negation(&mut self) -> bool {
        if self.take_keyword("NOT") {
            return true;
        }
        let mut next = self.rest().chars();
        let is_sign = matches!(next.next(), Some('-' | '!'));
        let negates = is_sign && next.next().is_some_and(|c| !c.is_whitespace());
        self.at += usize::from(negates);
        negates
    }

    fn term(&mut self, scope: Option<&Target>) -> Parsed<Expr> {
        self.skip_blanks();
        if self.rest().starts_with('(') {
            return self.group(scope);
        }
        self.count_term()?;
        match scope {
            Some(target) => self.value_term(target),
            None => self.named_term(),
        }
    }

    fn group(&mut self, scope: Option<&Target>) -> Parsed<Expr> {
        let open = self.at;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong(open, Problem::TooDeep { limit: DEPTH_MAX }));
        }
        self.at += 1;
        let expr = self.or(scope)?;
        self.depth -= 1;
        if !self.take(")") {
            return Err(self.unclosed(open, "`(`", "AND, OR or `)`"));
        }
        Ok(expr)
    }

    fn count_term(&mut self) -> Parsed<()> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.wrong(self.at, Problem::TooManyTerms { limit: TERMS_MAX }));
        }
        Ok(())
    }

    fn named_term(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let Some(name) = self.name()? else { return self.free_text() };
        let Some(operator) = self.operator() else {
            self.at = start;
            return self.free_text();
        };
        let target = name.resolve().map_err(|problem| ParseError {
            column: self.column(start),
            width: name.text.chars().count(),
            problem,
        })?;
        self.skip_blanks();
        match operator {
            Operator::Is if self.rest().starts_with('(') => self.group(Some(&target)),
            Operator::Is => self.values(&target),
            Operator::IsNot => Ok(self.values(&target)?.negate()),
            Operator::Compare(comparison) => self.comparison(&target, comparison),
        }
    }

    fn free_text(&mut self) -> Parsed<Expr> {
        let value = self.value(Stop::Blank, "a word, a phrase in quotes or `field:value`")?;
        if value.pattern.is_any() {
            return Ok(Expr::All);
        }
        if value.raw.is_empty() {
            return Err(
                self.wrong(self.at - 1, Problem::Expected { what: "text between the quotes", found: "\"".into() })
            );
        }
        value::equals(&Target::Anything, &value, self.context).map_err(|problem| self.wrong(self.at, problem))
    }

    /// `a`, `a,b`, or a range.
    fn values(&mut self, target: &Target) -> Parsed<Expr> {
        let mut parts = vec![self.value_term(target)?];
        while self.rest().starts_with(',') {
            self.at += 1;
            self.skip_blanks();
            self.count_term()?;
            parts.push(self.value_term(target)?);
        }
        Ok(Expr::or(parts))
    }

    fn value_term(&mut self, target: &Target) -> Parsed<Expr> {
        if self.rest().starts_with(['[', '{']) {
            return self.range(target);
        }
        if let Some(comparison) = self.take_comparison() {
            self.skip_blanks();
            return self.comparison(target, comparison);
        }
        let start = self.at;
        let value = self.value(Stop::Comma, "a value")?;
        value::equals(target, &value, self.context).map_err(|problem| self.wrong_from(start, problem))
    }

    fn comparison(&mut self, target: &Target, comparison: Comparison) -> Parsed<Expr> {
        let start = self.at;
        let value = self.value(Stop::Comma, "a value")?;
        value::compare(target, comparison, &value, self.context).map_err(|problem| self.wrong_from(start, problem))
    }

    fn range(&mut self, target: &Target) -> Parsed<Expr> {
        let open = self.at;
        let low_included = self.rest().starts_with('[');
        self.at += 1;
        let low = self.range_end(open)?;
        if !self.take_keyword("TO") {
            return Err(self.unclosed(open, "range", "TO"));
        }
        let high = self.range_end(open)?;
        self.skip_blanks();
        let high_included = self.rest().starts_with(']');
        if !high_included && !self.rest().starts_with('}') {
            return Err(self.unclosed(open, "range", "`]` or `}`"));
        }
        self.at += 1;
        let end = |value, is_included| End { value: Option::as_ref(value), is_included };
        let ends = [end(&low, low_included), end(&high, high_included)];
        value::range(target, &ends, self.context).map_err(|problem| self.wrong_from(open, problem))
    }

    fn range_end(&mut self, open: usize) -> Parsed<Option<Value>> {
        if self.is_at_end() {
            return Err(self.unclosed(open, "range", "a value or `*`"));
        }
        let value = self.value(Stop::Bracket, "a value or `*`")?;
        Ok((!value.pattern.is_any()).then_some(value))
    }

    /// A value in quotes or bare. `*` and `?` are wildcards in both; a backslash before anything but a letter or
    /// digit takes its meaning away.
    fn value(&mut self, stop: Stop, what: &'static str) -> Parsed<Value> {
        self.skip_blanks();
        let open = self.at;
        let is_quoted = self.take("\"");
        let mut reader = ValueReader::default();
        let mut chars = self.text[self.at..].char_indices().peekable();
        let length = loop {
            let Some((i, c)) = chars.next() else {
                if is_quoted {
                    return Err(self.wrong(open, Problem::Unclosed { what: "quote" }));
                }
                break self.text.len() - self.at;
            };
            match c {
                '"' if is_quoted => break i,
                c if !is_quoted && stop.ends_at(c) => break i,
                '\\' => match chars.next_if(|(_, next)| !next.is_alphanumeric()) {
                    Some((_, escaped)) => reader.literal(escaped),
                    None => reader.literal('\\'),
                },
                c => reader.push(c),
            }
        };
        self.at += length + usize::from(is_quoted);
        if length == 0 && !is_quoted {
            return Err(self.expected(what));
        }
        Ok(reader.finish(is_quoted))
    }

    /// A field name or path, if one stands here.
    fn name(&mut self) -> Parsed<Option<Name>> {
        let start = self.at;
        let starts_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '@');
        if !self.rest().starts_with(starts_name) {
            return Ok(None);
        }
        let first = self.key();
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        Ok(Some(Name { text: self.text[start..self.at].to_owned(), first, steps }))
    }

    fn key(&mut self) -> String {
        let length = self.rest().bytes().take_while(|byte| is_key_byte(*byte)).count();
        let key = self.rest()[..length].to_owned();
        self.at += length;
        key
    }

    /// `.key`, `."quoted key"`, `.*`, `[*]`, `[0]`.
    fn step(&mut self) -> Parsed<Option<Step>> {
        let rest = self.rest().as_bytes();
        match (rest.first(), rest.get(1)) {
            (Some(b'.'), Some(b'"')) => {
                self.at += 1;
                self.value(Stop::Blank, "a key").map(|value| Some(Step::Key(value.raw)))
            }
            (Some(b'.'), Some(b'*')) => {
                self.at += 2;
                Ok(Some(Step::Any))
            }
            (Some(b'.'), Some(byte)) if is_key_byte(*byte) => {
                self.at += 1;
                Ok(Some(Step::Key(self.key())))
            }
            (Some(b'['), _) => Ok(self.index()),
            _ => Ok(None),
        }
    }

    fn index(&mut self) -> Option<Step> {
        let (inside, _) = self.rest()[1..].split_once(']')?;
        let step = if inside == "*" { Step::Any } else { Step::Index(inside.parse().ok()?) };
        self.at += inside.len() + 2;
        Some(step)
    }

    /// `:` directly after the name, or a comparison, with blanks before it or not.
    fn operator(&mut self) -> Option<Operator> {
        if self.rest().starts_with(':') {
            self.at += 1;
            return Some(Operator::Is);
        }
        let before = self.at;
        self.skip_blanks();
        for (sign, operator) in [("!=", Operator::IsNot), ("==", Operator::Is), ("=", Operator::Is)] {
            if self.take(sign) {
                return Some(operator);
            }
        }
        let comparison = self.take_comparison();
        if comparison.is_none() {
            self.at = before;
        }
        comparison.map(Operator::Compare)
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        const SIGNS: [(&str, Comparison); 4] = [
            ("<=", Comparison::LessOrEqual),
            ("<", Comparison::Less),
            (">=", Comparison::GreaterOrEqual),
            (">", Comparison::Greater),
        ];
        SIGNS.into_iter().find(|(sign, _)| self.take(sign)).map(|(_, comparison)| comparison)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let stands = self.rest().starts_with(sign);
        self.at += if stands { sign.len() } else { 0 };
        stands
    }

    /// Keywords are known in any letter case, as whole words.
    fn is_keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"');
        rest.get(..keyword.len()).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
            && rest[keyword.len()..].chars().next().is_none_or(ends)
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let stands = self.is_keyword(keyword);
        self.at += if stands { keyword.len() } else { 0 };
        stands
    }

    fn column(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn wrong(&self, at: usize, problem: Problem) -> ParseError {
        ParseError { column: self.column(at), width: 1, problem }
    }

    /// What stands from `start` to here is wrong.
    fn wrong_from(&self, start: usize, problem: Problem) -> ParseError {
        let width = self.text[start..self.at].chars().count().max(1);
        ParseError { column: self.column(start), width, problem }
    }

    fn expected(&self, what: &'static str) -> ParseError {
        /// Characters of the rest that a message repeats.
        const SHOWN: usize = 20;
        let found: String = self.rest().chars().take_while(|c| !c.is_whitespace()).take(SHOWN).collect();
        let width = found.chars().count().max(1);
        ParseError { column: self.column(self.at), width, problem: Problem::Expected { what, found } }
    }

    fn unclosed(&mut self, open: usize, bracket: &'static str, what: &'static str) -> ParseError {
        if self.is_at_end() {
            return self.wrong(open, Problem::Unclosed { what: bracket });
        }
        self.expected(what)
    }
}

enum Operator {
    Is,
    IsNot,
    Compare(Comparison),
}

/// What ends a bare value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Blank,
    Comma,
    Bracket,
}

impl Stop {
    fn ends_at(self, c: char) -> bool {
        match c {
            '(' | ')' | '"' => true,
            ',' => self == Self::Comma,
            ']' | '}' => self == Self::Bracket,
            c => c.is_whitespace(),
        }
    }
}

/// Collects the characters of a value, with and without the meaning of wildcards.
#[derive(Default)]
struct ValueReader {
    pieces: Vec<Piece>,
    text: String,
    raw: String,
}

impl ValueReader {
    fn push(&mut self, c: char) {
        let wildcard = match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            c => return self.literal(c),
        };
        self.raw.push(c);
        self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        self.pieces.push(wildcard);
    }

    fn literal(&mut self, c: char) {
        self.raw.push(c);
        self.text.push(c);
    }

    fn finish(mut self, is_quoted: bool) -> Value {
        self.pieces.push(Piece::Text(self.text));
        Value { pattern: Pattern::new(self.pieces), raw: self.raw, is_quoted }
    }
}

/// A field name or path as written.
struct Name {
    text: String,
    first: String,
    steps: Vec<Step>,
}

impl Name {
    fn resolve(&self) -> Result<Target, Problem> {
        if self.steps.is_empty()
            && let Some(field) = Field::from_name(&self.first)
        {
            return Ok(Target::Field(field));
        }
        if let Some(root) = Root::from_name(&self.first) {
            return Ok(Target::of_path(Path { root, steps: self.steps.clone() }));
        }
        match Field::from_name(&self.text) {
            Some(field) => Ok(Target::Field(field)),
            None => Err(Problem::UnknownField { name: self.text.clone(), nearest: self.nearest() }),
        }
    }

    fn nearest(&self) -> Option<String> {
        /// Least likeness, from 0 to 1, of a name that is worth suggesting.
        const LIKENESS_MIN: f64 = 0.5;
        let typed = self.first.to_ascii_lowercase();
        let fields = Field::names().map(|(name, _)| name).filter(|name| !name.contains('.'));
        let roots = Root::all().flat_map(|(root, other)| [root.name(), other]);
        let names = fields
            .chain(roots)
            .map(|name| (strsim::normalized_damerau_levenshtein(&typed, &name.to_ascii_lowercase()), name));
        let (likeness, name) = names.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (likeness >= LIKENESS_MIN).then(|| format!("{name}{}", &self.text[self.first.len()..]))
    }
}
