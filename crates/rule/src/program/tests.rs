//! Tests interned over all rules. Tests of text are gathered by field: one table of whole values, one automaton of parts.

use aho_corasick::AhoCorasick;
use hashbrown::{HashMap, HashSet};

use super::fields::{FieldId, Fields};
use crate::condition::{Case, Pattern, Predicate, Test};
use crate::field::Facet;
use crate::set::Stages;

/// A test of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TestId(u32);

/// The text tests of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupId(u32);

impl TestId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl GroupId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a test is answered.
#[derive(Debug)]
pub(crate) enum Plan {
    /// By looking the field's values up in a group.
    Grouped(GroupId),
    /// By asking whether the field has a value.
    Exists(FieldId),
    /// By itself.
    Alone(FieldId, Box<Predicate>),
    /// By the stage of the event.
    Stage(Stages),
}

/// The text tests of one field in one way of reading case.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) field: FieldId,
    pub(crate) case: Case,
    pub(crate) exact: HashMap<Box<str>, Vec<TestId>>,
    /// Texts that a value must start with, by their first bytes.
    starts: HashMap<[u8; HEAD], Vec<(Box<str>, TestId)>>,
    /// Those that are shorter than that.
    short_starts: Vec<(Box<str>, TestId)>,
    /// Texts that a value must hold or end with.
    pub(crate) parts: Vec<(Part, TestId)>,
    pub(crate) automaton: Option<AhoCorasick>,
    pub(crate) wild: Vec<(Pattern, TestId)>,
    texts: Vec<Box<str>>,
}

/// Bytes by which texts that a value must start with are looked up.
const HEAD: usize = 6;

/// Values that most events have: a test of one brings up rules for little.
const COMMON: [&str; 12] = [
    "allowed",
    "serviceaccount",
    "node",
    "get",
    "list",
    "watch",
    "update",
    "patch",
    "kube-system",
    "system:authenticated",
    "responsecomplete",
    "200",
];

/// What it costs to be brought up by a test that most events pass.
const COMMON_COST: u32 = 100;

/// Where in a value a part must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    End,
    Anywhere,
}

#[derive(Debug, Default)]
pub(crate) struct Tests {
    plans: Vec<Plan>,
    groups: Vec<Group>,
    by_predicate: HashMap<Predicate, TestId>,
    by_patterns: HashMap<(GroupId, Vec<Pattern>), TestId>,
    by_stages: HashMap<Stages, TestId>,
    by_field: HashMap<(FieldId, Case), GroupId>,
    /// Tests that most events pass.
    common: HashSet<TestId>,
}

impl Tests {
    pub(crate) fn len(&self) -> usize {
        self.plans.len()
    }

    pub(crate) fn plan(&self, test: TestId) -> &Plan {
        &self.plans[test.index()]
    }

    pub(crate) fn group(&self, group: GroupId) -> &Group {
        &self.groups[group.index()]
    }

    /// The group in which a test is looked up, if it is.
    pub(crate) fn group_of(&self, test: TestId) -> Option<GroupId> {
        match self.plan(test) {
            Plan::Grouped(group) => Some(*group),
            _ => None,
        }
    }

    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The part of an event that decides a test.
    pub(crate) fn facet(&self, test: TestId, fields: &Fields) -> Facet {
        match self.plan(test) {
            Plan::Grouped(group) => fields.facet(self.group(*group).field),
            Plan::Exists(field) => fields.facet(*field),
            Plan::Alone(field, predicate) => match &predicate.test {
                Test::Compare(_, _, other) => fields.facet(*field).and(other.facet()),
                _ => fields.facet(*field),
            },
            Plan::Stage(_) => Facet::Action,
        }
    }

    /// How bad a test is for bringing rules up: by what its field costs, and whether most events pass it.
    pub(crate) fn anchor_cost(&self, test: TestId, fields: &Fields) -> u32 {
        let cost = match self.plan(test) {
            Plan::Grouped(group) => fields.cost(self.group(*group).field),
            Plan::Exists(field) => fields.cost(*field) + COMMON_COST,
            Plan::Alone(field, _) => fields.cost(*field),
            Plan::Stage(_) => COMMON_COST,
        };
        if self.common.contains(&test) { cost + COMMON_COST } else { cost }
    }

    /// All tests.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TestId> + use<> {
        (0..u32::try_from(self.plans.len()).unwrap_or(u32::MAX)).map(TestId)
    }

    /// The test whether a value of `field` fits one of `patterns`.
    pub(crate) fn intern_patterns(&mut self, field: FieldId, case: Case, mut patterns: Vec<Pattern>) -> TestId {
        patterns.sort();
        patterns.dedup();
        let group = self.intern_group(field, case);
        if let Some(id) = self.by_patterns.get(&(group, patterns.clone())) {
            return *id;
        }
        let id = self.add(Plan::Grouped(group));
        let is_common = |pattern: &Pattern| matches!(pattern, Pattern::Exact(text) if COMMON.contains(&&**text));
        if patterns.iter().any(is_common) {
            self.common.insert(id);
        }
        for pattern in &patterns {
            self.groups[group.index()].add(pattern.clone(), id);
        }
        self.by_patterns.insert((group, patterns), id);
        id
    }

    pub(crate) fn intern(&mut self, field: FieldId, predicate: &Predicate) -> TestId {
        if let Test::Text(case, pattern) = &predicate.test {
            return self.intern_patterns(field, *case, vec![pattern.clone()]);
        }
        if let Some(id) = self.by_predicate.get(predicate) {
            return *id;
        }
        let plan = match predicate.test {
            Test::Exists => Plan::Exists(field),
            _ => Plan::Alone(field, Box::new(predicate.clone())),
        };
        let id = self.add(plan);
        self.by_predicate.insert(predicate.clone(), id);
        id
    }

    pub(crate) fn intern_stages(&mut self, stages: Stages) -> TestId {
        if let Some(id) = self.by_stages.get(&stages) {
            return *id;
        }
        let id = self.add(Plan::Stage(stages));
        self.by_stages.insert(stages, id);
        id
    }

    fn add(&mut self, plan: Plan) -> TestId {
        self.plans.push(plan);
        TestId(u32::try_from(self.plans.len() - 1).unwrap_or(u32::MAX))
    }

    fn intern_group(&mut self, field: FieldId, case: Case) -> GroupId {
        if let Some(id) = self.by_field.get(&(field, case)) {
            return *id;
        }
        let id = GroupId(u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        self.groups.push(Group {
            field,
            case,
            exact: HashMap::new(),
            starts: HashMap::new(),
            short_starts: Vec::new(),
            parts: Vec::new(),
            automaton: None,
            wild: Vec::new(),
            texts: Vec::new(),
        });
        self.by_field.insert((field, case), id);
        id
    }

    /// Builds the automata; no test may be added after.
    pub(crate) fn finish(&mut self) {
        self.groups.iter_mut().for_each(Group::finish);
        self.by_predicate = HashMap::new();
        self.by_patterns = HashMap::new();
    }
}

impl Group {
    fn add(&mut self, pattern: Pattern, test: TestId) {
        let (part, text) = match pattern {
            Pattern::Exact(text) => {
                self.exact.entry(text).or_default().push(test);
                return;
            }
            Pattern::Wild(_) => {
                self.wild.push((pattern, test));
                return;
            }
            Pattern::Prefix(text) if !text.is_empty() => {
                match text.as_bytes().first_chunk::<HEAD>() {
                    Some(head) => self.starts.entry(*head).or_default().push((text, test)),
                    None => self.short_starts.push((text, test)),
                }
                return;
            }
            // Nothing at the start is nothing anywhere.
            Pattern::Prefix(text) => (Part::Anywhere, text),
            Pattern::Suffix(text) => (Part::End, text),
            Pattern::Contains(text) => (Part::Anywhere, text),
        };
        self.parts.push((part, test));
        self.texts.push(text);
    }

    fn finish(&mut self) {
        // Building fails only beyond limits that the size of rule files keeps far away; then each text is looked for by
        // itself.
        if !self.texts.is_empty() {
            self.automaton = AhoCorasick::new(self.texts.iter().map(|text| text.as_bytes())).ok();
        }
    }

    fn each_start(&self, value: &str, hit: &mut impl FnMut(TestId)) {
        let head = value.as_bytes().first_chunk::<HEAD>().filter(|_| !self.starts.is_empty());
        let same_head = head.and_then(|head| self.starts.get(head)).into_iter().flatten();
        for (_, test) in same_head.chain(&self.short_starts).filter(|(text, _)| value.starts_with(&**text)) {
            hit(*test);
        }
    }

    /// Calls `hit` with every test that `value` passes. Under [`Case::Folded`] it must be in lower case.
    pub(crate) fn each_hit(&self, value: &str, mut hit: impl FnMut(TestId)) {
        if let Some(tests) = self.exact.get(value) {
            tests.iter().for_each(|test| hit(*test));
        }
        for (pattern, test) in &self.wild {
            if pattern.fits(value) {
                hit(*test);
            }
        }
        self.each_start(value, &mut hit);
        match &self.automaton {
            Some(automaton) => {
                for found in automaton.find_overlapping_iter(value) {
                    let (part, test) = self.parts[found.pattern().as_usize()];
                    if part == Part::Anywhere || found.end() == value.len() {
                        hit(test);
                    }
                }
            }
            None => {
                for ((part, test), text) in self.parts.iter().zip(&self.texts) {
                    if part.holds(value, text) {
                        hit(*test);
                    }
                }
            }
        }
    }
}

impl Part {
    fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::End => value.ends_with(text),
            Self::Anywhere => value.contains(text),
        }
    }
}
