//! The compiled form of a rule set.
//!
//! Fields, tests and conditions are interned over all rules, so that each is looked at once an event however many rules
//! ask. A rule is only looked at when one of the tests that it cannot do without holds: those of the cheapest fields
//! are looked up in one table a field.

mod anchor;
mod conjuncts;
mod fields;
mod nodes;
mod session;
mod tests;

use crate::rule::Rule;
use crate::set::Stages;

use anchor::{Anchored, anchor_of};
use conjuncts::Conjuncts;
use fields::Fields;
use nodes::{NodeId, Nodes};
pub(crate) use session::Scratch;
use tests::{GroupId, Tests};

/// A rule set as the matcher runs it.
#[derive(Debug, Default)]
pub(crate) struct Program {
    fields: Fields,
    tests: Tests,
    nodes: Nodes,
    /// Tables that are looked up for every event.
    anchor_groups: Vec<GroupId>,
    /// For each test the rules that it brings up, as a tree of what else they need.
    anchored: Vec<Option<u32>>,
    conjuncts: Conjuncts,
    /// Rules that no test of an indexed field brings up.
    unanchored: Option<u32>,
    rules: usize,
}

impl Program {
    /// Compiles `rules`, each with the stages at which it is evaluated. Rules that are never evaluated are left out.
    pub(crate) fn compile(rules: &[Rule], stages: impl Fn(usize) -> Stages) -> Self {
        let mut program = Self { rules: rules.len(), ..Self::default() };
        let mut wholes = Vec::new();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_evaluated()) {
            let condition = program.nodes.condition(&rule.condition, &mut program.fields, &mut program.tests);
            let stage = program.nodes.stage(stages(at));
            wholes.push((u32::try_from(at).unwrap_or(u32::MAX), program.nodes.all(vec![stage, condition])));
        }
        program.tests.finish();
        program.nodes.finish(&program.tests, &program.fields);
        program.anchored = vec![None; program.tests.len()];
        for (rule, whole) in &wholes {
            program.nodes.count_conjuncts(*whole);
            debug_assert!((*rule as usize) < program.rules);
        }
        for (rule, whole) in wholes {
            program.place(rule, whole);
        }
        program.anchor_groups = program.tests.groups_of(&program.anchored);
        program
    }

    /// Puts a rule where the tests that it needs will find it.
    fn place(&mut self, rule: u32, whole: NodeId) {
        let conjuncts = self.nodes.conjuncts(whole, &self.tests, &self.fields);
        match anchor_of(whole, &self.nodes, &self.tests, &self.fields) {
            Anchored::Never => {}
            Anchored::By(tests) => {
                for test in tests {
                    let root = *self.anchored[test.index()].get_or_insert_with(|| self.conjuncts.root());
                    let rest = conjuncts.iter().copied().filter(|node| !self.nodes.is_test(*node, test));
                    self.conjuncts.insert(root, rest, rule);
                }
            }
            Anchored::Nowhere => {
                let root = *self.unanchored.get_or_insert_with(|| self.conjuncts.root());
                self.conjuncts.insert(root, conjuncts.iter().copied(), rule);
            }
        }
    }
}
