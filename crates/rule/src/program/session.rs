//! One event under the program: each field read, each test asked and each condition worked out at most once.

use std::borrow::Cow;

use audit::{Event, Json, JsonKind};

use super::Program;
use super::fields::{FieldId, KeyId, Origin, Plan as FieldPlan, mask};
use super::nodes::{Node, NodeId};
use super::tests::{GroupId, Plan as TestPlan, TestId};
use crate::condition::{Case, Test, Truth};
use crate::field::{self, Part, Value};
use crate::naive;

/// Memory that is kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Number of the event; what bears another number is stale.
    now: u32,
    cells: Vec<Cell<'static>>,
    /// Texts that are worked out.
    text: String,
    /// The value at hand in lower case.
    folded: String,
    patched: Vec<u8>,
    fields: Vec<Slot>,
    keys: Vec<Slot>,
    expanded: Vec<u32>,
    groups: Vec<(u32, Truth)>,
    tests: Vec<(u32, Truth)>,
    nodes: Vec<(u32, Truth)>,
    rules: Vec<u32>,
    raised: Vec<TestId>,
}

/// Values of one field or key: a list through the cells.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    now: u32,
    first: u32,
    last: u32,
}

/// One value, and the place of the next; place 0 is none.
#[derive(Debug, Clone, Copy)]
struct Cell<'e> {
    value: Held<'e>,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
enum Held<'e> {
    Json(Json<'e>),
    /// Text of the event, decoded.
    Borrowed(&'e str),
    /// Bytes of [`Scratch::text`].
    Text(u32, u32),
}

impl Scratch {
    /// Puts the rules that `event` satisfies into `found`, in no order.
    pub(crate) fn run(&mut self, program: &Program, event: &Event<'_>, found: &mut Vec<u32>) {
        self.begin(program);
        let mut patched = std::mem::take(&mut self.patched);
        patched.clear();
        field::patched_specs(event, &mut patched);
        let cells = recycled(std::mem::take(&mut self.cells));
        let mut session = Session { program, event, patched: &patched, cells, scratch: self, hidden: [None; 4] };
        session.run(found);
        let cells = session.cells;
        self.cells = recycled(cells);
        self.patched = patched;
    }

    fn begin(&mut self, program: &Program) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 || self.nodes.len() != program.nodes.len() {
            // Nothing of another life may look fresh.
            *self = Self { now: 1, ..Self::default() };
            self.fields.resize(program.fields.len(), Slot::default());
            self.keys.resize(program.fields.keys().len(), Slot::default());
            self.expanded.resize(program.fields.keys().len(), 0);
            self.groups.resize(program.tests.groups(), (0, Truth::False));
            self.tests.resize(program.tests.len(), (0, Truth::False));
            self.nodes.resize(program.nodes.len(), (0, Truth::False));
            self.rules.resize(program.rules, 0);
        }
        self.text.clear();
    }
}

/// The same memory for values of another life time; the vector comes back empty.
fn recycled<'to>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'to>> {
    cells.clear();
    cells.into_iter().map(|_| unreachable!("the vector is empty")).collect()
}

struct Session<'p, 'e, 's> {
    program: &'p Program,
    event: &'p Event<'e>,
    patched: &'e [u8],
    cells: Vec<Cell<'e>>,
    scratch: &'s mut Scratch,
    hidden: [Option<bool>; 4],
}

impl<'e> Session<'_, 'e, '_> {
    fn run(&mut self, found: &mut Vec<u32>) {
        // Place 0 is no cell.
        self.cells.push(Cell { value: Held::Text(0, 0), next: 0 });
        let program = self.program;
        let mut raised = std::mem::take(&mut self.scratch.raised);
        raised.clear();
        for group in &program.anchor_groups {
            self.look_up(*group, Some(&mut raised));
        }
        for test in &raised {
            if let Some(root) = program.anchored[test.index()] {
                self.climb(root, found);
            }
        }
        self.scratch.raised = raised;
        if let Some(root) = program.unanchored {
            self.climb(root, found);
        }
    }

    fn climb(&mut self, at: u32, found: &mut Vec<u32>) {
        let program = self.program;
        let step = program.conjuncts.step(at);
        for rule in &step.rules {
            let seen = &mut self.scratch.rules[*rule as usize];
            if *seen != self.scratch.now {
                *seen = self.scratch.now;
                found.push(*rule);
            }
        }
        for (node, to) in &step.next {
            if self.node(*node) == Truth::True {
                self.climb(*to, found);
            }
        }
    }

    fn node(&mut self, id: NodeId) -> Truth {
        let (now, truth) = self.scratch.nodes[id.index()];
        if now == self.scratch.now {
            return truth;
        }
        let program = self.program;
        let truth = match program.nodes.get(id) {
            Node::Always(truth) => *truth,
            Node::Stage(stages) => Truth::known(stages.hold(self.event)),
            Node::Test(test) => self.test(*test),
            Node::Not(inner) => !self.node(*inner),
            Node::All(parts) => self.all(parts),
            Node::Any(parts) => self.any(parts),
        };
        self.scratch.nodes[id.index()] = (self.scratch.now, truth);
        truth
    }

    fn all(&mut self, parts: &[NodeId]) -> Truth {
        let mut truth = Truth::True;
        for part in parts {
            match self.node(*part) {
                Truth::False => return Truth::False,
                Truth::NotRecorded => truth = Truth::NotRecorded,
                Truth::True => {}
            }
        }
        truth
    }

    fn any(&mut self, parts: &[NodeId]) -> Truth {
        let mut truth = Truth::False;
        for part in parts {
            match self.node(*part) {
                Truth::True => return Truth::True,
                Truth::NotRecorded => truth = Truth::NotRecorded,
                Truth::False => {}
            }
        }
        truth
    }

    fn test(&mut self, id: TestId) -> Truth {
        let program = self.program;
        if let TestPlan::Grouped(group) = program.tests.plan(id) {
            if self.scratch.groups[group.index()].0 != self.scratch.now {
                self.look_up(*group, None);
            }
            let (now, truth) = self.scratch.tests[id.index()];
            return if now == self.scratch.now { truth } else { self.scratch.groups[group.index()].1 };
        }
        let (now, truth) = self.scratch.tests[id.index()];
        if now == self.scratch.now {
            return truth;
        }
        let truth = match program.tests.plan(id) {
            TestPlan::Exists(field) => {
                let has = self.field(*field) != 0;
                self.known_or_hidden(*field, has, has)
            }
            TestPlan::Alone(field, predicate) => self.alone(*field, &predicate.test, predicate),
            TestPlan::Grouped(_) => Truth::False,
        };
        self.scratch.tests[id.index()] = (self.scratch.now, truth);
        truth
    }

    /// A test without a value to test is not recorded if the event hides the field.
    fn known_or_hidden(&mut self, field: FieldId, has_value: bool, passes: bool) -> Truth {
        if !has_value && self.is_hidden(self.program.fields.part(field)) {
            return Truth::NotRecorded;
        }
        Truth::known(passes)
    }

    fn is_hidden(&mut self, part: Part) -> bool {
        let event = self.event;
        *self.hidden[part as usize].get_or_insert_with(|| field::is_hidden(event, part))
    }

    fn alone(&mut self, field: FieldId, test: &Test, predicate: &crate::condition::Predicate) -> Truth {
        if matches!(test, Test::Compare(..)) {
            return naive::test(predicate, self.event);
        }
        let first = self.field(field);
        let every = matches!(test, Test::AllWithin(_) | Test::Every(_));
        let each = match test {
            Test::Every(inner) => inner,
            other => other,
        };
        let (mut at, mut passes) = (first, every && first != 0);
        while at != 0 {
            let value = self.value(at);
            let fits = naive::value_passes(each, &value);
            if fits != every {
                passes = fits;
                break;
            }
            at = self.cells[at as usize].next;
        }
        self.known_or_hidden(field, first != 0, passes)
    }

    fn value(&self, at: u32) -> Value<'_> {
        match self.cells[at as usize].value {
            Held::Json(json) => Value::Json(json),
            Held::Borrowed(text) => Value::Text(text.into()),
            Held::Text(start, end) => Value::Text(self.scratch.text[start as usize..end as usize].into()),
        }
    }

    /// Looks the values of a group's field up; tests that pass are noted, and added to `raised` if there is one.
    fn look_up(&mut self, id: GroupId, mut raised: Option<&mut Vec<TestId>>) {
        let program = self.program;
        let group = program.tests.group(id);
        let first = self.field(group.field);
        let absent = self.known_or_hidden(group.field, first != 0, false);
        self.scratch.groups[id.index()] = (self.scratch.now, absent);
        let mut at = first;
        while at != 0 {
            let Cell { value, next } = self.cells[at as usize];
            at = next;
            let Scratch { text, folded, tests, now, .. } = &mut *self.scratch;
            let display = match value {
                Held::Json(json) => json.display(),
                Held::Borrowed(text) => text.into(),
                Held::Text(start, end) => text[start as usize..end as usize].into(),
            };
            let value = match group.case {
                Case::Exact => &*display,
                Case::Folded => fold(&display, folded),
            };
            group.each_hit(value, |test| {
                if tests[test.index()].0 != *now {
                    tests[test.index()] = (*now, Truth::True);
                    if let Some(raised) = raised.as_deref_mut() {
                        raised.push(test);
                    }
                }
            });
        }
    }

    /// Reads a field; returns the place of its first value, 0 if it has none.
    fn field(&mut self, id: FieldId) -> u32 {
        let slot = self.scratch.fields[id.index()];
        if slot.now == self.scratch.now {
            return slot.first;
        }
        let mut slot = Slot { now: self.scratch.now, first: 0, last: 0 };
        let program = self.program;
        match program.fields.plan(id) {
            FieldPlan::Spread(accessor) => {
                if let Some(json) = accessor(self.event) {
                    self.spread(json, 0, &mut slot);
                }
            }
            FieldPlan::Whole(accessor) => {
                if let Some(json) = accessor(self.event).filter(|json| !json.is_null()) {
                    self.push(Held::Json(json), &mut slot);
                }
            }
            FieldPlan::Keys(keys) => {
                for key in keys {
                    let mut at = self.key(*key);
                    while at != 0 {
                        let Cell { value, next } = self.cells[at as usize];
                        if let Held::Json(json) = value {
                            self.spread(json, 0, &mut slot);
                        }
                        at = next;
                    }
                }
            }
            FieldPlan::Other(field) => {
                let event = self.event;
                field::walk_values(event, field, &mut |value| self.hold(value, &mut slot));
            }
        }
        self.scratch.fields[id.index()] = slot;
        slot.first
    }

    fn hold(&mut self, value: Value<'e>, slot: &mut Slot) {
        match value {
            Value::Json(json) => self.push(Held::Json(json), slot),
            Value::Text(Cow::Borrowed(text)) => self.push(Held::Borrowed(text), slot),
            Value::Text(text) => {
                let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
                let start = place(self.scratch.text.len());
                self.scratch.text.push_str(&text);
                self.push(Held::Text(start, place(self.scratch.text.len())), slot);
            }
        }
    }

    fn push(&mut self, value: Held<'e>, slot: &mut Slot) {
        let at = u32::try_from(self.cells.len()).unwrap_or(0);
        self.cells.push(Cell { value, next: 0 });
        match slot.last {
            0 => slot.first = at,
            last => self.cells[last as usize].next = at,
        }
        slot.last = at;
    }

    /// Adds a value, arrays taken apart, nulls left out.
    fn spread(&mut self, json: Json<'e>, arrays: usize, slot: &mut Slot) {
        match json.kind() {
            JsonKind::Null => {}
            JsonKind::Array if arrays == field::ARRAY_DEPTH_MAX => {}
            JsonKind::Array => json.elements().for_each(|element| self.spread(element, arrays + 1, slot)),
            _ => self.push(Held::Json(json), slot),
        }
    }

    /// Reads a node of the tree of keys; returns the place of its first value. Arrays are kept whole.
    fn key(&mut self, id: KeyId) -> u32 {
        let program = self.program;
        match &program.fields.keys()[id.index()].origin {
            Origin::Below(above) => {
                for parent in above {
                    self.expand(*parent);
                }
            }
            origin => {
                if self.scratch.keys[id.index()].now != self.scratch.now {
                    self.start(id, origin);
                }
            }
        }
        let slot = self.scratch.keys[id.index()];
        if slot.now == self.scratch.now { slot.first } else { 0 }
    }

    fn start(&mut self, id: KeyId, origin: &Origin) {
        self.scratch.keys[id.index()] = Slot { now: self.scratch.now, first: 0, last: 0 };
        match origin {
            Origin::Known(accessor) => {
                if let Some(json) = accessor(self.event) {
                    self.put(id, json);
                }
            }
            Origin::Top(key) => {
                if let Some(json) = self.event.json.get(key) {
                    self.put(id, json);
                }
            }
            Origin::Pods => {
                if let Some(spec) = field::pod_spec(self.event) {
                    self.put(id, spec);
                }
                for spec in Json::whole(self.patched).into_iter().flat_map(Json::elements) {
                    self.put(id, spec);
                }
            }
            Origin::Below(_) => {}
        }
    }

    fn put(&mut self, id: KeyId, json: Json<'e>) {
        let mut slot = self.scratch.keys[id.index()];
        if slot.now != self.scratch.now {
            slot = Slot { now: self.scratch.now, first: 0, last: 0 };
        }
        self.push(Held::Json(json), &mut slot);
        self.scratch.keys[id.index()] = slot;
    }

    /// Finds the values of every key below `id` in one pass.
    fn expand(&mut self, id: KeyId) {
        if self.scratch.expanded[id.index()] == self.scratch.now {
            return;
        }
        self.scratch.expanded[id.index()] = self.scratch.now;
        let mut at = self.key(id);
        while at != 0 {
            let Cell { value, next } = self.cells[at as usize];
            if let Held::Json(json) = value {
                self.expand_value(id, json, 0);
            }
            at = next;
        }
    }

    fn expand_value(&mut self, id: KeyId, json: Json<'e>, arrays: usize) {
        let program = self.program;
        let key = &program.fields.keys()[id.index()];
        match json.kind() {
            JsonKind::Object => {
                for (name, value) in json.members() {
                    let written = name.inner().unwrap_or_default();
                    if memchr::memchr(b'\\', written).is_some() {
                        self.expand_escaped(id, name, value);
                        continue;
                    }
                    if key.mask & mask(written) == 0 {
                        continue;
                    }
                    if let Ok(edge) = key.edges.binary_search_by(|(edge, _)| (**edge).cmp(written)) {
                        self.put(key.edges[edge].1, value);
                    }
                }
            }
            JsonKind::Array if arrays < field::ARRAY_DEPTH_MAX => {
                for (at, element) in json.elements().enumerate() {
                    self.expand_value(id, element, arrays + 1);
                    for (index, to) in &key.indices {
                        if *index == at {
                            self.put(*to, element);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn expand_escaped(&mut self, id: KeyId, name: Json<'e>, value: Json<'e>) {
        let key = &self.program.fields.keys()[id.index()];
        let name = name.display();
        if let Ok(edge) = key.edges.binary_search_by(|(edge, _)| (**edge).cmp(name.as_bytes())) {
            self.put(key.edges[edge].1, value);
        }
    }
}

/// `text` in lower case, in memory that is kept.
fn fold<'f>(text: &str, folded: &'f mut String) -> &'f str {
    folded.clear();
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
    } else {
        folded.push_str(&text.to_lowercase());
    }
    folded
}
