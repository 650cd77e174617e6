//! From conditions to nodes.

use std::collections::BTreeMap;

use super::fields::{FieldId, Fields};
use super::nodes::{NodeId, Nodes};
use super::tests::{TestId, Tests};
use crate::condition::{Case, Condition, Pattern, Sense, Test, Truth};
use crate::set::Stages;

/// Where fields, tests and nodes are interned.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) fields: Fields,
    pub(super) tests: Tests,
    pub(super) nodes: Nodes,
}

impl Builder {
    /// The node that holds when `condition` is true at one of `stages`.
    pub(super) fn rule(&mut self, condition: &Condition, stages: Stages) -> NodeId {
        let condition = self.condition(condition, Sense::Positive);
        if stages == Stages::Any {
            return condition;
        }
        let stage = self.tests.intern_stages(stages);
        let stage = self.nodes.test(stage, Sense::Positive, 0);
        self.nodes.all([stage, condition])
    }

    /// The node that holds when `condition` is true, or when it is false if the sense is negative.
    fn condition(&mut self, condition: &Condition, sense: Sense) -> NodeId {
        match (condition, sense) {
            (Condition::Always(truth), _) => {
                let wanted = if sense == Sense::Positive { Truth::True } else { Truth::False };
                if *truth == wanted { NodeId::ALWAYS } else { NodeId::NEVER }
            }
            (Condition::Not(inner), _) => self.condition(inner, sense.flipped()),
            (Condition::All(parts), _) => {
                let parts: Vec<NodeId> = parts.iter().map(|part| self.condition(part, sense)).collect();
                if sense == Sense::Positive { self.nodes.all(parts) } else { self.nodes.any(parts) }
            }
            (Condition::Any(parts), _) => {
                let parts = self.alternatives(parts, sense);
                if sense == Sense::Positive { self.nodes.any(parts) } else { self.nodes.all(parts) }
            }
            (Condition::Test(predicate), _) => {
                let field = self.fields.intern(&predicate.field);
                let test = self.tests.intern(field, predicate);
                self.test(test, field, sense)
            }
        }
    }

    fn test(&mut self, test: TestId, field: FieldId, sense: Sense) -> NodeId {
        self.nodes.test(test, sense, self.fields.cost(field))
    }

    /// Text tests of the same field become one test with several patterns.
    fn alternatives(&mut self, parts: &[Condition], sense: Sense) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        let mut patterns: BTreeMap<(FieldId, Case), Vec<Pattern>> = BTreeMap::new();
        for part in parts {
            match part {
                Condition::Test(predicate) if let Test::Text(case, pattern) = &predicate.test => {
                    let field = self.fields.intern(&predicate.field);
                    patterns.entry((field, *case)).or_default().push(pattern.clone());
                }
                other => nodes.push(self.condition(other, sense)),
            }
        }
        for ((field, case), patterns) in patterns {
            let test = self.tests.intern_patterns(field, case, patterns);
            nodes.push(self.test(test, field, sense));
        }
        nodes
    }
}
