//! One event under a program: each test asked and each condition worked out at most once.

use audit::Event;

use super::Program;
use super::fields::FieldId;
use super::memo::{Class, FacetTests, Memo, Outcome};
use super::nodes::{Node, NodeId, Nodes};
use super::reading::{self, Reading};
use super::tests::{GroupId, Plan, TestId};
use crate::condition::{Case, Predicate, Test, Truth};
use crate::naive;

/// Memory that is kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Number of the session; what bears another number is stale.
    now: u32,
    reading: reading::Memory,
    /// The value at hand in lower case.
    folded: String,
    groups: Vec<(u32, Truth)>,
    tests: Vec<(u32, Truth)>,
    nodes: Vec<(u32, bool)>,
    rules: Vec<u32>,
    raised: Vec<TestId>,
}

impl Scratch {
    /// Calls `ask` with a session about `event` that begins.
    pub(crate) fn begin<R>(
        &mut self,
        program: &Program,
        event: &Event<'_>,
        ask: impl FnOnce(&mut Session<'_, '_, '_, '_>) -> R,
    ) -> R {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 || self.rules.len() != program.wholes.len() {
            // Nothing of another life may look fresh.
            *self = Self { now: 1, ..Self::default() };
            self.groups.resize(program.tests.groups(), (0, Truth::False));
            self.tests.resize(program.tests.len(), (0, Truth::False));
            self.rules.resize(program.wholes.len(), 0);
        }
        let mut memory = std::mem::take(&mut self.reading);
        let result =
            memory.begin(&program.fields, event, |reading| ask(&mut Session { program, reading, scratch: self }));
        self.reading = memory;
        result
    }
}

/// One event, as far as it has been asked about.
pub(crate) struct Session<'p, 'e, 'm, 'r> {
    program: &'p Program,
    reading: &'r mut Reading<'e, 'm>,
    scratch: &'r mut Scratch,
}

impl Session<'_, '_, '_, '_> {
    /// Which of `tests` are true and which not recorded.
    pub(crate) fn classify(&mut self, tests: &FacetTests) -> Class {
        let mut class = Class::default();
        for group in &tests.groups {
            self.look_up(*group, &mut |test| class.passing.push(test));
            if self.scratch.groups[group.index()].1 == Truth::NotRecorded {
                class.unrecorded_groups.push(*group);
            }
        }
        for test in &tests.singles {
            match self.test(*test) {
                Truth::True => class.passing.push(*test),
                Truth::NotRecorded => class.unrecorded.push(*test),
                Truth::False => {}
            }
        }
        class.passing.sort_unstable();
        class
    }

    /// Puts the rules that `outcome` leaves open and that the event satisfies into `found`.
    pub(crate) fn answer(&mut self, memo: &Memo, outcome: &Outcome, found: &mut Vec<u32>) {
        self.scratch.nodes.resize(memo.nodes().len().max(self.scratch.nodes.len()), (0, false));
        let mut raised = std::mem::take(&mut self.scratch.raised);
        raised.clear();
        for group in &outcome.groups {
            self.look_up(*group, &mut |test| raised.push(test));
        }
        for root in raised.iter().filter_map(|test| outcome.root_of(*test)).chain(outcome.unanchored) {
            self.climb(memo, root, found);
        }
        self.scratch.raised = raised;
    }

    fn climb(&mut self, memo: &Memo, at: u32, found: &mut Vec<u32>) {
        let step = memo.step(at);
        for rule in &step.rules {
            let seen = &mut self.scratch.rules[*rule as usize];
            if *seen != self.scratch.now {
                *seen = self.scratch.now;
                found.push(*rule);
            }
        }
        for (node, to) in &step.next {
            if self.holds(memo.nodes(), *node) {
                self.climb(memo, *to, found);
            }
        }
    }

    fn holds(&mut self, nodes: &Nodes, id: NodeId) -> bool {
        let (now, holds) = self.scratch.nodes[id.index()];
        if now == self.scratch.now {
            return holds;
        }
        let holds = match nodes.get(id) {
            Node::Always => true,
            Node::Never => false,
            Node::Test(test, sense) => self.test(*test).is(*sense),
            Node::All(parts) => parts.iter().all(|part| self.holds(nodes, *part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(nodes, *part)),
        };
        self.scratch.nodes[id.index()] = (self.scratch.now, holds);
        holds
    }

    fn test(&mut self, id: TestId) -> Truth {
        let program = self.program;
        let plan = program.tests.plan(id);
        if let Plan::Grouped(group) = plan
            && self.scratch.groups[group.index()].0 != self.scratch.now
        {
            self.look_up(*group, &mut |_| {});
        }
        let (now, truth) = self.scratch.tests[id.index()];
        if now == self.scratch.now {
            return truth;
        }
        let truth = match plan {
            Plan::Grouped(group) => self.scratch.groups[group.index()].1,
            Plan::Exists(field) => {
                let has = !self.reading.field(*field).is_empty();
                self.known_or_hidden(*field, has, has)
            }
            Plan::Alone(field, predicate) => self.alone(*field, predicate),
            Plan::Stage(stages) => Truth::known(stages.hold(self.reading.event)),
        };
        self.scratch.tests[id.index()] = (self.scratch.now, truth);
        truth
    }

    /// A test without a value to test is not recorded if the event hides the field.
    fn known_or_hidden(&mut self, field: FieldId, has_value: bool, passes: bool) -> Truth {
        if !has_value && self.reading.is_hidden(field) { Truth::NotRecorded } else { Truth::known(passes) }
    }

    fn alone(&mut self, field: FieldId, predicate: &Predicate) -> Truth {
        if matches!(predicate.test, Test::Compare(..)) {
            return naive::test(predicate, self.reading.event);
        }
        let mut values = self.reading.field(field);
        let has_value = !values.is_empty();
        let every = matches!(predicate.test, Test::AllWithin(_) | Test::Every(_));
        let mut passes = every && has_value;
        while let Some(value) = self.reading.next(&mut values) {
            if naive::value_passes(&predicate.test, &value.display()) != every {
                passes = !every;
                break;
            }
        }
        self.known_or_hidden(field, has_value, passes)
    }

    /// Looks the values of a group's field up; each test that passes is noted, and shown to `raise` once.
    fn look_up(&mut self, id: GroupId, raise: &mut impl FnMut(TestId)) {
        let group = self.program.tests.group(id);
        let mut values = self.reading.field(group.field);
        let absent = self.known_or_hidden(group.field, !values.is_empty(), false);
        let Scratch { folded, tests, groups, now, .. } = &mut *self.scratch;
        groups[id.index()] = (*now, absent);
        while let Some(value) = self.reading.next(&mut values) {
            let value = value.display();
            let value = match group.case {
                Case::Exact => &*value,
                Case::Folded => fold(&value, folded),
            };
            group.each_hit(value, |test| {
                if tests[test.index()].0 != *now {
                    tests[test.index()] = (*now, Truth::True);
                    raise(test);
                }
            });
        }
    }
}

/// `text` in lower case, in memory that is kept.
fn fold<'f>(text: &str, folded: &'f mut String) -> &'f str {
    folded.clear();
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
    } else {
        folded.push_str(&text.to_lowercase());
    }
    folded
}
