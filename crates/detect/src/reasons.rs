//! Why rules matched, in words, worked out once for events that are alike.

use std::borrow::Cow;
use std::sync::Arc;

use audit::Event;
use finding::Because;
use hashbrown::HashMap;
use rule::{Alike, Likeness, OwnTest, Reason, RuleRef, RuleSet};

use crate::describe::shortened;

/// Values of one field that a finding quotes.
const QUOTED_VALUES_MAX: usize = 5;

/// Lists of reasons that are remembered. Beyond it all are forgotten, and worked out as they come.
const REMEMBERED_MAX: usize = 2_048;

/// The reasons that were told before.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    remembered: HashMap<(RuleRef, Alike), Told>,
}

/// Reasons for which a rule matched events that are alike.
#[derive(Debug)]
struct Told {
    reasons: Arc<[Because]>,
    /// Places of those whose values are each event's own.
    own: Box<[(usize, OwnTest)]>,
}

impl Reasons {
    /// The conditions that `rule` found in `event`, each with the value that made it hold.
    pub(crate) fn why(
        &mut self,
        set: &RuleSet,
        rule: RuleRef,
        likeness: &Likeness,
        event: &Event<'_>,
    ) -> Arc<[Because]> {
        let Some(alike) = set.alike(rule, event, likeness) else { return Told::of(set.why(rule, event)).reasons };
        if let Some(told) = self.remembered.get(&(rule, alike)) {
            return told.about(set, rule, event);
        }
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.clear();
        }
        let told = Told::of(set.why(rule, event));
        let reasons = Arc::clone(&told.reasons);
        self.remembered.insert((rule, alike), told);
        reasons
    }
}

impl Told {
    fn of(reasons: Vec<Reason<'_>>) -> Self {
        let own = reasons.iter().enumerate().filter_map(|(at, reason)| Some((at, reason.own?))).collect();
        Self { reasons: reasons.into_iter().map(because).collect(), own }
    }

    /// The reasons with the values of `event`.
    fn about(&self, set: &RuleSet, rule: RuleRef, event: &Event<'_>) -> Arc<[Because]> {
        let mut reasons = Arc::clone(&self.reasons);
        if !self.own.is_empty() {
            let reasons = Arc::make_mut(&mut reasons);
            for (at, test) in &self.own {
                reasons[*at].value = quoted(&set.own_values(rule, *test, event));
            }
        }
        reasons
    }
}

fn because(reason: Reason<'_>) -> Because {
    let value = quoted(&reason.values);
    Because { field: reason.field, condition: reason.condition, value }
}

fn quoted(values: &[Cow<'_, str>]) -> String {
    let values = values.iter().take(QUOTED_VALUES_MAX).map(|value| shortened(value));
    values.reduce(|all, next| Cow::Owned([&all, ", ", &next].concat())).unwrap_or_default().into_owned()
}
