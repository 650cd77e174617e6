//! Matching one event against a rule set.

use std::sync::Arc;

use audit::Event;

use crate::likeness::Likeness;
use crate::program::Runner;
use crate::set::{Fidelity, Matching, Options, RuleRef, RuleSet};

/// One rule that an event satisfies. What made it so is asked of [`RuleSet::why`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Match {
    /// The rule.
    pub rule: RuleRef,
}

/// Matches events against a rule set. One for each thread: it remembers what holds for many events, within bounds.
#[derive(Debug)]
pub struct Matcher {
    set: Arc<RuleSet>,
    runner: Runner,
    found: Vec<u32>,
}

impl Matcher {
    /// A matcher of `set`.
    pub fn new(set: Arc<RuleSet>) -> Self {
        Self { set, runner: Runner::default(), found: Vec::new() }
    }

    /// The rule set.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// What is known of the event that was matched last.
    pub fn likeness(&self) -> Likeness {
        self.runner.likeness()
    }

    /// Puts the rules that `event` satisfies into `out` (which is cleared first), in load order.
    pub fn matches(&mut self, event: &Event<'_>, out: &mut Vec<Match>) {
        out.clear();
        self.found.clear();
        self.runner.run(self.set.program(), event, &mut self.found);
        self.found.sort_unstable();
        out.extend(self.found.iter().map(|rule| Match { rule: RuleRef(*rule) }));
        let Options { matching, fidelity } = self.set.options();
        if fidelity == Fidelity::Parity && !is_seen_by_falco(event) {
            out.retain(|found| self.set.rule(found.rule).priority().is_none());
        }
        if matching == Matching::First {
            keep_first(&self.set, out);
        }
    }
}

/// Largest event that Falco's plugin takes, in bytes; it drops larger ones, and those without a time.
const FALCO_EVENT_BYTES_MAX: usize = 262_144;

fn is_seen_by_falco(event: &Event<'_>) -> bool {
    event.text().len() <= FALCO_EVENT_BYTES_MAX && event.stage_time().is_some()
}

/// Of the Falco rules keeps the first.
fn keep_first(set: &RuleSet, out: &mut Vec<Match>) {
    let mut found = false;
    out.retain(|this| {
        let falco = set.rule(this.rule).priority().is_some();
        let keep = !falco || !found;
        found |= falco;
        keep
    });
}
