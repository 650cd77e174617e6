//! A query compiled to columns, and its answer for one page.
//!
//! Every term is asked of the cheapest place that knows: once per distinct value where a column has a dictionary, of a
//! column's integers, of the bodies of the rows that other terms left over; and last, where no column
//! knows, of the event put together again.

use std::cell::RefCell;

use audit::{Event, Json};
use query::{Expr, Field, Path, Pattern, Query, Range, Root, Scalars, Step, Target, Term, Test};

use crate::column::Column;
use crate::evaluate::matches_naively;
use crate::mask::Mask;
use crate::needle::Needle;
use crate::pages::PageError;
use crate::part::PartReader;
use crate::residual;
use crate::values::{ABSENT, NO_INTEGER, NO_UUID};

/// A compiled query.
#[derive(Debug)]
pub(crate) struct Plan {
    root: Node,
    times: Range,
    texts: usize,
}

#[derive(Debug)]
enum Node {
    All,
    Not(Box<Node>),
    /// Cheapest first.
    And(Vec<Node>),
    Or(Vec<Node>),
    Leaf(Leaf),
}

#[derive(Debug)]
enum Leaf {
    Integer(Column, Test),
    /// Asked once per distinct value; the number finds the answers again.
    Text {
        id: usize,
        column: Column,
        shape: Shape,
        test: Test,
    },
    AuditId(Test),
    Body(Column, Path, Test, Option<Needle>),
    Anything(Anything),
    /// Asked of the event put together again.
    Event(Term),
}

/// What the values of a dictionary are.
#[derive(Debug)]
enum Shape {
    /// One text.
    Text,
    /// A JSON array of texts; any of them.
    List,
    /// JSON; the values at a path in it.
    Below(Path),
}

/// Free text: a pattern in any value of the event.
#[derive(Debug)]
struct Anything {
    pattern: Pattern,
    /// First of the numbers of its text columns.
    id: usize,
    needle: Option<Needle>,
    term: Term,
}

/// Columns with texts of the event that stand in no other column.
const TEXTS: [Column; 23] = [
    Column::Level,
    Column::Stage,
    Column::Verb,
    Column::User,
    Column::Uid,
    Column::ImpersonatedUser,
    Column::ImpersonatedUid,
    Column::Agent,
    Column::Resource,
    Column::Subresource,
    Column::Namespace,
    Column::Name,
    Column::ObjectUid,
    Column::ApiGroup,
    Column::ApiVersion,
    Column::ResourceVersion,
    Column::Status,
    Column::StatusReason,
    Column::StatusMessage,
    Column::Uri,
    Column::AuditIdText,
    Column::Residual,
    Column::Ips,
];

/// Columns with JSON of the event.
const JSONS: [Column; 6] = [
    Column::Groups,
    Column::Extra,
    Column::ImpersonatedGroups,
    Column::ImpersonatedExtra,
    Column::StatusDetails,
    Column::Annotations,
];

impl Plan {
    pub(crate) fn new(query: &Query) -> Self {
        let mut texts = 0;
        let root = compile(&query.expr, &mut texts);
        Self { root, times: query.time_range(), texts }
    }

    /// Whether an event between these times can match.
    pub(crate) fn may_match(&self, (from, until): (i64, i64)) -> bool {
        self.times.low.is_none_or(|low| until >= low) && self.times.high.is_none_or(|high| from <= high)
    }

    /// Begins to ask one part.
    pub(crate) fn ask<'p, 'a>(&'p self, part: &'p PartReader<'a>) -> Asking<'p, 'a> {
        Asking { plan: self, part, answers: RefCell::new(vec![None; self.texts]) }
    }
}

/// A plan at work on one part.
pub(crate) struct Asking<'p, 'a> {
    plan: &'p Plan,
    part: &'p PartReader<'a>,
    /// For each text leaf, which codes of the part's dictionary fit.
    answers: RefCell<Vec<Option<Fits>>>,
}

/// Which codes of a dictionary satisfy a test.
#[derive(Debug, Clone)]
struct Fits {
    codes: Vec<bool>,
    any: bool,
    every: bool,
}

impl Fits {
    fn of(dictionary: &crate::values::Dictionary, mut test: impl FnMut(&[u8]) -> bool) -> Self {
        let codes: Vec<bool> = std::iter::once(false).chain(dictionary.values().map(&mut test)).collect();
        let (any, every) = (codes.iter().any(|fits| *fits), codes.iter().skip(1).all(|fits| *fits));
        Self { codes, any, every }
    }
}

impl Asking<'_, '_> {
    /// Rows of `page` that match.
    pub(crate) fn matches(&self, page: usize) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page).len();
        self.node(&self.plan.root, page, Mask::all(rows))
    }

    /// Rows of `among` that `node` matches.
    fn node(&self, node: &Node, page: usize, among: Mask) -> Result<Mask, PageError> {
        match node {
            _ if among.is_empty() => Ok(among),
            Node::All => Ok(among),
            Node::Not(inner) => {
                let mut rest = among.clone();
                rest.subtract(&self.node(inner, page, among)?);
                Ok(rest)
            }
            Node::And(parts) => parts.iter().try_fold(among, |among, part| self.node(part, page, among)),
            Node::Or(parts) => {
                let mut found = Mask::none(self.part.page_rows(page).len());
                let mut left = among;
                for part in parts {
                    let more = self.node(part, page, left.clone())?;
                    left.subtract(&more);
                    found.unite(&more);
                }
                Ok(found)
            }
            Node::Leaf(leaf) => self.leaf(leaf, page, among),
        }
    }

    fn leaf(&self, leaf: &Leaf, page: usize, among: Mask) -> Result<Mask, PageError> {
        match leaf {
            Leaf::Integer(column, test) => self.integers(*column, test, page, among),
            Leaf::Text { id, column, shape, test } => {
                self.texts(*id, *column, page, among, |value| fits_shape(shape, test, value))
            }
            Leaf::AuditId(test) => self.audit_ids(test, page, among),
            Leaf::Body(column, path, test, needle) => self.bodies(*column, needle.as_ref(), page, among, |body| {
                path.any_below(body, |value| test.fits_json(value))
            }),
            Leaf::Anything(anything) => self.anything(anything, page, among),
            Leaf::Event(term) => self.events(term, page, among),
        }
    }

    fn integers(&self, column: Column, test: &Test, page: usize, mut among: Mask) -> Result<Mask, PageError> {
        let values = self.part.integers(column, page)?;
        let values = values.slice();
        let fits = match test {
            Test::Exists => Mask::of(values.len(), |row| values[row] != NO_INTEGER),
            Test::Within(range) => {
                let (low, high) = (range.low.unwrap_or(NO_INTEGER + 1), range.high.unwrap_or(i64::MAX));
                Mask::of(values.len(), |row| low <= values[row] && values[row] <= high)
            }
            Test::Is(_) | Test::Has(_) | Test::Between(_) | Test::Inside(_) => Mask::none(values.len()),
        };
        among.intersect(&fits);
        Ok(among)
    }

    /// Asks a coded column; `id` finds the answers for the part's dictionary again.
    fn texts(
        &self,
        id: usize,
        column: Column,
        page: usize,
        mut among: Mask,
        mut test: impl FnMut(&[u8]) -> bool,
    ) -> Result<Mask, PageError> {
        let dictionary = self.part.dictionary(column)?;
        // A chunk without a dictionary keeps its values in the pages.
        if dictionary.len() > 1 {
            let mut answers = self.answers.borrow_mut();
            let fits = answers[id].get_or_insert_with(|| Fits::of(dictionary, &mut test));
            if !fits.any && self.part.is_coded_throughout(column) {
                return Ok(Mask::none(self.part.page_rows(page).len()));
            }
        }
        let texts = self.part.texts(column, page)?;
        let own;
        let answers = self.answers.borrow();
        let fits = match (texts.is_shared(), &answers[id]) {
            (true, Some(fits)) => fits,
            _ => {
                own = Fits::of(texts.dictionary(), test);
                &own
            }
        };
        let codes = texts.codes();
        let mask = match (fits.any, fits.every) {
            (false, _) => Mask::none(codes.len()),
            (true, true) => Mask::of(codes.len(), |row| codes[row] != ABSENT),
            (true, false) => Mask::of(codes.len(), |row| fits.codes[codes[row] as usize]),
        };
        among.intersect(&mask);
        Ok(among)
    }

    fn audit_ids(&self, test: &Test, page: usize, mut among: Mask) -> Result<Mask, PageError> {
        let fits = match literal(test).map(|text| residual::parse_uuid(text.to_ascii_lowercase().as_bytes())) {
            Some(Some(wanted)) => {
                if !self.part.may_hold_audit_id(&wanted) {
                    return Ok(Mask::none(self.part.page_rows(page).len()));
                }
                let uuids = self.part.uuids(page)?;
                let uuids = uuids.slice();
                let mut found = Mask::of(uuids.len(), |row| uuids[row] == wanted);
                found.unite(&self.audit_id_texts(test, page)?);
                found
            }
            _ => {
                let uuids = self.part.uuids(page)?;
                let mut text = Vec::with_capacity(36);
                let mut found = Mask::of(uuids.slice().len(), |row| {
                    let uuid = &uuids.slice()[row];
                    text.clear();
                    residual::put_uuid(uuid, &mut text);
                    *uuid != NO_UUID && test.fits_text(std::str::from_utf8(&text).unwrap_or_default())
                });
                found.unite(&self.audit_id_texts(test, page)?);
                found
            }
        };
        among.intersect(&fits);
        Ok(among)
    }

    fn audit_id_texts(&self, test: &Test, page: usize) -> Result<Mask, PageError> {
        let texts = self.part.texts(Column::AuditIdText, page)?;
        Ok(Mask::of(texts.codes().len(), |row| texts.get(row).is_some_and(|value| fits_text(test, value))))
    }

    /// Asks the bodies of the rows in `among`.
    fn bodies(
        &self,
        column: Column,
        needle: Option<&Needle>,
        page: usize,
        among: Mask,
        test: impl Fn(Json<'_>) -> bool,
    ) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page);
        let mut found = Mask::none(rows.len());
        let candidates: Vec<usize> = among.iter().map(|row| row + rows.start).collect();
        self.part.each_run(column, &candidates, |first, strings, wanted| {
            let hits = needle.map(|needle| needle.rows(strings));
            for row in wanted.iter().copied() {
                let body = strings.get(row - first);
                let may_fit = hits.as_ref().is_none_or(|hits| hits.contains(row - first));
                if may_fit && !body.is_empty() && Json::whole(body).is_ok_and(&test) {
                    found.insert(row - rows.start);
                }
            }
        })?;
        Ok(found)
    }

    fn anything(&self, anything: &Anything, page: usize, among: Mask) -> Result<Mask, PageError> {
        let rows = self.part.page_rows(page).len();
        let pattern = &anything.pattern;
        let mut found = Mask::none(rows);
        let mut left = among;
        let note = |more: Mask, left: &mut Mask, found: &mut Mask| {
            left.subtract(&more);
            found.unite(&more);
        };
        for (at, column) in TEXTS.into_iter().enumerate() {
            let test = |value: &[u8]| match column {
                Column::Residual => residual_has(value, pattern),
                Column::Ips => json_has(value, pattern),
                _ => std::str::from_utf8(value).is_ok_and(|text| pattern.found_in(text)),
            };
            let more = self.texts(anything.id + at, column, page, left.clone(), test)?;
            note(more, &mut left, &mut found);
        }
        for (at, column) in JSONS.into_iter().enumerate() {
            let test = |value: &[u8]| json_has(value, pattern);
            let more = self.texts(anything.id + TEXTS.len() + at, column, page, left.clone(), test)?;
            note(more, &mut left, &mut found);
        }
        if may_be_number(pattern) {
            let more = self.numbers(pattern, page, left.clone())?;
            note(more, &mut left, &mut found);
        }
        for column in [Column::RequestObject, Column::ResponseObject] {
            let more = self.bodies(column, anything.needle.as_ref(), page, left.clone(), |body| {
                Scalars::of(body).any(|scalar| pattern.found_in(&scalar.display()))
            })?;
            note(more, &mut left, &mut found);
        }
        // Rows that are kept as they are may say more than their columns.
        let raw = self.raw_rows(page, &left)?;
        found.unite(&self.events(&anything.term, page, raw)?);
        Ok(found)
    }

    /// Free text that could be a time, an audit id or a status code.
    fn numbers(&self, pattern: &Pattern, page: usize, among: Mask) -> Result<Mask, PageError> {
        let (times, latencies) =
            (self.part.integers(Column::Time, page)?, self.part.integers(Column::LatencyUs, page)?);
        let (codes, uuids) = (self.part.integers(Column::Code, page)?, self.part.uuids(page)?);
        let mut found = Mask::none(self.part.page_rows(page).len());
        let mut text = Vec::new();
        for row in among.iter() {
            let time = times.slice()[row];
            let latency = latencies.slice()[row];
            let request = if latency == NO_INTEGER { time } else { time.wrapping_sub(latency) };
            text.clear();
            // Blanks separate words as the borders of values do; patterns do not reach over them.
            residual::put_time(time, &mut text);
            let mut ends = vec![text.len()];
            residual::put_time(request, &mut text);
            ends.push(text.len());
            residual::put_uuid(&uuids.slice()[row], &mut text);
            ends.push(text.len());
            text.extend_from_slice(codes.slice()[row].to_string().as_bytes());
            ends.push(text.len());
            let mut start = 0;
            let hit = ends.into_iter().any(|end| {
                let value = std::str::from_utf8(&text[start..end]).unwrap_or_default();
                start = end;
                pattern.found_in(value)
            });
            if hit {
                found.insert(row);
            }
        }
        // Columns hold times in one form only, so each hit is asked again of the event itself.
        let term = Term { target: Target::Anything, test: Test::Has(pattern.clone()) };
        self.events(&term, page, found)
    }

    /// Rows of `among` that are kept as they are.
    fn raw_rows(&self, page: usize, among: &Mask) -> Result<Mask, PageError> {
        let residuals = self.part.texts(Column::Residual, page)?;
        let mut raw = Mask::of(residuals.codes().len(), |row| residuals.codes()[row] == ABSENT);
        raw.intersect(among);
        Ok(raw)
    }

    fn events(&self, term: &Term, page: usize, among: Mask) -> Result<Mask, PageError> {
        let start = self.part.page_rows(page).start;
        let mut found = Mask::none(self.part.page_rows(page).len());
        for row in among.iter() {
            if self.part.with_row(start + row, |values| matches_naively(term, values))? {
                found.insert(row);
            }
        }
        Ok(found)
    }
}

fn compile(expr: &Expr, texts: &mut usize) -> Node {
    match expr {
        Expr::All => Node::All,
        Expr::Not(inner) => Node::Not(Box::new(compile(inner, texts))),
        Expr::And(parts) => {
            let mut parts: Vec<Node> = parts.iter().map(|part| compile(part, texts)).collect();
            parts.sort_by_key(Node::cost);
            Node::And(parts)
        }
        Expr::Or(parts) => {
            let mut parts: Vec<Node> = parts.iter().map(|part| compile(part, texts)).collect();
            parts.sort_by_key(Node::cost);
            Node::Or(parts)
        }
        Expr::Term(term) => Node::Leaf(compile_term(term, texts)),
    }
}

fn compile_term(term: &Term, texts: &mut usize) -> Leaf {
    match &term.target {
        Target::Field(field) => compile_field(*field, term, texts),
        Target::Path(path) => compile_path(path, term, texts),
        Target::Anything => compile_anything(term, texts),
    }
}

fn compile_field(field: Field, term: &Term, texts: &mut usize) -> Leaf {
    let test = term.test.clone();
    match (field, Column::from_name(field.column())) {
        (Field::AuditId, _) => Leaf::AuditId(test),
        (_, Some(column)) if column.kind().is_integer() => Leaf::Integer(column, test),
        (Field::Groups | Field::Ip | Field::ImpersonatedGroups, Some(column)) => {
            text_leaf(column, Shape::List, test, texts)
        }
        (_, Some(column)) if column.kind().is_coded() => text_leaf(column, Shape::Text, test, texts),
        _ => Leaf::Event(term.clone()),
    }
}

fn text_leaf(column: Column, shape: Shape, test: Test, texts: &mut usize) -> Leaf {
    let id = *texts;
    *texts += 1;
    Leaf::Text { id, column, shape, test }
}

fn compile_path(path: &Path, term: &Term, texts: &mut usize) -> Leaf {
    let test = term.test.clone();
    let below = |column, steps: &[Step], texts: &mut usize| {
        let path = Path { root: path.root, steps: steps.to_vec() };
        text_leaf(column, Shape::Below(path), test.clone(), texts)
    };
    match (path.root, path.steps.as_slice()) {
        (Root::RequestObject, _) => Leaf::Body(Column::RequestObject, path.clone(), test.clone(), needle_of(&test)),
        (Root::ResponseObject, _) => Leaf::Body(Column::ResponseObject, path.clone(), test.clone(), needle_of(&test)),
        (Root::Annotations, steps) => below(Column::Annotations, steps, texts),
        (Root::User, [Step::Key(key), steps @ ..]) if key == "extra" => below(Column::Extra, steps, texts),
        (Root::ImpersonatedUser, [Step::Key(key), steps @ ..]) if key == "extra" => {
            below(Column::ImpersonatedExtra, steps, texts)
        }
        (Root::ResponseStatus, [Step::Key(key), steps @ ..]) if key == "details" => {
            below(Column::StatusDetails, steps, texts)
        }
        _ => Leaf::Event(term.clone()),
    }
}

fn compile_anything(term: &Term, texts: &mut usize) -> Leaf {
    match &term.test {
        Test::Has(pattern) | Test::Is(pattern) => {
            let id = *texts;
            *texts += TEXTS.len() + JSONS.len();
            let needle = Needle::of(pattern);
            Leaf::Anything(Anything { pattern: pattern.clone(), id, needle, term: term.clone() })
        }
        _ => Leaf::Event(term.clone()),
    }
}

/// What a body must hold, at least, for the test to be satisfied.
fn needle_of(test: &Test) -> Option<Needle> {
    match test {
        Test::Is(pattern) | Test::Has(pattern) => Needle::of(pattern),
        _ => None,
    }
}

impl Node {
    fn cost(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::Leaf(Leaf::Text { .. }) => 1,
            Self::Leaf(Leaf::Integer(..)) => 2,
            Self::Leaf(Leaf::AuditId(_)) => 3,
            Self::Leaf(Leaf::Body(..)) => 100,
            Self::Leaf(Leaf::Anything(_)) => 1_000,
            Self::Leaf(Leaf::Event(_)) => 10_000,
            Self::Not(inner) => inner.cost(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).fold(0, u32::saturating_add),
        }
    }
}

fn fits_shape(shape: &Shape, test: &Test, value: &[u8]) -> bool {
    match shape {
        Shape::Text => fits_text(test, value),
        Shape::List => Json::whole(value)
            .is_ok_and(|list| list.elements().filter_map(Json::text).any(|text| test.fits_text(&text))),
        Shape::Below(path) => Json::whole(value).is_ok_and(|json| path.any_below(json, |value| test.fits_json(value))),
    }
}

fn fits_text(test: &Test, value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| test.fits_text(text))
}

fn json_has(value: &[u8], pattern: &Pattern) -> bool {
    Json::whole(value).is_ok_and(|json| Scalars::of(json).any(|scalar| pattern.found_in(&scalar.display())))
}

/// Whether a value that was left in the residual has the pattern.
fn residual_has(value: &[u8], pattern: &Pattern) -> bool {
    let left = residual::without_cuts(value);
    Event::parse(&left).is_ok_and(|event| Scalars::of(event.json).any(|scalar| pattern.found_in(&scalar.display())))
}

fn literal(test: &Test) -> Option<&str> {
    match test {
        Test::Is(pattern) => pattern.as_literal(),
        _ => None,
    }
}

/// Whether a time, a UUID or a status code can have the pattern in it.
fn may_be_number(pattern: &Pattern) -> bool {
    pattern.pieces().iter().all(|piece| match piece {
        query::Piece::Text(text) => text.bytes().all(|byte| {
            byte.is_ascii_hexdigit() || matches!(byte.to_ascii_uppercase(), b'T' | b'Z' | b'-' | b':' | b'.')
        }),
        query::Piece::One | query::Piece::Many => true,
    })
}
