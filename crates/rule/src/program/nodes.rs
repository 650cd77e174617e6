//! Conditions interned over all rules: the same condition in two rules is one node, and is worked out once an event.

use std::collections::{BTreeMap, HashMap};

use super::fields::{FieldId, Fields};
use super::tests::{TestId, Tests};
use crate::condition::{Case, Condition, Pattern, Test, Truth};
use crate::set::Stages;

/// A node of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Always(Truth),
    Stage(Stages),
    Test(TestId),
    Not(NodeId),
    All(Box<[NodeId]>),
    Any(Box<[NodeId]>),
}

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    by_node: HashMap<Node, NodeId>,
    /// How many rules need a node.
    uses: Vec<u32>,
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node.index()]
    }

    pub(crate) fn is_test(&self, node: NodeId, test: TestId) -> bool {
        matches!(self.get(node), Node::Test(known) if *known == test)
    }

    fn intern(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.by_node.get(&node) {
            return *id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node.clone());
        self.uses.push(0);
        self.by_node.insert(node, id);
        id
    }

    pub(crate) fn stage(&mut self, stages: Stages) -> NodeId {
        self.intern(if stages == Stages::Any { Node::Always(Truth::True) } else { Node::Stage(stages) })
    }

    pub(crate) fn all(&mut self, parts: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match self.get(part) {
                Node::All(inner) => flat.extend(inner.iter().copied()),
                Node::Always(Truth::True) => {}
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => self.intern(Node::Always(Truth::True)),
            [one] => *one,
            _ => self.intern(Node::All(flat.into())),
        }
    }

    fn any(&mut self, parts: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match self.get(part) {
                Node::Any(inner) => flat.extend(inner.iter().copied()),
                Node::Always(Truth::False) => {}
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => self.intern(Node::Always(Truth::False)),
            [one] => *one,
            _ => self.intern(Node::Any(flat.into())),
        }
    }

    pub(crate) fn condition(&mut self, condition: &Condition, fields: &mut Fields, tests: &mut Tests) -> NodeId {
        match condition {
            Condition::Always(truth) => self.intern(Node::Always(*truth)),
            Condition::All(parts) => {
                let parts = parts.iter().map(|part| self.condition(part, fields, tests)).collect();
                self.all(parts)
            }
            Condition::Any(parts) => {
                let parts = self.alternatives(parts, fields, tests);
                self.any(parts)
            }
            Condition::Not(inner) => {
                let inner = self.condition(inner, fields, tests);
                match self.get(inner) {
                    Node::Not(twice) => *twice,
                    Node::Always(truth) => {
                        let truth = !*truth;
                        self.intern(Node::Always(truth))
                    }
                    _ => self.intern(Node::Not(inner)),
                }
            }
            Condition::Test(predicate) => {
                let field = fields.intern(&predicate.field);
                let test = tests.intern(field, predicate);
                self.intern(Node::Test(test))
            }
        }
    }

    /// Text tests of the same field become one test with several patterns.
    fn alternatives(&mut self, parts: &[Condition], fields: &mut Fields, tests: &mut Tests) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        let mut patterns: BTreeMap<(FieldId, Case), Vec<Pattern>> = BTreeMap::new();
        for part in parts {
            match part {
                Condition::Test(predicate) if let Test::Text(case, pattern) = &predicate.test => {
                    let field = fields.intern(&predicate.field);
                    patterns.entry((field, *case)).or_default().push(pattern.clone());
                }
                other => nodes.push(self.condition(other, fields, tests)),
            }
        }
        for ((field, case), patterns) in patterns {
            let test = tests.intern_patterns(field, case, patterns);
            nodes.push(self.intern(Node::Test(test)));
        }
        nodes
    }

    /// Puts the parts of every condition in the order in which they are best asked.
    pub(crate) fn finish(&mut self, tests: &Tests, fields: &Fields) {
        // A part has a lower id than what it is part of.
        let mut costs: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for at in 0..self.nodes.len() {
            if let Node::All(parts) | Node::Any(parts) = &mut self.nodes[at] {
                parts.sort_by_key(|part| (costs[part.index()], *part));
            }
            let cost = self.cost(NodeId(u32::try_from(at).unwrap_or(u32::MAX)), tests, fields);
            costs.push(cost);
        }
        self.by_node = HashMap::new();
    }

    /// Counts what a rule needs, so that what many need can be asked first.
    pub(crate) fn count_conjuncts(&mut self, whole: NodeId) {
        match self.nodes[whole.index()].clone() {
            Node::All(parts) => parts.iter().for_each(|part| self.uses[part.index()] += 1),
            _ => self.uses[whole.index()] += 1,
        }
    }

    /// What a rule needs, cheap and common things first.
    pub(crate) fn conjuncts(&self, whole: NodeId, tests: &Tests, fields: &Fields) -> Vec<NodeId> {
        let mut parts = match self.get(whole) {
            Node::All(parts) => parts.to_vec(),
            _ => vec![whole],
        };
        parts.sort_by_key(|part| (self.cost(*part, tests, fields), u32::MAX - self.uses[part.index()], *part));
        parts
    }

    fn cost(&self, node: NodeId, tests: &Tests, fields: &Fields) -> u32 {
        match self.get(node) {
            Node::Always(_) | Node::Stage(_) => 0,
            Node::Test(test) => fields.read_cost(tests.field(*test)),
            Node::Not(inner) => self.cost(*inner, tests, fields).saturating_add(1),
            Node::All(parts) | Node::Any(parts) => {
                let costs = parts.iter().map(|part| self.cost(*part, tests, fields));
                costs.max().unwrap_or(0).saturating_add(2)
            }
        }
    }
}
