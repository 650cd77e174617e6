//! Why a rule matched: the tests that decided it, with the values that fit.

use std::borrow::Cow;
use std::sync::Arc;

use audit::Event;

use crate::condition::{Condition, Predicate, Sense, Test, Truth};
use crate::field::{self, Facet, Field};
use crate::likeness::Likeness;
use crate::{naive, words};

/// One test that decided a match.
#[derive(Debug, Clone)]
pub struct Reason<'e> {
    /// Field as the rule names it.
    pub field: Arc<str>,
    /// What was asked of it, in words: `contains "curl"`, `not = "get"`.
    pub condition: Arc<str>,
    /// Values of the field in the event.
    pub values: Vec<Cow<'e, str>>,
    /// The test, if events that are [`Alike`] can have other values.
    pub own: Option<OwnTest>,
}

/// A test whose reason differs from event to event in its values alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnTest(usize);

/// What of an event decides why a rule matches it, but for the values of [`Reason::own`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alike {
    likeness: Likeness,
    /// Which of the tests of what is not remembered hold.
    holding: u64,
}

/// The condition of one rule, ready to say why it holds.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// The fields that the tests read, each once, also those that they compare with.
    fields: Vec<Field>,
    /// What decides those of them that are remembered.
    facets: Vec<Facet>,
    whole: Part,
    /// The tests of the others.
    own: Vec<Arc<Told>>,
}

/// A part of a condition, with negations pushed down to the tests.
#[derive(Debug)]
enum Part {
    Always,
    Never,
    All(Vec<Part>),
    Any(Vec<Part>),
    Test(Arc<Told>),
}

/// A test and how it is told.
#[derive(Debug)]
struct Told {
    /// Place of its field.
    field: usize,
    predicate: Predicate,
    sense: Sense,
    name: Arc<str>,
    words: Arc<str>,
    own: Option<OwnTest>,
}

impl Explanation {
    pub(crate) fn of(condition: &Condition) -> Self {
        let mut tests = Tests::default();
        let whole = Part::of(condition, Sense::Positive, &mut tests);
        let Tests { fields, own } = tests;
        let facets = fields.iter().map(Field::facet).filter(|facet| *facet != Facet::Rest).collect();
        Self { fields, facets, whole, own }
    }

    /// What of an event, of which `likeness` is known, decides the reasons; nothing if too much of that is its own.
    pub(crate) fn alike(&self, event: &Event<'_>, likeness: &Likeness) -> Option<Alike> {
        if self.own.len() > u64::BITS as usize {
            return None;
        }
        let likeness = likeness.within(&self.facets)?;
        let mut telling = Telling::of(self, event);
        let holds = self.own.iter().map(|told| telling.test(told).is(told.sense));
        Some(Alike { likeness, holding: holds.fold(0, |holding, holds| holding << 1 | u64::from(holds)) })
    }

    /// The reasons for which `event` satisfies the condition; none if it does not.
    pub(crate) fn reasons<'e>(&self, event: &Event<'e>) -> Vec<Reason<'e>> {
        let mut telling = Telling::of(self, event);
        telling.holds(&self.whole);
        telling.reasons
    }

    /// The values that `test` is told with.
    pub(crate) fn own_values<'e>(&self, test: OwnTest, event: &Event<'e>) -> Vec<Cow<'e, str>> {
        let told = &self.own[test.0];
        told.shown(&naive::texts(&self.fields[told.field], event))
    }
}

/// The tests of a condition as they are found.
#[derive(Default)]
struct Tests {
    fields: Vec<Field>,
    own: Vec<Arc<Told>>,
}

impl Part {
    fn of(condition: &Condition, sense: Sense, tests: &mut Tests) -> Self {
        let mut parts_of = |parts: &[Condition]| parts.iter().map(|part| Self::of(part, sense, tests)).collect();
        match (condition, sense) {
            (Condition::Always(truth), _) if truth.is(sense) => Self::Always,
            (Condition::Always(_), _) => Self::Never,
            (Condition::Not(inner), _) => Self::of(inner, sense.flipped(), tests),
            (Condition::All(parts), Sense::Positive) | (Condition::Any(parts), Sense::Negative) => {
                Self::All(parts_of(parts))
            }
            (Condition::Any(parts), Sense::Positive) | (Condition::All(parts), Sense::Negative) => {
                Self::Any(parts_of(parts))
            }
            (Condition::Test(predicate), _) => Self::Test(Told::of(predicate, sense, tests)),
        }
    }
}

impl Told {
    fn of(predicate: &Predicate, sense: Sense, tests: &mut Tests) -> Arc<Self> {
        let field = place(&predicate.field, &mut tests.fields);
        let mut is_own = predicate.field.facet() == Facet::Rest;
        if let Test::Compare(_, _, other) = &predicate.test {
            place(other, &mut tests.fields);
            is_own |= other.facet() == Facet::Rest;
        }
        let test = words::test(&predicate.test);
        let words = if sense == Sense::Positive { test } else { format!("not {test}") };
        let (name, words, own) =
            (predicate.field.name().into(), words.into(), is_own.then_some(OwnTest(tests.own.len())));
        let told = Arc::new(Self { field, predicate: predicate.clone(), sense, name, words, own });
        if is_own {
            tests.own.push(Arc::clone(&told));
        }
        told
    }

    /// Of `values` those that make the test hold; all if none does by itself.
    fn shown<'e>(&self, values: &[Cow<'e, str>]) -> Vec<Cow<'e, str>> {
        let fits =
            |value: &&Cow<'e, str>| self.sense == Sense::Negative || naive::value_passes(&self.predicate.test, value);
        let shown: Vec<_> = values.iter().filter(fits).cloned().collect();
        if shown.is_empty() { values.to_vec() } else { shown }
    }
}

/// The place of `field`, which is added if it is new.
fn place(field: &Field, fields: &mut Vec<Field>) -> usize {
    fields.iter().position(|known| known == field).unwrap_or_else(|| {
        fields.push(field.clone());
        fields.len() - 1
    })
}

/// One event, as far as its fields have been read.
struct Telling<'x, 'e> {
    explanation: &'x Explanation,
    event: &'x Event<'e>,
    values: Vec<Option<Vec<Cow<'e, str>>>>,
    reasons: Vec<Reason<'e>>,
}

impl<'x, 'e> Telling<'x, 'e> {
    fn of(explanation: &'x Explanation, event: &'x Event<'e>) -> Self {
        let values = explanation.fields.iter().map(|_| None).collect();
        Self { explanation, event, values, reasons: Vec::new() }
    }

    /// Whether `part` holds; if so, its reasons are added.
    fn holds(&mut self, part: &Part) -> bool {
        let before = self.reasons.len();
        let holds = match part {
            Part::Always => true,
            Part::Never => false,
            Part::All(parts) => parts.iter().all(|part| self.holds(part)),
            // Every one that holds is a reason.
            Part::Any(parts) => parts.iter().filter(|part| self.holds(part)).count() > 0,
            Part::Test(told) => self.test(told).is(told.sense),
        };
        match (holds, part) {
            (false, _) => self.reasons.truncate(before),
            (true, Part::Test(told)) => self.tell(told),
            (true, _) => {}
        }
        holds
    }

    fn test(&mut self, told: &Told) -> Truth {
        let (Predicate { field, test }, event) = (&told.predicate, self.event);
        if matches!(test, Test::Compare(..)) {
            return naive::test(&told.predicate, event);
        }
        let values = self.values(told.field);
        if values.is_empty() && field::is_hidden(event, field.part()) {
            return Truth::NotRecorded;
        }
        Truth::known(naive::passes(test, values))
    }

    fn values(&mut self, at: usize) -> &[Cow<'e, str>] {
        let (field, event) = (&self.explanation.fields[at], self.event);
        self.values[at].get_or_insert_with(|| naive::texts(field, event))
    }

    fn tell(&mut self, told: &Told) {
        let values = told.shown(self.values(told.field));
        let (field, condition) = (Arc::clone(&told.name), Arc::clone(&told.words));
        self.reasons.push(Reason { field, condition, values, own: told.own });
    }
}
