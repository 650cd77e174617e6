//! Which tests a rule cannot do without.

use super::fields::Fields;
use super::nodes::{Node, NodeId, Nodes};
use super::tests::{Plan, TestId, Tests};
use crate::condition::Truth;

/// What brings a rule up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchored {
    /// Nothing: it can never match.
    Never,
    /// One of these tests must hold.
    By(Vec<TestId>),
    /// No test that is worth asking for every event.
    Nowhere,
}

/// The cheapest set of text tests one of which must hold for `node` to hold.
pub(crate) fn anchor_of(node: NodeId, nodes: &Nodes, tests: &Tests, fields: &Fields) -> Anchored {
    match find(node, nodes, tests, fields) {
        Found::Tests(tests, _) if tests.is_empty() => Anchored::Never,
        Found::Tests(tests, _) => Anchored::By(tests),
        Found::None => Anchored::Nowhere,
    }
}

/// What it costs to be brought up by a test that most events pass.
const COMMON_COST: u32 = 100;

enum Found {
    None,
    Tests(Vec<TestId>, u32),
}

fn find(node: NodeId, nodes: &Nodes, tests: &Tests, fields: &Fields) -> Found {
    match nodes.get(node) {
        Node::Always(Truth::True) | Node::Stage(_) | Node::Not(_) => Found::None,
        Node::Always(_) => Found::Tests(Vec::new(), 0),
        Node::Test(test) => match (tests.plan(*test), fields.anchor_cost(tests.field(*test))) {
            (Plan::Grouped(_), Some(cost)) => {
                Found::Tests(vec![*test], if tests.is_common(*test) { cost + COMMON_COST } else { cost })
            }
            _ => Found::None,
        },
        Node::All(parts) => {
            let cheaper = |best: Found, part: &NodeId| match (best, find(*part, nodes, tests, fields)) {
                (Found::None, other) | (other, Found::None) => other,
                (Found::Tests(_, a), Found::Tests(tests, b)) if b < a => Found::Tests(tests, b),
                (best, _) => best,
            };
            parts.iter().fold(Found::None, cheaper)
        }
        Node::Any(parts) => {
            let (mut all, mut dearest) = (Vec::new(), 0);
            for part in parts {
                match find(*part, nodes, tests, fields) {
                    Found::None => return Found::None,
                    Found::Tests(tests, cost) => {
                        all.extend(tests);
                        dearest = dearest.max(cost);
                    }
                }
            }
            all.sort_unstable();
            all.dedup();
            Found::Tests(all, dearest)
        }
    }
}
