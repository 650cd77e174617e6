//! What was worked out once and holds for many events.
//!
//! Rules tell little of most parts of an event: whether a user agent is one of a few, whether a user is a node. Values of
//! one [`Facet`] that pass the same tests are one [`Class`]; most traffic has a few hundred. The classes of an event
//! decide most rules, and what they leave of the others is an [`Outcome`]: conditions on what differs from event to event.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use audit::Event;
use hashbrown::HashMap;

use super::Program;
use super::anchor::{Anchor, anchor_of};
use super::conjuncts::{Conjuncts, Step};
use super::familiar::Familiar;
use super::nodes::{Node, NodeId, Nodes};
use super::session::Scratch;
use super::skeleton::Skeleton;
use super::tests::{GroupId, TestId};
use crate::condition::{Sense, Truth};
use crate::field::Facet;
use crate::likeness::Likeness;

/// Bytes of classes and outcomes that one matcher remembers, about. Beyond it everything is forgotten and worked out anew
/// as it comes: traffic of ever new kinds costs time, not memory.
const REMEMBERED_BYTES_MAX: usize = 16 << 20;
/// Bytes of the texts of one facet that are remembered, about. Beyond it those of this facet are forgotten.
const KEYS_BYTES_MAX: usize = 2 << 20;
/// Longest text of one facet that is remembered; events with a longer one are worked out each time.
const KEY_BYTES_MAX: usize = 4 << 10;

/// The tests that one facet decides.
#[derive(Debug, Default)]
pub(crate) struct FacetTests {
    pub(crate) groups: Vec<GroupId>,
    pub(crate) singles: Vec<TestId>,
}

/// What rules can tell of the values of one facet: every test that is not named is false.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Class {
    pub(crate) passing: Vec<TestId>,
    pub(crate) unrecorded_groups: Vec<GroupId>,
    pub(crate) unrecorded: Vec<TestId>,
}

/// Place of a class; those of different facets are different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClassId(u32);

impl ClassId {
    /// The facet must be read from each event.
    const OPEN: ClassId = ClassId(u32::MAX);
}

/// What is remembered of the values of one facet.
#[derive(Debug, Clone, Copy)]
struct Remembered {
    class: ClassId,
    /// Stands for these values, and for no others ever.
    number: NonZeroU64,
}

/// Place of an outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutcomeId(usize);

type Classes = [ClassId; Facet::REMEMBERED.len()];

/// What the classes of an event leave to be asked.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Rules that match whatever the rest holds.
    pub(crate) matched: Vec<u32>,
    /// What to look up in the rest.
    pub(crate) groups: Vec<GroupId>,
    /// Where the rules begin that a test brings up, by test.
    anchored: Vec<(TestId, u32)>,
    /// Where the rules begin that no test brings up.
    pub(crate) unanchored: Option<u32>,
}

impl Outcome {
    /// Whether nothing is left to be asked.
    pub(crate) fn is_final(&self) -> bool {
        self.groups.is_empty() && self.unanchored.is_none()
    }

    /// Where the rules begin that `test` brings up.
    pub(crate) fn root_of(&self, test: TestId) -> Option<u32> {
        let at = self.anchored.binary_search_by_key(&test, |(test, _)| *test).ok()?;
        Some(self.anchored[at].1)
    }
}

/// Everything that one matcher remembers.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    keys: [HashMap<Box<[u8]>, Remembered>; Facet::REMEMBERED.len()],
    /// The same for keys that are one or two flags.
    short_keys: [[Option<Remembered>; SHORT_KEYS]; Facet::REMEMBERED.len()],
    classes: Vec<Arc<Class>>,
    by_class: HashMap<(Facet, Arc<Class>), ClassId>,
    outcomes: Vec<Outcome>,
    by_classes: HashMap<Classes, OutcomeId>,
    /// Conditions on what differs from event to event, and the rules that need them.
    nodes: Nodes,
    conjuncts: Conjuncts,
    /// Bytes of the keys of each facet.
    key_bytes: [usize; Facet::REMEMBERED.len()],
    /// Bytes of classes and outcomes.
    bytes: usize,
    /// Outcomes by whole events.
    familiar: Familiar,
    /// The keys at hand.
    key: Vec<u8>,
    /// Where the key of each facet stands among them.
    spans: [(usize, usize); Facet::REMEMBERED.len()],
    /// Numbers that were given out.
    numbers: u64,
    /// Those of the event at hand.
    likeness: Likeness,
    known: Known,
}

impl Memo {
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(crate) fn step(&self, at: u32) -> &Step {
        self.conjuncts.step(at)
    }

    pub(crate) fn at(&self, outcome: OutcomeId) -> &Outcome {
        &self.outcomes[outcome.0]
    }

    /// What the classes of `event` leave to be asked.
    pub(crate) fn outcome(&mut self, program: &Program, event: &Event<'_>, scratch: &mut Scratch) -> OutcomeId {
        let skeleton = if program.remembers_nothing() { None } else { Skeleton::of(event) };
        let Some(skeleton) = skeleton else { return self.outcome_by_facets(program, event, scratch) };
        let hash = self.familiar.hash(&skeleton);
        if let Some((outcome, likeness)) = self.familiar.get(hash, &skeleton) {
            self.likeness = likeness;
            return outcome;
        }
        let outcome = self.outcome_by_facets(program, event, scratch);
        self.familiar.meet(hash, &skeleton, outcome, self.likeness);
        outcome
    }

    fn outcome_by_facets(&mut self, program: &Program, event: &Event<'_>, scratch: &mut Scratch) -> OutcomeId {
        self.write_keys(program, event);
        self.likeness = Likeness::default();
        match self.recall() {
            Some(outcome) => outcome,
            None => self.learn(program, event, scratch),
        }
    }

    /// What is known of the event whose outcome was asked last.
    pub(crate) fn likeness(&self) -> Likeness {
        self.likeness
    }

    fn recall(&mut self) -> Option<OutcomeId> {
        let mut classes = [ClassId::OPEN; Facet::REMEMBERED.len()];
        for facet in Facet::REMEMBERED {
            if !self.span(facet).is_empty() {
                classes[facet as usize] = self.recall_class(facet)?;
            }
        }
        self.by_classes.get(&classes).copied()
    }

    /// The class of the key at hand, if it is remembered.
    fn recall_class(&mut self, facet: Facet) -> Option<ClassId> {
        let key = &self.key[self.span(facet)];
        let known = match short(key) {
            Some(at) => self.short_keys[facet as usize][at]?,
            None => *self.keys[facet as usize].get(key)?,
        };
        self.likeness.set(facet, known.number);
        Some(known.class)
    }

    /// Writes the keys of all facets one after the other. Those that have none must be read from each event.
    fn write_keys(&mut self, program: &Program, event: &Event<'_>) {
        self.key.clear();
        for facet in Facet::REMEMBERED {
            let start = self.key.len();
            if program.facet_tests(facet).is_empty() || !facet.write_key(event, &mut self.key) {
                self.key.truncate(start);
            }
            self.spans[facet as usize] = (start, self.key.len());
        }
    }

    /// Where the key of a facet stands; empty if it has none.
    fn span(&self, facet: Facet) -> Range<usize> {
        let (start, end) = self.spans[facet as usize];
        start..end
    }

    fn learn(&mut self, program: &Program, event: &Event<'_>, scratch: &mut Scratch) -> OutcomeId {
        if self.bytes + self.nodes.bytes() + self.conjuncts.bytes() > REMEMBERED_BYTES_MAX {
            let key = std::mem::take(&mut self.key);
            *self = Self { numbers: self.numbers, key, spans: self.spans, ..Self::default() };
        }
        let mut classes = [ClassId::OPEN; Facet::REMEMBERED.len()];
        scratch.begin(program, event, |session| {
            for facet in Facet::REMEMBERED {
                if self.span(facet).is_empty() {
                    continue;
                }
                classes[facet as usize] = match self.recall_class(facet) {
                    Some(class) => class,
                    None => self.remember(facet, session.classify(program.facet_tests(facet))),
                };
            }
        });
        if let Some(at) = self.by_classes.get(&classes) {
            return *at;
        }
        let outcome = self.work_out(program, &classes);
        let id = OutcomeId(self.outcomes.len());
        self.bytes += outcome.bytes();
        self.outcomes.push(outcome);
        self.by_classes.insert(classes, id);
        id
    }

    /// Remembers the class of the key at hand.
    fn remember(&mut self, facet: Facet, class: Class) -> ClassId {
        let id = match self.by_class.get(&(facet, Arc::new(class.clone()))) {
            Some(id) => *id,
            None => {
                self.bytes += class.bytes();
                let (class, id) = (Arc::new(class), ClassId(u32::try_from(self.classes.len()).unwrap_or(u32::MAX)));
                self.classes.push(Arc::clone(&class));
                self.by_class.insert((facet, class), id);
                id
            }
        };
        self.numbers += 1;
        let known = Remembered { class: id, number: NonZeroU64::MIN.saturating_add(self.numbers) };
        let key = &self.key[self.span(facet)];
        if let Some(at) = short(key) {
            self.short_keys[facet as usize][at] = Some(known);
            self.likeness.set(facet, known.number);
        } else if key.len() <= KEY_BYTES_MAX {
            let (keys, bytes) = (&mut self.keys[facet as usize], &mut self.key_bytes[facet as usize]);
            if *bytes > KEYS_BYTES_MAX {
                keys.clear();
                *bytes = 0;
            }
            *bytes += key.len() + 2 * size_of::<(Box<[u8]>, Remembered)>();
            keys.insert(key.into(), known);
            self.likeness.set(facet, known.number);
        }
        id
    }

    /// Puts what the classes tell into the conditions of the rules that they bring up.
    fn work_out(&mut self, program: &Program, classes: &Classes) -> Outcome {
        self.known.begin(program);
        let mut rules = program.unanchored.clone();
        for (facet, id) in Facet::REMEMBERED.into_iter().zip(classes).filter(|(_, id)| **id != ClassId::OPEN) {
            let class = &self.classes[id.0 as usize];
            self.known.tell(facet, class);
            rules.extend(class.passing.iter().flat_map(|test| &program.anchored[test.index()]));
        }
        rules.sort_unstable();
        rules.dedup();
        let mut outcome = Outcome::default();
        let mut roots = HashMap::new();
        for rule in rules {
            match self.known.reduce(program.wholes[rule as usize], program, &mut self.nodes) {
                NodeId::ALWAYS => outcome.matched.push(rule),
                NodeId::NEVER => {}
                open => self.place(rule, open, program, &mut roots, &mut outcome),
            }
        }
        outcome.anchored = roots.into_iter().collect();
        outcome.anchored.sort_unstable();
        outcome.groups = outcome.anchored.iter().filter_map(|(test, _)| program.tests.group_of(*test)).collect();
        outcome.groups.sort_unstable();
        outcome.groups.dedup();
        outcome
    }

    /// Puts a rule where the tests that it needs will find it.
    fn place(
        &mut self,
        rule: u32,
        open: NodeId,
        program: &Program,
        roots: &mut HashMap<TestId, u32>,
        outcome: &mut Outcome,
    ) {
        let cost =
            |test| program.tests.group_of(test).is_some().then(|| program.tests.anchor_cost(test, &program.fields));
        let needed = self.nodes.conjuncts(&open);
        match anchor_of(open, &self.nodes, &cost) {
            Anchor::Tests(tests) => {
                for test in tests {
                    let root = *roots.entry(test).or_insert_with(|| self.conjuncts.root());
                    let is_test = |node: &NodeId| *self.nodes.get(*node) == Node::Test(test, Sense::Positive);
                    let rest = needed.iter().copied().filter(|node| !is_test(node));
                    self.conjuncts.insert(root, rest, rule);
                }
            }
            Anchor::None => {
                let root = *outcome.unanchored.get_or_insert_with(|| self.conjuncts.root());
                self.conjuncts.insert(root, needed.iter().copied(), rule);
            }
        }
    }
}

/// Keys of one flag and of two.
const SHORT_KEYS: usize = 6;

/// The number of a key that is one or two flags.
fn short(key: &[u8]) -> Option<usize> {
    match *key {
        [flag @ 0..=1] => Some(usize::from(flag)),
        [first @ 0..=1, second @ 0..=1] => Some(2 + 2 * usize::from(first) + usize::from(second)),
        _ => None,
    }
}

impl FacetTests {
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.singles.is_empty()
    }
}

impl Class {
    fn bytes(&self) -> usize {
        let tests = self.passing.len() + self.unrecorded.len() + self.unrecorded_groups.len();
        size_of::<Self>() + tests * size_of::<TestId>()
    }
}

impl Outcome {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<Classes>()
            + (self.matched.len() + self.groups.len() + 2 * self.anchored.len()) * size_of::<u32>()
    }
}

/// The tests that the classes at hand decide.
#[derive(Debug, Default)]
struct Known {
    /// Number of the outcome; what bears another number is stale.
    now: u32,
    facets: u16,
    tests: Vec<(u32, Truth)>,
    unrecorded: Vec<u32>,
    reduced: Vec<(u32, NodeId)>,
}

impl Known {
    fn begin(&mut self, program: &Program) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 || self.reduced.len() != program.nodes.len() {
            *self = Self { now: 1, ..Self::default() };
            self.tests.resize(program.tests.len(), (0, Truth::False));
            self.unrecorded.resize(program.tests.groups(), 0);
            self.reduced.resize(program.nodes.len(), (0, NodeId::NEVER));
        }
        self.facets = 0;
    }

    fn tell(&mut self, facet: Facet, class: &Class) {
        self.facets |= 1 << facet as u8;
        class.passing.iter().for_each(|test| self.tests[test.index()] = (self.now, Truth::True));
        class.unrecorded.iter().for_each(|test| self.tests[test.index()] = (self.now, Truth::NotRecorded));
        class.unrecorded_groups.iter().for_each(|group| self.unrecorded[group.index()] = self.now);
    }

    /// What `test` comes to, if the classes decide it.
    fn truth(&self, test: TestId, program: &Program) -> Option<Truth> {
        if self.facets & 1 << program.facet(test) as u8 == 0 {
            return None;
        }
        let (now, truth) = self.tests[test.index()];
        let is_unrecorded = |group: GroupId| self.unrecorded[group.index()] == self.now;
        match program.tests.group_of(test) {
            _ if now == self.now => Some(truth),
            Some(group) if is_unrecorded(group) => Some(Truth::NotRecorded),
            _ => Some(Truth::False),
        }
    }

    /// What is left of a condition of the program, as a node of `nodes`.
    fn reduce(&mut self, id: NodeId, program: &Program, nodes: &mut Nodes) -> NodeId {
        let (now, reduced) = self.reduced[id.index()];
        if now == self.now {
            return reduced;
        }
        let reduced = match program.nodes.get(id) {
            Node::Always => NodeId::ALWAYS,
            Node::Never => NodeId::NEVER,
            Node::Test(test, sense) => match self.truth(*test, program) {
                Some(truth) if truth.is(*sense) => NodeId::ALWAYS,
                Some(_) => NodeId::NEVER,
                None => nodes.test(*test, *sense, program.nodes.cost(id)),
            },
            Node::All(parts) => {
                let mut left = Vec::new();
                for part in parts {
                    match self.reduce(*part, program, nodes) {
                        NodeId::NEVER => {
                            left = vec![NodeId::NEVER];
                            break;
                        }
                        part => left.push(part),
                    }
                }
                nodes.all(left)
            }
            Node::Any(parts) => {
                let left: Vec<NodeId> = parts.iter().map(|part| self.reduce(*part, program, nodes)).collect();
                nodes.any(left)
            }
        };
        self.reduced[id.index()] = (self.now, reduced);
        reduced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Runner;
    use crate::{Options, RuleSet, Source, load_sigma};

    #[test]
    fn ever_new_values_are_judged_rightly_and_forgotten() {
        let rule = "title: t\nlogsource: {product: kubernetes}\ndetection:\n  s: {userAgent|contains: evil, requestURI|endswith: '7'}\n  condition: s\n";
        let set = RuleSet::compile(load_sigma(&Source::new("t", rule)), Options::default());
        let mut runner = Runner::default();
        for i in 0..30_000 {
            let agent = if i % 3 == 0 { "evil" } else { "good" };
            // Some are too long to be remembered.
            let length = if i % 1_000 == 0 { KEY_BYTES_MAX } else { 100 };
            let text = format!(
                r#"{{"auditID":"a","verb":"get","userAgent":"{agent}{i:0>length$}","requestURI":"/{i}","stage":"ResponseComplete"}}"#
            );
            let mut found = Vec::new();
            runner.run(set.program(), &Event::parse(text.as_bytes()).unwrap(), &mut found);
            assert_eq!(found.len(), usize::from(i % 3 == 0 && i % 10 == 7), "{i}");
        }
        let remembered = runner.memo.keys[Facet::Subject as usize].len();
        assert!((1..30_000).contains(&remembered), "{remembered}");
        assert!(runner.memo.key_bytes.iter().all(|bytes| *bytes <= KEYS_BYTES_MAX + 2 * KEY_BYTES_MAX));
        assert!(runner.memo.bytes <= REMEMBERED_BYTES_MAX);
    }
}
