//! Why rules matched, in words, worked out once for events that are alike.

use std::borrow::Cow;
use std::sync::Arc;

use audit::Event;
use finding::Because;
use hashbrown::HashMap;
use rule::{Likeness, Reason, RuleRef, RuleSet};

use crate::describe::shortened;

/// Values of one field that a finding quotes.
const QUOTED_VALUES_MAX: usize = 5;

/// Lists of reasons that are remembered. Beyond it all are forgotten, and worked out as they come.
const REMEMBERED_MAX: usize = 2_048;

/// The reasons that were told before.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    remembered: HashMap<(RuleRef, Likeness), Arc<[Because]>>,
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
        let tell = || -> Arc<[Because]> { set.why(rule, event).into_iter().map(because).collect() };
        let Some(likeness) = set.likeness(rule, likeness) else { return tell() };
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.clear();
        }
        Arc::clone(self.remembered.entry((rule, likeness)).or_insert_with(tell))
    }
}

fn because(reason: Reason<'_>) -> Because {
    let values = reason.values.iter().take(QUOTED_VALUES_MAX).map(|value| shortened(value));
    let value = values.reduce(|all, next| Cow::Owned([&all, ", ", &next].concat())).unwrap_or_default();
    Because { field: reason.field, condition: reason.condition, value: value.into_owned() }
}
