//! The compiled form of a rule set.
//!
//! Fields, tests and conditions are interned over all rules, so that each is looked at once an event however many rules
//! ask. What rules make of the parts of an event that keep coming back is worked out once and remembered ([`Memo`]), and
//! a rule that this leaves open is only looked at when one of the tests that it cannot do without is true.

mod anchor;
mod build;
mod conjuncts;
mod familiar;
mod fields;
mod memo;
mod nodes;
mod reading;
mod session;
mod skeleton;
mod tests;

use audit::Event;

use crate::field::Facet;
use crate::likeness::Likeness;
use crate::rule::Rule;
use crate::set::Stages;

use anchor::{Anchor, anchor_of};
use build::Builder;
use fields::Fields;
use memo::{FacetTests, Memo};
use nodes::{NodeId, Nodes};
use session::Scratch;
use tests::{Plan, TestId, Tests};

/// A rule set as the matcher runs it.
#[derive(Debug, Default)]
pub(crate) struct Program {
    fields: Fields,
    tests: Tests,
    nodes: Nodes,
    /// The condition of each rule.
    wholes: Vec<NodeId>,
    /// What decides each test.
    facets: Vec<Facet>,
    facet_tests: [FacetTests; Facet::REMEMBERED.len()],
    /// For each test the rules that it brings up.
    anchored: Vec<Vec<u32>>,
    /// Rules that no test brings up whose truth is always known.
    unanchored: Vec<u32>,
}

impl Program {
    /// Compiles `rules`, each with the stages at which it is evaluated. Rules that are never evaluated never match.
    pub(crate) fn compile(rules: &[Rule], stages: &[Stages]) -> Self {
        let mut builder = Builder::default();
        let mut wholes = vec![NodeId::NEVER; rules.len()];
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_evaluated()) {
            wholes[at] = builder.rule(&rule.condition, stages[at]);
        }
        let Builder { fields, mut tests, nodes } = builder;
        tests.finish();
        let facets: Vec<Facet> = tests.ids().map(|test| tests.facet(test, &fields)).collect();
        let anchored = vec![Vec::new(); tests.len()];
        let facet_tests = Facet::REMEMBERED.map(|facet| tests_of(facet, &facets, &tests));
        let mut program = Self { fields, tests, nodes, wholes, facets, facet_tests, anchored, unanchored: Vec::new() };
        program.place_rules();
        program
    }

    fn place_rules(&mut self) {
        let cost = |test: TestId| {
            let is_known = self.facets[test.index()].is_always_known();
            is_known.then(|| self.tests.anchor_cost(test, &self.fields))
        };
        for (rule, whole) in (0u32..).zip(&self.wholes) {
            match anchor_of(*whole, &self.nodes, &cost) {
                Anchor::Tests(tests) => tests.iter().for_each(|test| self.anchored[test.index()].push(rule)),
                Anchor::None => self.unanchored.push(rule),
            }
        }
    }

    fn facet(&self, test: TestId) -> Facet {
        self.facets[test.index()]
    }

    /// Whether no rule asks for anything that is remembered.
    fn remembers_nothing(&self) -> bool {
        self.facet_tests.iter().all(FacetTests::is_empty)
    }

    fn facet_tests(&self, facet: Facet) -> &FacetTests {
        &self.facet_tests[facet as usize]
    }
}

/// The tests that `facet` decides.
fn tests_of(facet: Facet, facets: &[Facet], tests: &Tests) -> FacetTests {
    let mut of = FacetTests::default();
    for test in tests.ids().filter(|test| facets[test.index()] == facet) {
        match tests.plan(test) {
            Plan::Grouped(group) => of.groups.push(*group),
            _ => of.singles.push(test),
        }
    }
    of.groups.sort_unstable();
    of.groups.dedup();
    of
}

/// Runs a program over events, and remembers what it can.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    memo: Memo,
    scratch: Scratch,
}

impl Runner {
    /// What is known of the event that was run last.
    pub(crate) fn likeness(&self) -> Likeness {
        self.memo.likeness()
    }

    /// Puts the rules that `event` satisfies into `found`, in no order. The program must always be the same.
    pub(crate) fn run(&mut self, program: &Program, event: &Event<'_>, found: &mut Vec<u32>) {
        let Self { memo, scratch } = self;
        let at = memo.outcome(program, event, scratch);
        let outcome = memo.at(at);
        found.extend_from_slice(&outcome.matched);
        if !outcome.is_final() {
            scratch.begin(program, event, |session| session.answer(memo, outcome, found));
        }
    }
}
