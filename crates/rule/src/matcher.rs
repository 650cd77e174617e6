//! Matching one event against a rule set.

use std::sync::Arc;

use audit::Event;

use crate::condition::Truth;
use crate::naive;
use crate::rule::Flavour;
use crate::set::{Matching, RuleRef, RuleSet};

/// One rule that an event satisfies. What made it so is asked of [`RuleSet::why`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Match {
    /// The rule.
    pub rule: RuleRef,
}

/// Matches events against a rule set. One for each thread: it holds scratch memory.
#[derive(Debug)]
pub struct Matcher {
    set: Arc<RuleSet>,
}

impl Matcher {
    /// A matcher of `set`.
    pub fn new(set: Arc<RuleSet>) -> Self {
        Self { set }
    }

    /// The rule set.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Puts the rules that `event` satisfies into `out` (which is cleared first), in load order.
    pub fn matches(&mut self, event: &Event<'_>, out: &mut Vec<Match>) {
        out.clear();
        for (i, rule) in self.set.rules().iter().enumerate() {
            let matches = rule.is_evaluated()
                && self.set.stages(i).hold(event)
                && naive::evaluate(&rule.condition, event) == Truth::True;
            if matches {
                out.push(Match { rule: RuleRef(u32::try_from(i).unwrap_or(u32::MAX)) });
            }
        }
        if self.set.options().matching == Matching::First {
            keep_first(&self.set, out);
        }
    }
}

/// Of the Falco rules keeps the first.
fn keep_first(set: &RuleSet, out: &mut Vec<Match>) {
    let mut found = false;
    out.retain(|found_match| {
        let falco = matches!(set.rule(found_match.rule).flavour, Flavour::Falco { .. });
        let keep = !falco || !found;
        found |= falco;
        keep
    });
}
