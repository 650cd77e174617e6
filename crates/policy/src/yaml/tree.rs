//! Events to a tree of nodes that know their place in the text.

use std::collections::HashMap;

use super::parser::{Event, Parser, ScalarEvent};
use super::{Mark, SyntaxError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(super) u32);

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar {
        value: String,
        tag: String,
        implicit: bool,
        block: bool,
    },
    Sequence {
        items: Vec<NodeId>,
        flow: bool,
    },
    /// Keys and values in turn.
    Mapping {
        children: Vec<NodeId>,
        flow: bool,
    },
    Alias {
        name: String,
        target: NodeId,
    },
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// The first document of a text. A node is only reachable from its parents, so nodes live in one list.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    root: Option<NodeId>,
    /// Where the first document ended, when something other than the end of the text follows.
    pub(crate) more_documents: Option<Mark>,
}

impl Tree {
    /// Reads the first document. Text after it is only looked at as far as the reader already has.
    pub(crate) fn parse(raw: &[u8]) -> Result<Self, SyntaxError> {
        let mut tree = Self::default();
        let mut parser = Parser::new(if raw.is_empty() { b"\n" } else { raw })?;
        if matches!(parser.next()?, Event::StreamEnd) {
            return Ok(tree);
        }
        Builder::default().run(&mut parser, &mut tree)?;
        // The server reads the end of the document too, but nothing after it.
        parser.next()?;
        tree.more_documents = parser.following();
        Ok(tree)
    }

    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The node an alias stands for, or the node itself.
    pub(crate) fn target(&self, id: NodeId) -> NodeId {
        match &self.node(id).kind {
            Kind::Alias { target, .. } => *target,
            _ => id,
        }
    }

    /// Where scalars stand in the text.
    pub(crate) fn scalar_spans(&self) -> Vec<(usize, usize)> {
        let scalars = self.nodes.iter().filter(|node| matches!(node.kind, Kind::Scalar { .. }));
        scalars.map(|node| (node.start.offset, node.end.offset)).collect()
    }

    fn add(&mut self, kind: Kind, start: Mark, end: Mark) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { kind, start, end });
        id
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<NodeId>,
    anchors: HashMap<Vec<u8>, NodeId>,
}

impl Builder {
    fn run(&mut self, parser: &mut Parser<'_>, tree: &mut Tree) -> Result<(), SyntaxError> {
        loop {
            match parser.next()? {
                Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => return Ok(()),
                Event::Alias { name, start, end } => self.alias(tree, &name, start, end)?,
                Event::Scalar(scalar) => self.scalar(tree, scalar),
                Event::SequenceStart { anchor, start, flow } => {
                    self.collection(tree, Kind::Sequence { items: Vec::new(), flow }, anchor, start);
                }
                Event::MappingStart { anchor, start, flow } => {
                    self.collection(tree, Kind::Mapping { children: Vec::new(), flow }, anchor, start);
                }
                Event::CollectionEnd { end } => {
                    if let Some(id) = self.open.pop() {
                        tree.nodes[id.0 as usize].end = end;
                    }
                }
            }
            if tree.root.is_some() && self.open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Hangs a node under the innermost open collection, or makes it the root.
    fn attach(&mut self, tree: &mut Tree, id: NodeId) {
        let Some(parent) = self.open.last() else {
            tree.root = Some(id);
            return;
        };
        match &mut tree.nodes[parent.0 as usize].kind {
            Kind::Sequence { items: children, .. } | Kind::Mapping { children, .. } => children.push(id),
            Kind::Scalar { .. } | Kind::Alias { .. } => {}
        }
    }

    fn collection(&mut self, tree: &mut Tree, kind: Kind, anchor: Option<Vec<u8>>, start: Mark) {
        let id = tree.add(kind, start, start);
        self.attach(tree, id);
        self.open.push(id);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
    }

    fn scalar(&mut self, tree: &mut Tree, scalar: ScalarEvent) {
        let ScalarEvent { value, anchor, tag, implicit, block, start, end } = scalar;
        let (value, tag) = (into_text(value), into_text(tag));
        let id = tree.add(Kind::Scalar { value, tag, implicit, block }, start, end);
        self.attach(tree, id);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
    }

    fn alias(&mut self, tree: &mut Tree, name: &[u8], start: Mark, end: Mark) -> Result<(), SyntaxError> {
        let name = into_text(name.to_vec());
        let Some(&target) = self.anchors.get(name.as_bytes()) else {
            return Err(SyntaxError::decoder(format!("unknown anchor '{name}' referenced")));
        };
        let id = tree.add(Kind::Alias { name, target }, start, end);
        self.attach(tree, id);
        Ok(())
    }
}

/// Only a tag can hold anything but UTF-8, by way of its `%XX` escapes.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}
