//! Reading YAML into a tree that knows where each value stands.
//!
//! Scalars keep their text as written (`00000429` stays that); what a plain scalar means is asked of it.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::node::{Node, Value};
use crate::problem::{Fault, Place};

/// Largest rule file that is read, in bytes; a larger one is refused as a whole.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of a rule file; a deeper document is refused.
pub const YAML_DEPTH_MAX: usize = 100;
/// Most values of one file, those that aliases repeat counted each time; beyond it the document is refused.
pub const YAML_NODES_MAX: usize = 500_000;

/// Where a broken text may be cut so that the other parts still load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// At the lines `---`: documents.
    Documents,
    /// At lines that start with `- `: items of a top-level list.
    Items,
}

/// Reads all documents of `text`. If it is broken, each part that [`Cut`] makes is read alone, so that one mistake
/// costs one part.
pub(crate) fn load(text: &str, cut: Cut) -> (Vec<Node>, Vec<Fault>) {
    if text.len() > FILE_BYTES_MAX {
        let what = format!("file of {} bytes is larger than the limit of {FILE_BYTES_MAX}", text.len());
        return (Vec::new(), vec![Fault::error(Place { line: 1, column: 1 }, what)]);
    }
    let whole = match documents(text, 0) {
        Ok(documents) => return (documents, Vec::new()),
        Err(fault) => fault,
    };
    let parts = parts(text, cut);
    if parts.len() < 2 {
        return (Vec::new(), vec![whole]);
    }
    let (mut nodes, mut faults) = (Vec::new(), Vec::new());
    for (line, part) in parts {
        match documents(part, line) {
            Ok(documents) => nodes.extend(documents),
            Err(fault) => faults.push(fault),
        }
    }
    (nodes, faults)
}

/// The parts of `text`, each with the number of lines before it.
fn parts(text: &str, cut: Cut) -> Vec<(u32, &str)> {
    let starts_part = |line: &str| match cut {
        Cut::Documents => line.trim_end() == "---" || line.starts_with("--- "),
        Cut::Items => line.starts_with("- "),
    };
    let (mut parts, mut start, mut start_line, mut at) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if at > start && starts_part(line) {
            parts.push((start_line, &text[start..at]));
            (start, start_line) = (at, u32::try_from(number).unwrap_or(u32::MAX));
        }
        at += line.len();
    }
    parts.push((start_line, &text[start..]));
    parts
}

fn documents(text: &str, lines_before: u32) -> Result<Vec<Node>, Fault> {
    let mut builder = Builder { lines_before, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.add(event, span)?,
            Err(error) => {
                let mark = error.marker();
                let place = builder.place(mark.line(), mark.col());
                return Err(Fault::error(place, format!("not YAML: {}", error.info())));
            }
        }
    }
    Ok(builder.documents)
}

#[derive(Default)]
struct Builder {
    lines_before: u32,
    documents: Vec<Node>,
    /// Open lists and maps, each with its anchor. A map's keys and values alternate.
    open: Vec<(usize, Node, Vec<Node>)>,
    /// Anchored nodes with their sizes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Builder {
    fn add(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let place = self.place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                self.close(anchor, Node { place, value: Value::Scalar { text: text.into_owned().into(), plain } }, 1)
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, Node { place, value: Value::List(Vec::new()) }),
            Event::MappingStart(anchor, _) => self.start(anchor, Node { place, value: Value::Map(Vec::new()) }),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Fault::error(place, "alias of an anchor that is not complete"));
                };
                self.close(0, node, size)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        if self.open.len() >= YAML_DEPTH_MAX {
            return Err(Fault::error(node.place, format!("nested deeper than the limit of {YAML_DEPTH_MAX} levels")));
        }
        self.open.push((anchor, node, Vec::new()));
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some((anchor, mut node, children)) = self.open.pop() else { return Ok(()) };
        node.value = match node.value {
            Value::Map(_) => Value::Map(pairs(children)),
            _ => Value::List(children),
        };
        self.close(anchor, node, 1)
    }

    /// Puts a finished node into its parent. `size` is what it adds to the number of nodes.
    fn close(&mut self, anchor: usize, node: Node, size: usize) -> Result<(), Fault> {
        self.nodes += size;
        if self.nodes > YAML_NODES_MAX {
            return Err(Fault::error(node.place, format!("more than the limit of {YAML_NODES_MAX} values")));
        }
        if anchor > 0 {
            let size = node.count();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            Some((_, _, children)) => children.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }

    fn place(&self, line: usize, column: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: number(line).saturating_add(self.lines_before), column: number(column).saturating_add(1) }
    }
}

fn pairs(children: Vec<Node>) -> Vec<(Node, Node)> {
    let mut entries = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        entries.push((key, value));
    }
    entries
}
