//! Fields interned over all rules: read in place where the event knows them, else by a tree of keys that is walked once
//! an event for all fields below it.

use std::collections::HashMap;

use audit::{Event, Json};

use crate::field::{Field, Part, Root};

/// A field of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FieldId(u32);

/// A node of the tree of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KeyId(u32);

impl FieldId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl KeyId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where the event knows a value.
pub(crate) type Accessor = for<'a, 'e> fn(&'a Event<'e>) -> Option<Json<'e>>;

/// How a field is read.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// One value that the event knows; arrays are taken apart.
    Spread(Accessor),
    /// One value that the event knows, as it stands.
    Whole(Accessor),
    /// Nodes of the tree of keys.
    Keys(Vec<KeyId>),
    /// Anything else.
    Other(Field),
}

/// Where a node's value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The event knows it.
    Known(Accessor),
    /// A key at the top of the event that the event has no place for.
    Top(Box<str>),
    /// The pod specs of the request.
    Pods,
    /// Keys of these nodes: all that the path can be cut into.
    Below(Vec<KeyId>),
}

/// One node of the tree of keys.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) origin: Origin,
    /// Keys that lead on, sorted, and where.
    pub(crate) edges: Vec<(Box<[u8]>, KeyId)>,
    /// Bits of the edges' lengths and first bytes, to turn most keys away at once.
    pub(crate) mask: u64,
    /// Places in an array that lead on.
    pub(crate) indices: Vec<(usize, KeyId)>,
}

#[derive(Debug, Default)]
pub(crate) struct Fields {
    plans: Vec<(Plan, Part)>,
    by_field: HashMap<Field, FieldId>,
    /// Direct fields by their accessor's row and whether they are taken apart.
    by_accessor: HashMap<(usize, Arrays), FieldId>,
    keys: Vec<Key>,
    by_path: HashMap<(Root, Box<str>), KeyId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Arrays {
    Spread,
    Whole,
}

/// Longest path, in keys, that is read by the tree; a longer one is walked on its own.
const PATH_KEYS_MAX: usize = 24;

/// Paths that the event knows.
const KNOWN: [(&str, Accessor); 41] = [
    ("kind", |e| e.kind),
    ("apiVersion", |e| e.api_version),
    ("level", |e| e.level),
    ("auditID", |e| e.audit_id),
    ("stage", |e| e.stage),
    ("requestURI", |e| e.request_uri),
    ("verb", |e| e.verb),
    ("user.username", |e| e.user.username),
    ("user.uid", |e| e.user.uid),
    ("user.groups", |e| e.user.groups),
    ("user.extra", |e| e.user.extra),
    ("impersonatedUser.username", |e| e.impersonated_user.and_then(|u| u.username)),
    ("impersonatedUser.uid", |e| e.impersonated_user.and_then(|u| u.uid)),
    ("impersonatedUser.groups", |e| e.impersonated_user.and_then(|u| u.groups)),
    ("impersonatedUser.extra", |e| e.impersonated_user.and_then(|u| u.extra)),
    ("authenticationMetadata", |e| e.authentication_metadata),
    ("sourceIPs", |e| e.source_ips),
    ("userAgent", |e| e.user_agent),
    ("objectRef.resource", |e| e.object_ref.and_then(|o| o.resource)),
    ("objectRef.subresource", |e| e.object_ref.and_then(|o| o.subresource)),
    ("objectRef.namespace", |e| e.object_ref.and_then(|o| o.namespace)),
    ("objectRef.name", |e| e.object_ref.and_then(|o| o.name)),
    ("objectRef.uid", |e| e.object_ref.and_then(|o| o.uid)),
    ("objectRef.apiGroup", |e| e.object_ref.and_then(|o| o.api_group)),
    ("objectRef.apiVersion", |e| e.object_ref.and_then(|o| o.api_version)),
    ("objectRef.resourceVersion", |e| e.object_ref.and_then(|o| o.resource_version)),
    ("responseStatus.code", |e| e.response_status.and_then(|s| s.code)),
    ("responseStatus.status", |e| e.response_status.and_then(|s| s.status)),
    ("responseStatus.reason", |e| e.response_status.and_then(|s| s.reason)),
    ("responseStatus.message", |e| e.response_status.and_then(|s| s.message)),
    ("responseStatus.details", |e| e.response_status.and_then(|s| s.details)),
    ("requestObject", |e| e.request_object),
    ("responseObject", |e| e.response_object),
    ("requestReceivedTimestamp", |e| e.request_received_timestamp),
    ("annotations", |e| e.annotations),
    // Whole objects of which the event keeps only the fields are found by their key.
    ("user", |e| e.json.get("user")),
    ("impersonatedUser", |e| e.json.get("impersonatedUser")),
    ("objectRef", |e| e.json.get("objectRef")),
    ("responseStatus", |e| e.json.get("responseStatus")),
    ("stageTimestamp", |e| e.stage_timestamp),
    ("timestamp", |e| e.json.get("timestamp")),
];

impl Fields {
    pub(crate) fn plan(&self, field: FieldId) -> &Plan {
        &self.plans[field.index()].0
    }

    pub(crate) fn part(&self, field: FieldId) -> Part {
        self.plans[field.index()].1
    }

    pub(crate) fn len(&self) -> usize {
        self.plans.len()
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The id of `field`; the same for fields that read the same.
    pub(crate) fn intern(&mut self, field: &Field) -> FieldId {
        if let Some(id) = self.by_field.get(field) {
            return *id;
        }
        let id = match direct(field) {
            Some((row, arrays)) => match self.by_accessor.get(&(row, arrays)) {
                Some(id) => *id,
                None => {
                    let accessor = KNOWN[row].1;
                    let plan = if arrays == Arrays::Spread { Plan::Spread(accessor) } else { Plan::Whole(accessor) };
                    let id = self.add(plan, field.part());
                    self.by_accessor.insert((row, arrays), id);
                    id
                }
            },
            None => {
                let plan = self.keys_of(field).map_or_else(|| Plan::Other(field.clone()), Plan::Keys);
                self.add(plan, field.part())
            }
        };
        self.by_field.insert(field.clone(), id);
        id
    }

    fn add(&mut self, plan: Plan, part: Part) -> FieldId {
        self.plans.push((plan, part));
        FieldId(u32::try_from(self.plans.len() - 1).unwrap_or(u32::MAX))
    }

    /// How much it costs to read the field for every event; `None` if it should not be read for every event.
    pub(crate) fn anchor_cost(&self, field: FieldId) -> Option<u32> {
        match self.plan(field) {
            Plan::Spread(accessor) | Plan::Whole(accessor) => {
                let row = KNOWN.iter().position(|(_, known)| std::ptr::fn_addr_eq(*known, *accessor))?;
                anchor_cost(KNOWN[row].0)
            }
            Plan::Keys(_) if self.part(field) == Part::Metadata => Some(60),
            Plan::Keys(_) => None,
            Plan::Other(Field::Derived(derived)) if derived.part() < Part::Request => Some(80),
            Plan::Other(_) => None,
        }
    }

    /// How much it costs to look at the field once an event has come up.
    pub(crate) fn read_cost(&self, field: FieldId) -> u32 {
        match self.plan(field) {
            Plan::Spread(_) | Plan::Whole(_) => self.anchor_cost(field).unwrap_or(90),
            Plan::Keys(_) if self.part(field) == Part::Metadata => 100,
            Plan::Other(Field::Derived(_)) => 150,
            Plan::Keys(_) => 200,
            Plan::Other(_) => 300,
        }
    }

    fn keys_of(&mut self, field: &Field) -> Option<Vec<KeyId>> {
        match field {
            Field::Path(Root::Event, path) => Some(vec![self.key(Root::Event, path)?]),
            Field::Path(Root::Pod, path) => Some(vec![self.key(Root::Pod, path)?]),
            Field::Path(Root::PodContainers, path) => {
                let lists = crate::field::CONTAINER_LISTS;
                lists.iter().map(|list| self.key(Root::Pod, &crate::field::dotted(list, path))).collect()
            }
            Field::AnyOf(fields) => {
                let keys: Option<Vec<_>> = fields.iter().map(|field| self.keys_of(field)).collect();
                Some(keys?.concat())
            }
            _ => None,
        }
    }

    /// The node of a path, with all nodes above it.
    fn key(&mut self, root: Root, path: &str) -> Option<KeyId> {
        if path.split('.').count() > PATH_KEYS_MAX {
            return None;
        }
        if let Some(id) = self.by_path.get(&(root, path.into())) {
            return Some(*id);
        }
        let start = self.start(root, path);
        let origin = match start {
            Start::Here(origin) => origin,
            Start::After(length) => {
                let above: Vec<(usize, KeyId)> = path
                    .match_indices('.')
                    .map(|(at, _)| at)
                    .chain((length == 0).then_some(0))
                    .filter(|at| *at >= length)
                    .map(|at| Some((at, self.key(root, &path[..at])?)))
                    .collect::<Option<_>>()?;
                return Some(self.add_below(root, path, &above));
            }
        };
        Some(self.add_key(root, path, origin))
    }

    fn add_key(&mut self, root: Root, path: &str, origin: Origin) -> KeyId {
        let id = KeyId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        self.keys.push(Key { origin, edges: Vec::new(), mask: 0, indices: Vec::new() });
        self.by_path.insert((root, path.into()), id);
        id
    }

    /// Adds a node with an edge from each node above: the rest of the path as one key.
    fn add_below(&mut self, root: Root, path: &str, above: &[(usize, KeyId)]) -> KeyId {
        let id = self.add_key(root, path, Origin::Below(above.iter().map(|(_, key)| *key).collect()));
        for (at, parent) in above {
            let rest = if *at == 0 { path } else { &path[at + 1..] };
            let parent = &mut self.keys[parent.index()];
            if let Ok(index) = rest.parse() {
                parent.indices.push((index, id));
            }
            let place = parent.edges.partition_point(|(key, _)| **key < *rest.as_bytes());
            parent.edges.insert(place, (rest.as_bytes().into(), id));
            parent.mask |= mask(rest.as_bytes());
        }
        id
    }

    /// Where the reading of a path starts.
    fn start(&self, root: Root, path: &str) -> Start {
        if root == Root::Pod {
            return if path.is_empty() { Start::Here(Origin::Pods) } else { Start::After(0) };
        }
        let covers =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let longest = KNOWN.iter().filter(|(known, _)| covers(known)).max_by_key(|(known, _)| known.len());
        match longest {
            Some((known, accessor)) if known.len() == path.len() => Start::Here(Origin::Known(*accessor)),
            Some((known, _)) => Start::After(known.len()),
            None => match path.find('.') {
                None => Start::Here(Origin::Top(path.into())),
                Some(dot) => Start::After(dot),
            },
        }
    }
}

enum Start {
    /// The path itself has a source.
    Here(Origin),
    /// The path is read below its first so many bytes.
    After(usize),
}

/// The bit that stands for a key in a mask.
pub(crate) fn mask(key: &[u8]) -> u64 {
    let first = key.first().copied().unwrap_or_default();
    1 << ((key.len() as u64 * 7 + u64::from(first)) % 64)
}

/// The row of [`KNOWN`] that a field is, and whether its arrays are taken apart.
fn direct(field: &Field) -> Option<(usize, Arrays)> {
    let row = |path: &str| KNOWN.iter().position(|(known, _)| *known == path);
    match field {
        Field::Path(Root::Event, path) => Some((row(path)?, Arrays::Spread)),
        Field::Falco(falco) => {
            let (path, list) = falco.known_path()?;
            Some((row(&path)?, if list { Arrays::Spread } else { Arrays::Whole }))
        }
        _ => None,
    }
}

/// What it costs to look a known path up for every event: short and telling fields first.
fn anchor_cost(path: &str) -> Option<u32> {
    Some(match path {
        "objectRef.resource" | "objectRef.subresource" => 1,
        "objectRef.apiGroup" => 4,
        "objectRef.name" => 5,
        "responseStatus.code" | "responseStatus.reason" => 6,
        "user.username" | "impersonatedUser.username" | "userAgent" => 10,
        "requestURI" => 12,
        "objectRef.namespace" => 14,
        "user.groups" | "impersonatedUser.groups" | "sourceIPs" => 20,
        "verb" => 40,
        "auditID" | "responseStatus.message" => 50,
        _ => return None,
    })
}
