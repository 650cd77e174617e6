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
}

/// The condition of one rule, ready to say why it holds.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// The fields that the tests read, each once, also those that they compare with.
    fields: Vec<Field>,
    /// What decides them.
    facets: Vec<Facet>,
    whole: Part,
}

/// A part of a condition, with negations pushed down to the tests.
#[derive(Debug)]
enum Part {
    Always,
    Never,
    All(Vec<Part>),
    Any(Vec<Part>),
    Test(Box<Told>),
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
}

impl Explanation {
    pub(crate) fn of(condition: &Condition) -> Self {
        let mut fields = Vec::new();
        let whole = Part::of(condition, Sense::Positive, &mut fields);
        let facets = fields.iter().map(Field::facet).collect();
        Self { fields, facets, whole }
    }

    /// What of an event decides the reasons; nothing if it is not remembered.
    pub(crate) fn likeness(&self, event: &Likeness) -> Option<Likeness> {
        event.within(&self.facets)
    }

    /// The reasons for which `event` satisfies the condition; none if it does not.
    pub(crate) fn reasons<'e>(&self, event: &Event<'e>) -> Vec<Reason<'e>> {
        let values = self.fields.iter().map(|_| None).collect();
        let mut telling = Telling { explanation: self, event, values, reasons: Vec::new() };
        telling.holds(&self.whole);
        telling.reasons
    }
}

impl Part {
    fn of(condition: &Condition, sense: Sense, fields: &mut Vec<Field>) -> Self {
        let mut parts_of = |parts: &[Condition]| parts.iter().map(|part| Self::of(part, sense, fields)).collect();
        match (condition, sense) {
            (Condition::Always(truth), _) if truth.is(sense) => Self::Always,
            (Condition::Always(_), _) => Self::Never,
            (Condition::Not(inner), _) => Self::of(inner, sense.flipped(), fields),
            (Condition::All(parts), Sense::Positive) | (Condition::Any(parts), Sense::Negative) => {
                Self::All(parts_of(parts))
            }
            (Condition::Any(parts), Sense::Positive) | (Condition::All(parts), Sense::Negative) => {
                Self::Any(parts_of(parts))
            }
            (Condition::Test(predicate), _) => Self::Test(Box::new(Told::of(predicate, sense, fields))),
        }
    }
}

impl Told {
    fn of(predicate: &Predicate, sense: Sense, fields: &mut Vec<Field>) -> Self {
        let field = place(&predicate.field, fields);
        if let Test::Compare(_, _, other) = &predicate.test {
            place(other, fields);
        }
        let test = words::test(&predicate.test);
        let words = if sense == Sense::Positive { test } else { format!("not {test}") };
        Self { field, predicate: predicate.clone(), sense, name: predicate.field.name().into(), words: words.into() }
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

impl<'e> Telling<'_, 'e> {
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
        let test = &told.predicate.test;
        let values = self.values(told.field);
        let fits = |value: &&Cow<'e, str>| told.sense == Sense::Negative || naive::value_passes(test, value);
        let mut shown: Vec<_> = values.iter().filter(fits).cloned().collect();
        if shown.is_empty() {
            shown = values.to_vec();
        }
        self.reasons.push(Reason { field: Arc::clone(&told.name), condition: Arc::clone(&told.words), values: shown });
    }
}
