//! Which tests a rule cannot do without.

use super::nodes::{Node, NodeId, Nodes};
use super::tests::TestId;
use crate::condition::Sense;

/// What brings a rule up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// One of these tests must be true.
    Tests(Vec<TestId>),
    /// Nothing that can be looked up.
    None,
}

/// The cheapest set of tests one of which must be true for `node` to hold. `cost` says how bad a test is as an anchor;
/// `None` that it is none.
pub(crate) fn anchor_of(node: NodeId, nodes: &Nodes, cost: &impl Fn(TestId) -> Option<u32>) -> Anchor {
    find(node, nodes, cost).map_or(Anchor::None, |(_, tests)| Anchor::Tests(tests))
}

fn find(node: NodeId, nodes: &Nodes, cost: &impl Fn(TestId) -> Option<u32>) -> Option<(u32, Vec<TestId>)> {
    match nodes.get(node) {
        Node::Test(test, Sense::Positive) => Some((cost(*test)?, vec![*test])),
        Node::Always | Node::Test(_, Sense::Negative) => None,
        Node::Never => Some((0, Vec::new())),
        Node::All(parts) => parts.iter().filter_map(|part| find(*part, nodes, cost)).min_by_key(|(cost, _)| *cost),
        Node::Any(parts) => {
            let (mut tests, mut dearest) = (Vec::new(), 0);
            for part in parts {
                let (cost, found) = find(*part, nodes, cost)?;
                tests.extend(found);
                dearest = dearest.max(cost);
            }
            tests.sort_unstable();
            tests.dedup();
            Some((dearest, tests))
        }
    }
}
