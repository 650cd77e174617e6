//! Conditions in negation normal form, interned: the same condition in two rules is one node.
//!
//! A rule matches when its condition is true, and what is not recorded makes neither a test nor its negation true. So
//! negations are pushed down to the tests, and nodes either hold or do not.

use hashbrown::HashMap;

use super::tests::TestId;
use crate::condition::Sense;

/// A node of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// Holds always.
    pub(crate) const ALWAYS: NodeId = NodeId(0);
    /// Never holds.
    pub(crate) const NEVER: NodeId = NodeId(1);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Always,
    Never,
    /// The test is true ([`Sense::Positive`]) or false.
    Test(TestId, Sense),
    All(Box<[NodeId]>),
    Any(Box<[NodeId]>),
}

#[derive(Debug)]
pub(crate) struct Nodes {
    /// Each with what it costs to ask.
    nodes: Vec<(Node, u32)>,
    by_node: HashMap<Node, NodeId>,
}

impl Default for Nodes {
    fn default() -> Self {
        let nodes = vec![(Node::Always, 0), (Node::Never, 0)];
        let by_node = HashMap::from([(Node::Always, NodeId::ALWAYS), (Node::Never, NodeId::NEVER)]);
        Self { nodes, by_node }
    }
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Memory, about.
    pub(crate) fn bytes(&self) -> usize {
        // Each node is held twice, with its parts.
        self.nodes.len() * 2 * (size_of::<Node>() + 4 * size_of::<NodeId>())
    }

    pub(crate) fn cost(&self, node: NodeId) -> u32 {
        self.nodes[node.index()].1
    }

    pub(crate) fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node.index()].0
    }

    /// The parts of a conjunction, the cheapest first; any other node alone.
    pub(crate) fn conjuncts<'n>(&'n self, node: &'n NodeId) -> &'n [NodeId] {
        match self.get(*node) {
            Node::All(parts) => parts,
            _ => std::slice::from_ref(node),
        }
    }

    fn intern(&mut self, node: Node, cost: u32) -> NodeId {
        if let Some(id) = self.by_node.get(&node) {
            return *id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.by_node.insert(node.clone(), id);
        self.nodes.push((node, cost));
        id
    }

    pub(crate) fn test(&mut self, test: TestId, sense: Sense, cost: u32) -> NodeId {
        self.intern(Node::Test(test, sense), cost)
    }

    /// Holds when all of `parts` do.
    pub(crate) fn all(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat = Vec::new();
        for part in parts {
            match self.get(part) {
                Node::Never => return NodeId::NEVER,
                Node::Always => {}
                Node::All(inner) => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        match self.order(&mut flat) {
            None => NodeId::ALWAYS,
            Some(_) if flat.len() == 1 => flat[0],
            Some(cost) => self.intern(Node::All(flat.into()), cost),
        }
    }

    /// Holds when one of `parts` does.
    pub(crate) fn any(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat = Vec::new();
        for part in parts {
            match self.get(part) {
                Node::Always => return NodeId::ALWAYS,
                Node::Never => {}
                Node::Any(inner) => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        match self.order(&mut flat) {
            None => NodeId::NEVER,
            Some(_) if flat.len() == 1 => flat[0],
            Some(cost) => self.intern(Node::Any(flat.into()), cost),
        }
    }

    /// Puts the cheap parts first, each once; returns what the whole costs, or nothing if there are no parts.
    fn order(&self, parts: &mut Vec<NodeId>) -> Option<u32> {
        let cost = |part: &NodeId| self.nodes[part.index()].1;
        parts.sort_unstable_by_key(|part| (cost(part), *part));
        parts.dedup();
        parts.last().map(|dearest| cost(dearest).saturating_add(1))
    }
}
