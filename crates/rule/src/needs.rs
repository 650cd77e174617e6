//! What an event must hold for a rule to match: the least level, the stages, the fields.

use std::collections::BTreeSet;

use audit::{Level, Stage};

use crate::condition::{Condition, Pattern, Predicate, Sense, Test};
use crate::extension::Extension;
use crate::falco::FalcoField;
use crate::field::{Field, Part};
use crate::rule::Needs;

/// What `condition` needs, with what the rule's own block says where it says something.
pub(crate) fn of(condition: &Condition, extension: &Extension) -> Needs {
    let mut fields = BTreeSet::new();
    let mut stages = BTreeSet::new();
    condition.each_test(&mut |predicate, sense| {
        fields.insert(predicate.field.name());
        if is_stage(&predicate.field) {
            stages.extend(stages_of(predicate, sense));
        }
    });
    let stages = if extension.stages.is_empty() { stages.into_iter().collect() } else { extension.stages.clone() };
    let level = least_level(condition);
    Needs { level: Some(extension.level.unwrap_or(level)), stages, fields: fields.into_iter().collect() }
}

/// Whether a rule asks for the stage at all.
pub(crate) fn is_stage(field: &Field) -> bool {
    match field {
        Field::Path(crate::field::Root::Event, path) => &**path == "stage",
        Field::Falco(field) => field.is_stage(),
        _ => false,
    }
}

fn stages_of(predicate: &Predicate, sense: Sense) -> Vec<Stage> {
    let fits = |stage: Stage| match &predicate.test {
        Test::Text(case, pattern) => {
            let name = stage.name();
            match case {
                crate::condition::Case::Folded => pattern.fits(&name.to_lowercase()),
                crate::condition::Case::Exact => pattern.fits(name),
            }
        }
        Test::AllWithin(names) => names.iter().any(|name| &**name == stage.name()),
        Test::AnyOf(tests) => {
            tests.iter().any(|test| matches!(test, Test::Text(_, Pattern::Exact(name)) if &**name == stage.name()))
        }
        _ => true,
    };
    Stage::ALL.into_iter().filter(|stage| fits(*stage) == (sense == Sense::Positive)).collect()
}

/// The poorest level at which the condition can be true: all parts of a conjunction are needed, one of a disjunction.
fn least_level(condition: &Condition) -> Level {
    match condition {
        Condition::Always(_) => Level::Metadata,
        Condition::All(parts) => parts.iter().map(least_level).max().unwrap_or(Level::Metadata),
        Condition::Any(parts) => parts.iter().map(least_level).min().unwrap_or(Level::Metadata),
        Condition::Not(inner) => least_level(inner),
        Condition::Test(predicate) => level_of(predicate.field.part()),
    }
}

fn level_of(part: Part) -> Level {
    match part {
        Part::Metadata | Part::Identity | Part::Query | Part::ResponseStatus | Part::Reason => Level::Metadata,
        Part::Request => Level::Request,
        Part::Response => Level::RequestResponse,
    }
}

impl FalcoField {
    fn is_stage(&self) -> bool {
        matches!(self.name().as_str(), "ka.stage" | "jevt.value[/stage]" | "json.value[/stage]")
    }
}
