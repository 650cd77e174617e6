//! A query compiled to columns, and its answer for one page.
//!
//! Every term is asked of the cheapest place that knows: once per distinct value where a column has a dictionary, of a
//! column's integers, of the bodies of the rows that other terms left over; and last, where no column
//! knows, of the event put together again.

mod anything;
mod ask;
mod fits;

use query::{Expr, Field, Path, Query, Range, Root, Step, Target, Term, Test};

use self::anything::Anything;
use self::ask::Asking;
use crate::column::Column;
use crate::mask::Mask;
use crate::needle::Needle;
use crate::pages::PageError;
use crate::part::PartReader;

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
    /// The needle is what a body must hold at least.
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

    /// Calls `each` with the number of every page of a part that has matching rows, and with those rows.
    pub(crate) fn each_match(
        &self,
        part: &PartReader<'_>,
        mut each: impl FnMut(usize, &Mask) -> Result<(), PageError>,
    ) -> Result<(), PageError> {
        let asking = Asking::new(self, part);
        if !asking.may_match()? {
            return Ok(());
        }
        for page in 0..part.page_count() {
            let rows = asking.matches(page)?;
            if !rows.is_empty() {
                each(page, &rows)?;
            }
        }
        Ok(())
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
        Test::Has(pattern) | Test::Is(pattern) => Leaf::Anything(Anything::new(pattern, term, texts)),
        _ => Leaf::Event(term.clone()),
    }
}

/// What a body must hold, at least, for the test to be satisfied.
fn needle_of(test: &Test) -> Option<Needle> {
    match test {
        Test::Is(pattern) | Test::Has(pattern) => Some(Needle::of(pattern)),
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
