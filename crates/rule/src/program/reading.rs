//! Reading the fields of one event, each at most once.

use std::borrow::Cow;

use audit::{Event, Json, JsonKind};

use super::fields::{FieldId, Fields, KeyId, Origin, Plan, mask};
use crate::field::{self, Part, Value};

/// Memory that is kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Number of the event; what bears another number is stale.
    now: u32,
    cells: Vec<Cell<'static>>,
    /// Texts that are worked out.
    text: String,
    patched: Vec<u8>,
    fields: Vec<Slot>,
    keys: Vec<Slot>,
    expanded: Vec<u32>,
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
    /// Bytes of [`Memory::text`].
    Text(u32, u32),
}

impl Memory {
    /// Calls `read` with a reading of `event` that begins.
    pub(crate) fn begin<R>(
        &mut self,
        fields: &Fields,
        event: &Event<'_>,
        read: impl FnOnce(&mut Reading<'_, '_>) -> R,
    ) -> R {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 || self.fields.len() != fields.len() {
            // Nothing of another life may look fresh.
            *self = Self { now: 1, ..Self::default() };
            self.fields.resize(fields.len(), Slot::default());
            self.keys.resize(fields.keys().len(), Slot::default());
            self.expanded.resize(fields.keys().len(), 0);
        }
        self.text.clear();
        let mut patched = std::mem::take(&mut self.patched);
        patched.clear();
        field::patched_specs(event, &mut patched);
        let mut cells = recycled(std::mem::take(&mut self.cells));
        // Place 0 is no cell.
        cells.push(Cell { value: Held::Text(0, 0), next: 0 });
        let mut reading =
            Reading { fields, event, patched: &patched, cells, memory: self, hidden: [None; Part::COUNT] };
        let result = read(&mut reading);
        let cells = reading.cells;
        self.cells = recycled(cells);
        self.patched = patched;
        result
    }
}

/// The same memory for values of another life time; the vector comes back empty.
fn recycled<'to>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'to>> {
    cells.clear();
    cells.into_iter().map(|_| unreachable!("the vector is empty")).collect()
}

/// One event, as far as it has been read.
pub(crate) struct Reading<'e, 'm> {
    fields: &'e Fields,
    pub(crate) event: &'e Event<'e>,
    patched: &'e [u8],
    cells: Vec<Cell<'e>>,
    memory: &'m mut Memory,
    hidden: [Option<bool>; Part::COUNT],
}

/// Values of a field that are still to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values(u32);

impl Values {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<'e> Reading<'e, '_> {
    /// Reads a field.
    pub(crate) fn field(&mut self, id: FieldId) -> Values {
        let slot = self.memory.fields[id.index()];
        if slot.now == self.memory.now {
            return Values(slot.first);
        }
        let mut slot = self.new_slot();
        let fields = self.fields;
        match fields.plan(id) {
            Plan::Spread(row) => {
                if let Some(json) = row.read(self.event) {
                    self.spread(json, 0, &mut slot);
                }
            }
            Plan::Whole(row) => {
                if let Some(json) = row.read(self.event).filter(|json| !json.is_null()) {
                    self.push(Held::Json(json), &mut slot);
                }
            }
            Plan::Keys(keys) => keys.iter().for_each(|key| self.spread_key(*key, &mut slot)),
            Plan::Other(field) => {
                let event = self.event;
                field::walk_values(event, field, &mut |value| self.hold(value, &mut slot));
            }
        }
        self.memory.fields[id.index()] = slot;
        Values(slot.first)
    }

    /// The next of `values`, as it is compared.
    pub(crate) fn next(&self, values: &mut Values) -> Option<Value<'_>> {
        let Cell { value, next } = *self.cells.get(values.0 as usize).filter(|_| !values.is_empty())?;
        values.0 = next;
        Some(match value {
            Held::Json(json) => Value::Json(json),
            Held::Borrowed(text) => Value::Text(text.into()),
            Held::Text(start, end) => Value::Text(self.memory.text[start as usize..end as usize].into()),
        })
    }

    /// Whether the event hides the part that a field reads.
    pub(crate) fn is_hidden(&mut self, id: FieldId) -> bool {
        let (event, part): (_, Part) = (self.event, self.fields.part(id));
        *self.hidden[part as usize].get_or_insert_with(|| field::is_hidden(event, part))
    }

    fn new_slot(&self) -> Slot {
        Slot { now: self.memory.now, first: 0, last: 0 }
    }

    fn hold(&mut self, value: Value<'e>, slot: &mut Slot) {
        match value {
            Value::Json(json) => self.push(Held::Json(json), slot),
            Value::Text(Cow::Borrowed(text)) => self.push(Held::Borrowed(text), slot),
            Value::Text(text) => {
                let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
                let start = place(self.memory.text.len());
                self.memory.text.push_str(&text);
                self.push(Held::Text(start, place(self.memory.text.len())), slot);
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

    fn spread_key(&mut self, key: KeyId, slot: &mut Slot) {
        let mut at = self.key(key);
        while at != 0 {
            let Cell { value, next } = self.cells[at as usize];
            if let Held::Json(json) = value {
                self.spread(json, 0, slot);
            }
            at = next;
        }
    }

    /// Reads a node of the tree of keys; returns the place of its first value. Arrays are kept whole.
    fn key(&mut self, id: KeyId) -> u32 {
        let fields = self.fields;
        match &fields.keys()[id.index()].origin {
            Origin::Below(above) => above.iter().for_each(|parent| self.expand(*parent)),
            origin => {
                if self.memory.keys[id.index()].now != self.memory.now {
                    self.start(id, origin);
                }
            }
        }
        let slot = self.memory.keys[id.index()];
        if slot.now == self.memory.now { slot.first } else { 0 }
    }

    fn start(&mut self, id: KeyId, origin: &Origin) {
        self.memory.keys[id.index()] = self.new_slot();
        match origin {
            Origin::Known(row) => {
                if let Some(json) = row.read(self.event) {
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
        let mut slot = self.memory.keys[id.index()];
        if slot.now != self.memory.now {
            slot = self.new_slot();
        }
        self.push(Held::Json(json), &mut slot);
        self.memory.keys[id.index()] = slot;
    }

    /// Finds the values of every key below `id` in one pass.
    fn expand(&mut self, id: KeyId) {
        if self.memory.expanded[id.index()] == self.memory.now {
            return;
        }
        self.memory.expanded[id.index()] = self.memory.now;
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
        let fields = self.fields;
        let key = &fields.keys()[id.index()];
        match json.kind() {
            JsonKind::Object => json.members().for_each(|(name, value)| self.expand_member(id, name, value)),
            JsonKind::Array if arrays < field::ARRAY_DEPTH_MAX => {
                for (at, element) in json.elements().enumerate() {
                    self.expand_value(id, element, arrays + 1);
                    for (_, to) in key.indices.iter().filter(|(index, _)| *index == at) {
                        self.put(*to, element);
                    }
                }
            }
            _ => {}
        }
    }

    fn expand_member(&mut self, id: KeyId, name: Json<'e>, value: Json<'e>) {
        let key = &self.fields.keys()[id.index()];
        let written = name.inner().unwrap_or_default();
        let find = |name: &[u8]| key.edges.binary_search_by(|(edge, _)| (**edge).cmp(name)).ok();
        let edge = if memchr::memchr(b'\\', written).is_some() {
            find(name.display().as_bytes())
        } else if key.mask & mask(written) != 0 {
            find(written)
        } else {
            None
        };
        if let Some(edge) = edge {
            self.put(key.edges[edge].1, value);
        }
    }
}
