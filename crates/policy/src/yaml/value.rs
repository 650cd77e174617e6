//! A tree to JSON: types, merge keys, duplicate keys, aliases.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use super::resolve::{Resolved, resolve};
use super::tree::{Kind, NodeId, Tree};
use super::{MAX_EXPANDED_BYTES, SyntaxError};
use crate::golang;

/// What becomes of a tree.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) json: String,
    /// `line N: key K already set in map`, in the order of reading.
    pub(crate) duplicates: Vec<String>,
}

/// Why a tree has no JSON form.
#[derive(Debug)]
pub(crate) enum ConvertError {
    /// The YAML library refuses it.
    Syntax(SyntaxError),
    /// YAML allows it, JSON does not.
    Unrepresentable(String),
}

impl From<SyntaxError> for ConvertError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

/// Writes the document as JSON with sorted keys, the last of equal keys winning.
pub(crate) fn to_json(tree: &Tree) -> Result<Converted, ConvertError> {
    let Some(root) = tree.root() else {
        return Ok(Converted { json: "null".to_owned(), duplicates: Vec::new() });
    };
    let mut decoder = Decoder::new(tree);
    let root = decoder.run(root)?;
    let json = decoder.write(root)?;
    Ok(Converted { json, duplicates: decoder.duplicates })
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Scalar(usize),
    Sequence(usize),
    Mapping(usize),
}

/// Map keys compare by type and value, as the library's do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(u64),
    Text(String),
}

#[derive(Debug, Default)]
struct Map {
    entries: Vec<(Key, Value)>,
    places: HashMap<Key, usize>,
}

enum Step {
    /// Decode a node and leave its value on the stack.
    Node(NodeId),
    /// Go on with the children of a mapping, from this one.
    Pairs {
        node: NodeId,
        child: usize,
        into: usize,
    },
    /// The key is on the stack: decode its value.
    Keyed {
        node: NodeId,
        child: usize,
        into: usize,
    },
    /// Key and value are known: keep them.
    Put {
        key: Key,
        value_node: NodeId,
        into: usize,
    },
    /// All items are on the stack.
    Collect {
        count: usize,
    },
    Leave {
        alias: NodeId,
    },
    /// A mapping is complete.
    Finish {
        map: usize,
    },
    /// Merge a node's pairs into a map.
    Merge {
        node: NodeId,
        into: usize,
    },
}

/// Decoding with an explicit stack: documents may nest deeper than ours should.
struct Decoder<'t> {
    tree: &'t Tree,
    steps: Vec<Step>,
    values: Vec<Value>,
    scalars: Vec<Resolved>,
    sequences: Vec<Vec<Value>>,
    maps: Vec<Map>,
    open_aliases: HashMap<NodeId, ()>,
    decoded: u64,
    through_aliases: u64,
    duplicates: Vec<String>,
}

impl<'t> Decoder<'t> {
    fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            steps: Vec::new(),
            values: Vec::new(),
            scalars: Vec::new(),
            sequences: Vec::new(),
            maps: Vec::new(),
            open_aliases: HashMap::new(),
            decoded: 0,
            through_aliases: 0,
            duplicates: Vec::new(),
        }
    }

    fn run(&mut self, root: NodeId) -> Result<Value, SyntaxError> {
        self.count()?; // the document itself
        self.steps.push(Step::Node(root));
        while let Some(step) = self.steps.pop() {
            self.step(step)?;
        }
        self.values.pop().ok_or_else(|| SyntaxError::decoder("empty document"))
    }

    fn step(&mut self, step: Step) -> Result<(), SyntaxError> {
        match step {
            Step::Node(id) => self.node(id),
            Step::Pairs { node, child, into } => self.pairs(node, child, into),
            Step::Keyed { node, child, into } => self.keyed(node, child, into),
            Step::Put { key, value_node, into } => {
                self.put(key, value_node, into);
                Ok(())
            }
            Step::Collect { count } => {
                let items = self.values.split_off(self.values.len() - count);
                self.sequences.push(items);
                self.values.push(Value::Sequence(self.sequences.len() - 1));
                Ok(())
            }
            Step::Leave { alias } => {
                self.open_aliases.remove(&alias);
                Ok(())
            }
            Step::Finish { map } => {
                self.values.push(Value::Mapping(map));
                Ok(())
            }
            Step::Merge { node, into } => self.merge_one(node, into),
        }
    }

    /// Counts a decoded node and refuses documents that are mostly aliases.
    fn count(&mut self) -> Result<(), SyntaxError> {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.decoded += 1;
        self.through_aliases += u64::from(!self.open_aliases.is_empty());
        let (decoded, aliased) = (self.decoded as f64, self.through_aliases as f64);
        let position = ((decoded - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        let allowed = 0.99 - 0.89 * position;
        if self.through_aliases > 100 && self.decoded > 1000 && aliased / decoded > allowed {
            return Err(SyntaxError::decoder("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn enter(&mut self, alias: NodeId, name: &str) -> Result<(), SyntaxError> {
        if self.open_aliases.insert(alias, ()).is_some() {
            return Err(SyntaxError::decoder(format!("anchor '{name}' value contains itself")));
        }
        self.steps.push(Step::Leave { alias });
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<(), SyntaxError> {
        self.count()?;
        let tree = self.tree;
        match &tree.node(id).kind {
            Kind::Alias { name, target } => {
                self.enter(id, name)?;
                self.steps.push(Step::Node(*target));
            }
            Kind::Scalar { value, tag, implicit, .. } => {
                self.scalars.push(resolve(value, tag, *implicit)?);
                self.values.push(Value::Scalar(self.scalars.len() - 1));
            }
            Kind::Sequence { items, .. } => {
                self.steps.push(Step::Collect { count: items.len() });
                self.steps.extend(items.iter().rev().map(|&item| Step::Node(item)));
            }
            Kind::Mapping { .. } => {
                self.maps.push(Map::default());
                let map = self.maps.len() - 1;
                self.steps.push(Step::Finish { map });
                self.steps.push(Step::Pairs { node: id, child: 0, into: map });
            }
        }
        Ok(())
    }

    fn pairs(&mut self, node: NodeId, child: usize, into: usize) -> Result<(), SyntaxError> {
        let tree = self.tree;
        let Kind::Mapping { children, .. } = &tree.node(node).kind else {
            return Ok(());
        };
        let (Some(&key), Some(&value)) = (children.get(child), children.get(child + 1)) else {
            return Ok(());
        };
        self.steps.push(Step::Pairs { node, child: child + 2, into });
        if self.is_merge(key) {
            return self.merge(value, into);
        }
        self.steps.push(Step::Keyed { node, child, into });
        self.steps.push(Step::Node(key));
        Ok(())
    }

    fn keyed(&mut self, node: NodeId, child: usize, into: usize) -> Result<(), SyntaxError> {
        let tree = self.tree;
        let Kind::Mapping { children, .. } = &tree.node(node).kind else {
            return Ok(());
        };
        let key = match self.values.pop() {
            Some(Value::Scalar(scalar)) => key_of(&self.scalars[scalar]),
            Some(other) => {
                let shown = self.go_syntax(other);
                return Err(SyntaxError::decoder(format!("invalid map key: {shown}")));
            }
            None => return Ok(()),
        };
        let value_node = children[child + 1];
        self.steps.push(Step::Put { key, value_node, into });
        self.steps.push(Step::Node(value_node));
        Ok(())
    }

    fn put(&mut self, key: Key, value_node: NodeId, into: usize) {
        let Some(value) = self.values.pop() else {
            return;
        };
        let map = &mut self.maps[into];
        match map.places.entry(key) {
            Entry::Occupied(place) => {
                let line = self.tree.node(value_node).start.line + 1;
                let key = key_syntax(place.key());
                self.duplicates.push(format!("line {line}: key {key} already set in map"));
                map.entries[*place.get()].1 = value;
            }
            Entry::Vacant(place) => {
                map.entries.push((place.key().clone(), value));
                place.insert(map.entries.len() - 1);
            }
        }
    }

    fn is_merge(&self, key: NodeId) -> bool {
        matches!(&self.tree.node(key).kind, Kind::Scalar { value, tag, implicit, .. }
            if value == "<<" && (*implicit || tag == "tag:yaml.org,2002:merge"))
    }

    fn merge(&mut self, value: NodeId, into: usize) -> Result<(), SyntaxError> {
        let tree = self.tree;
        match &tree.node(value).kind {
            Kind::Sequence { items, .. } => {
                // Earlier maps of the list win, so they are merged last.
                self.steps.extend(items.iter().map(|&node| Step::Merge { node, into }));
                Ok(())
            }
            _ => self.merge_one(value, into),
        }
    }

    fn merge_one(&mut self, node: NodeId, into: usize) -> Result<(), SyntaxError> {
        let tree = self.tree;
        let target = tree.target(node);
        if !matches!(tree.node(target).kind, Kind::Mapping { .. }) {
            let problem = "map merge requires map or sequence of maps as the value";
            return Err(SyntaxError::decoder(problem));
        }
        self.count()?;
        if let Kind::Alias { name, .. } = &tree.node(node).kind {
            self.enter(node, name)?;
            self.count()?;
        }
        self.steps.push(Step::Pairs { node: target, child: 0, into });
        Ok(())
    }

    /// A value as Go's `%#v` prints it.
    fn go_syntax(&self, value: Value) -> String {
        self.go_syntax_within(value, 0)
    }

    fn go_syntax_within(&self, value: Value, depth: usize) -> String {
        // Error texts need no more; the limit keeps hostile documents from deep recursion.
        const SHOWN_DEPTH: usize = 16;
        if depth > SHOWN_DEPTH {
            return "...".to_owned();
        }
        match value {
            Value::Scalar(scalar) => match key_syntax(&key_of(&self.scalars[scalar])) {
                nil if nil == "<nil>" && depth > 0 => "interface {}(nil)".to_owned(),
                text => text,
            },
            Value::Sequence(sequence) => {
                let items = self.sequences[sequence].iter();
                let items: Vec<_> = items.map(|&v| self.go_syntax_within(v, depth + 1)).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            Value::Mapping(map) => {
                let mut entries: Vec<_> = self.maps[map].entries.iter().collect();
                entries.sort_by_cached_key(|(key, _)| key_syntax(key));
                let entry = |(key, value): &(Key, Value)| {
                    format!("{}:{}", key_syntax(key), self.go_syntax_within(*value, depth + 1))
                };
                let entries: Vec<_> = entries.into_iter().map(entry).collect();
                format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
            }
        }
    }

    fn write(&self, root: Value) -> Result<String, ConvertError> {
        enum Piece {
            Value(Value),
            Key(String),
            Text(&'static str),
        }
        let mut out = String::new();
        let mut pieces = vec![Piece::Value(root)];
        while let Some(piece) = pieces.pop() {
            if out.len() > MAX_EXPANDED_BYTES {
                let limit = MAX_EXPANDED_BYTES >> 20;
                return Err(ConvertError::Unrepresentable(format!(
                    "yaml: document expands to more than {limit} MiB through aliases"
                )));
            }
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Key(key) => {
                    golang::push_json_string(&mut out, &key);
                    out.push(':');
                }
                Piece::Value(Value::Scalar(scalar)) => write_scalar(&mut out, &self.scalars[scalar])?,
                Piece::Value(Value::Sequence(sequence)) => {
                    out.push('[');
                    pieces.push(Piece::Text("]"));
                    for (i, &item) in self.sequences[sequence].iter().enumerate().rev() {
                        pieces.push(Piece::Value(item));
                        pieces.push(Piece::Text(if i > 0 { "," } else { "" }));
                    }
                }
                Piece::Value(Value::Mapping(map)) => {
                    out.push('{');
                    pieces.push(Piece::Text("}"));
                    for (i, (key, value)) in self.json_entries(map)?.into_iter().enumerate().rev() {
                        pieces.push(Piece::Value(value));
                        pieces.push(Piece::Key(key));
                        pieces.push(Piece::Text(if i > 0 { "," } else { "" }));
                    }
                }
            }
        }
        Ok(out)
    }

    /// The entries of a map under their JSON names, sorted.
    fn json_entries(&self, map: usize) -> Result<Vec<(String, Value)>, ConvertError> {
        let mut entries = Vec::with_capacity(self.maps[map].entries.len());
        for (key, value) in &self.maps[map].entries {
            let kind = match key {
                Key::Null => "%!s(<nil>)",
                Key::Uint(_) => "uint64",
                _ => {
                    entries.push((json_key(key), *value));
                    continue;
                }
            };
            let (key, value) = (key_syntax(key), self.go_syntax(*value));
            return Err(ConvertError::Unrepresentable(format!(
                "unsupported map key of type: {kind}, key: {key}, value: {value}"
            )));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|a, b| a.0 == b.0);
        Ok(entries)
    }
}

fn key_of(scalar: &Resolved) -> Key {
    match scalar {
        Resolved::Null => Key::Null,
        Resolved::Bool(b) => Key::Bool(*b),
        Resolved::Int(n) => Key::Int(*n),
        Resolved::Uint(n) => Key::Uint(*n),
        Resolved::Float(f) => Key::Float((f + 0.0).to_bits()),
        Resolved::Text(text) => Key::Text(text.clone()),
    }
}

/// A scalar as Go's `%#v` prints it inside an interface.
fn key_syntax(key: &Key) -> String {
    match key {
        Key::Null => "<nil>".to_owned(),
        Key::Bool(b) => b.to_string(),
        Key::Int(n) => n.to_string(),
        Key::Uint(n) => format!("{n:#x}"),
        Key::Float(bits) => golang::float64(f64::from_bits(*bits)),
        Key::Text(text) => golang::quote(text),
    }
}

fn json_key(key: &Key) -> String {
    match key {
        Key::Text(text) => text.clone(),
        Key::Float(bits) => match golang::float32(f64::from_bits(*bits)).as_str() {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            "NaN" => ".nan".to_owned(),
            shown => shown.to_owned(),
        },
        other => key_syntax(other),
    }
}

fn write_scalar(out: &mut String, scalar: &Resolved) -> Result<(), ConvertError> {
    match scalar {
        Resolved::Null => out.push_str("null"),
        // Writing to a string cannot fail.
        Resolved::Bool(b) => _ = write!(out, "{b}"),
        Resolved::Int(n) => _ = write!(out, "{n}"),
        Resolved::Uint(n) => _ = write!(out, "{n}"),
        Resolved::Float(f) if f.is_finite() => out.push_str(&golang::json_float(*f)),
        Resolved::Float(f) => {
            let shown = golang::float64(*f);
            return Err(ConvertError::Unrepresentable(format!("json: unsupported value: {shown}")));
        }
        Resolved::Text(text) => golang::push_json_string(out, text),
    }
    Ok(())
}

/// Standard base64 with padding; line breaks are ignored, as Go's decoder does. Bytes that are not UTF-8
/// become U+FFFD, as they would on the way to JSON.
pub(super) fn decode_base64(text: &str) -> Option<String> {
    let symbols: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    if !symbols.len().is_multiple_of(4) {
        return None;
    }
    let padding = symbols.iter().rev().take_while(|&&b| b == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3);
    for quad in symbols.chunks(4) {
        let mut bits = 0u32;
        for &symbol in quad {
            bits = (bits << 6) | base64_digit(symbol)?;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    if symbols[..symbols.len() - padding].contains(&b'=') {
        return None;
    }
    bytes.truncate(bytes.len() - padding);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn base64_digit(symbol: u8) -> Option<u32> {
    let digit = match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        _ => return None,
    };
    Some(u32::from(digit))
}
