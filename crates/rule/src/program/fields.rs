//! Fields interned over all rules: read in place where the event knows them, else by a tree of keys that is walked once
//! an event for all fields below it.

use std::collections::HashMap;

use crate::field::{Facet, Field, Part, Root, Row};

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

/// How a field is read.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// One value that the event knows; arrays are taken apart.
    Spread(Row),
    /// One value that the event knows, as it stands.
    Whole(Row),
    /// Nodes of the tree of keys.
    Keys(Vec<KeyId>),
    /// Anything else.
    Other(Field),
}

/// Where a node's value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The event knows it.
    Known(Row),
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
    plans: Vec<(Plan, Part, Facet)>,
    by_field: HashMap<Field, FieldId>,
    /// Fields that the event knows, by their row and whether they are taken apart.
    by_row: HashMap<(Row, Arrays), FieldId>,
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

impl Fields {
    pub(crate) fn plan(&self, field: FieldId) -> &Plan {
        &self.plans[field.index()].0
    }

    pub(crate) fn part(&self, field: FieldId) -> Part {
        self.plans[field.index()].1
    }

    pub(crate) fn facet(&self, field: FieldId) -> Facet {
        self.plans[field.index()].2
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
            Some((row, arrays)) => match self.by_row.get(&(row, arrays)) {
                Some(id) => *id,
                None => {
                    let plan = if arrays == Arrays::Spread { Plan::Spread(row) } else { Plan::Whole(row) };
                    let id = self.add(plan, field);
                    self.by_row.insert((row, arrays), id);
                    id
                }
            },
            None => {
                let plan = self.keys_of(field).map_or_else(|| Plan::Other(field.clone()), Plan::Keys);
                self.add(plan, field)
            }
        };
        self.by_field.insert(field.clone(), id);
        id
    }

    fn add(&mut self, plan: Plan, field: &Field) -> FieldId {
        self.plans.push((plan, field.part(), field.facet()));
        FieldId(u32::try_from(self.plans.len() - 1).unwrap_or(u32::MAX))
    }

    /// How dear it is to look at the field, and how little it tells: what rules need is asked in this order.
    pub(crate) fn cost(&self, field: FieldId) -> u32 {
        match self.plan(field) {
            Plan::Spread(row) | Plan::Whole(row) => cost_of_path(row.path()),
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
        match Row::above(path) {
            Some(row) if row.path().len() == path.len() => Start::Here(Origin::Known(row)),
            Some(row) => Start::After(row.path().len()),
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

/// The row that a field is, and whether its arrays are taken apart.
fn direct(field: &Field) -> Option<(Row, Arrays)> {
    match field {
        Field::Path(Root::Event, path) => Some((Row::of(path)?, Arrays::Spread)),
        Field::Falco(falco) => {
            let (path, list) = falco.known_path()?;
            Some((Row::of(&path)?, if list { Arrays::Spread } else { Arrays::Whole }))
        }
        _ => None,
    }
}

/// Short and telling paths first.
fn cost_of_path(path: &str) -> u32 {
    match path {
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
        _ => 90,
    }
}
