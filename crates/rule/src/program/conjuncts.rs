//! What rules need beside the test that brings them up, as trees: what several need is asked once for all of them.

use super::nodes::NodeId;

#[derive(Debug, Default)]
pub(crate) struct Conjuncts {
    steps: Vec<Step>,
}

/// One place in the tree.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// What to ask next, and where it leads if it holds.
    pub(crate) next: Vec<(NodeId, u32)>,
    /// Rules that need nothing more.
    pub(crate) rules: Vec<u32>,
}

impl Conjuncts {
    pub(crate) fn step(&self, at: u32) -> &Step {
        &self.steps[at as usize]
    }

    /// Memory, about.
    pub(crate) fn bytes(&self) -> usize {
        // Most steps lead to one other.
        self.steps.len() * (size_of::<Step>() + size_of::<(NodeId, u32)>())
    }

    /// A new tree.
    pub(crate) fn root(&mut self) -> u32 {
        self.steps.push(Step::default());
        u32::try_from(self.steps.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a rule that needs `nodes`, in this order.
    pub(crate) fn insert(&mut self, root: u32, nodes: impl Iterator<Item = NodeId>, rule: u32) {
        let mut at = root;
        for node in nodes {
            let known = self.step(at).next.iter().find(|(asked, _)| *asked == node).map(|(_, to)| *to);
            at = match known {
                Some(to) => to,
                None => {
                    let to = self.root();
                    self.steps[at as usize].next.push((node, to));
                    to
                }
            };
        }
        self.steps[at as usize].rules.push(rule);
    }
}
