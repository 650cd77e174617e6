//! Where the parts of a policy stand in its text, and edits that keep everything else as it is.

use crate::format::rule_item;
use crate::model::Rule;
use crate::yaml::{Kind, NodeId, Tree};

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Span {
    /// Byte offset of the first character.
    #[serde(skip)]
    pub start: usize,
    /// Byte offset after the last character.
    #[serde(skip)]
    pub end: usize,
    /// Line of the first character, from one.
    pub line: usize,
    /// Column of the first character, from one.
    pub column: usize,
}

/// A replacement of part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Byte offset where the replaced part begins.
    pub start: usize,
    /// Byte offset where it ends; equal to `start` for an insertion.
    pub end: usize,
    /// What stands there afterwards.
    pub text: String,
}

/// Applies edits; of edits that overlap the first wins. Says how many were applied.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> (String, usize) {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let (mut out, mut at, mut applied) = (String::with_capacity(text.len()), 0, 0);
    for edit in edits {
        let Some(kept) = text.get(at..edit.start) else { continue };
        if edit.end < edit.start || text.get(edit.start..edit.end).is_none() {
            continue;
        }
        out.push_str(kept);
        out.push_str(&edit.text);
        at = edit.end;
        applied += 1;
    }
    out.push_str(&text[at..]);
    (out, applied)
}

/// The parts of a policy document. Parts that come from anchors or merge keys have no place of their own.
#[derive(Debug)]
pub(crate) struct Outline<'t> {
    pub(crate) text: &'t str,
    pub(crate) tree: Tree,
}

/// A field of a mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) key: NodeId,
    pub(crate) value: NodeId,
}

impl<'t> Outline<'t> {
    /// The outline of a text that parses as YAML (JSON does too).
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        Some(Self { text, tree: Tree::parse(text.as_bytes()).ok()? })
    }

    pub(crate) fn span(&self, id: NodeId) -> Span {
        let start = self.tree.node(id).start;
        Span { start: start.offset, end: self.content_end(id), line: start.line + 1, column: start.column + 1 }
    }

    /// Where a node's own text ends; a block collection's end mark is already at what follows.
    fn content_end(&self, id: NodeId) -> usize {
        let mut id = id;
        loop {
            let node = self.tree.node(id);
            let last = match &node.kind {
                Kind::Sequence { items, flow: false } => items.last(),
                Kind::Mapping { children, flow: false } => children.last(),
                _ => return node.end.offset,
            };
            match last {
                Some(&last) => id = last,
                None => return node.start.offset,
            }
        }
    }

    fn root(&self) -> Option<NodeId> {
        self.tree.root()
    }

    /// The last field of this name: the one that wins.
    pub(crate) fn field(&self, mapping: NodeId, name: &str) -> Option<Field> {
        let Kind::Mapping { children, .. } = &self.tree.node(self.tree.target(mapping)).kind else { return None };
        let pairs = children.chunks_exact(2).map(|pair| Field { key: pair[0], value: pair[1] });
        pairs.rev().find(|field| self.scalar(field.key) == Some(name))
    }

    pub(crate) fn fields(&self, mapping: NodeId) -> Vec<Field> {
        let Kind::Mapping { children, .. } = &self.tree.node(self.tree.target(mapping)).kind else {
            return Vec::new();
        };
        children.chunks_exact(2).map(|pair| Field { key: pair[0], value: pair[1] }).collect()
    }

    pub(crate) fn scalar(&self, id: NodeId) -> Option<&str> {
        match &self.tree.node(id).kind {
            Kind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    pub(crate) fn items(&self, id: NodeId) -> &[NodeId] {
        match &self.tree.node(self.tree.target(id)).kind {
            Kind::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    pub(crate) fn top(&self, name: &str) -> Option<Field> {
        self.field(self.root()?, name)
    }

    pub(crate) fn rule(&self, index: usize) -> Option<NodeId> {
        self.items(self.top("rules")?.value).get(index).copied()
    }

    pub(crate) fn rule_field(&self, rule: usize, name: &str) -> Option<Field> {
        self.field(self.rule(rule)?, name)
    }

    /// An item of a list of a rule.
    pub(crate) fn rule_item(&self, rule: usize, list: &str, item: usize) -> Option<NodeId> {
        self.items(self.rule_field(rule, list)?.value).get(item).copied()
    }

    pub(crate) fn entry(&self, rule: usize, entry: usize) -> Option<NodeId> {
        self.rule_item(rule, "resources", entry)
    }

    pub(crate) fn entry_item(&self, rule: usize, entry: usize, list: &str, item: usize) -> Option<NodeId> {
        let list = self.field(self.entry(rule, entry)?, list)?;
        self.items(list.value).get(item).copied()
    }

    fn is_flow(&self, id: NodeId) -> bool {
        matches!(&self.tree.node(id).kind, Kind::Sequence { flow: true, .. } | Kind::Mapping { flow: true, .. })
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at + 1)
    }

    /// Puts another scalar in place of one.
    pub(crate) fn replace(&self, id: NodeId, value: &str) -> Option<Edit> {
        let (span, quoted) = (self.span(id), plain_or_quoted(value));
        matches!(self.tree.node(id).kind, Kind::Scalar { block: false, .. }).then(|| Edit {
            start: span.start,
            end: span.end,
            text: quoted,
        })
    }

    /// Removes an item of a list, unless it is the only one: an empty list would not restrict any more.
    pub(crate) fn remove_item(&self, list: NodeId, item: usize) -> Option<Edit> {
        let items = self.items(list);
        if items.len() < 2 {
            return None;
        }
        let span = self.span(*items.get(item)?);
        if !self.is_flow(list) {
            return self.remove_lines(span);
        }
        let (start, end) = match items.get(item + 1) {
            Some(&next) => (span.start, self.span(next).start),
            None => (self.span(items[item - 1]).end, span.end),
        };
        Some(Edit { start, end, text: String::new() })
    }

    /// Removes the lines of a block item, dash included.
    fn remove_lines(&self, span: Span) -> Option<Edit> {
        let start = self.line_start(span.start);
        let before = &self.text[start..span.start];
        let end = self.line_end(span.end);
        (before.trim() == "-").then_some(Edit { start, end, text: String::new() })
    }

    /// Adds items to a list.
    pub(crate) fn add_items(&self, list: NodeId, values: &[&str]) -> Option<Edit> {
        let last = self.span(*self.items(list).last()?);
        let values: Vec<String> = values.iter().map(|value| plain_or_quoted(value)).collect();
        if self.is_flow(list) {
            return Some(Edit { start: last.end, end: last.end, text: format!(", {}", values.join(", ")) });
        }
        let indent = &self.text[self.line_start(last.start)..last.start];
        let at = self.line_end(last.end);
        let lead = if self.text[..at].ends_with('\n') { "" } else { "\n" };
        let lines: String = values.iter().map(|value| format!("{indent}{value}\n")).collect();
        (indent.trim() == "-").then(|| Edit { start: at, end: at, text: format!("{lead}{lines}") })
    }

    pub(crate) fn remove_rule(&self, rule: usize) -> Option<Edit> {
        let rules = self.top("rules")?.value;
        (self.items(rules).len() > 1 && !self.is_flow(rules)).then(|| self.remove_lines(self.span(self.rule(rule)?)))?
    }

    /// Inserts a rule in front of a rule and its comment.
    pub(crate) fn insert_rule(&self, before: usize, rule: &Rule) -> Option<Edit> {
        let (dash, mut at) = self.rule_line(before)?;
        loop {
            let previous = self.line_start(at.saturating_sub(1));
            let is_comment = at > 0 && self.text[previous..at].trim_start().starts_with('#');
            if !is_comment {
                break;
            }
            at = previous;
        }
        Some(Edit { start: at, end: at, text: rule_item(rule, &" ".repeat(dash)) })
    }

    pub(crate) fn append_rule(&self, rule: &Rule) -> Option<Edit> {
        let last = self.items(self.top("rules")?.value).len().checked_sub(1)?;
        let (dash, _) = self.rule_line(last)?;
        let at = self.line_end(self.span(self.rule(last)?).end);
        let lead = if self.text[..at].ends_with('\n') { "" } else { "\n" };
        Some(Edit { start: at, end: at, text: format!("{lead}{}", rule_item(rule, &" ".repeat(dash))) })
    }

    /// Column of a rule's dash and offset of its line, where rules are written in block style.
    fn rule_line(&self, rule: usize) -> Option<(usize, usize)> {
        let start = self.span(self.rule(rule)?).start;
        let line = self.line_start(start);
        let before = &self.text[line..start];
        (before.trim() == "-").then(|| (before.find('-').unwrap_or(0), line))
    }

    /// Removes a field and its line, where it stands on lines of its own.
    pub(crate) fn remove_field(&self, field: Field) -> Option<Edit> {
        let (key, value) = (self.span(field.key), self.span(field.value));
        let start = self.line_start(key.start);
        let alone = self.text[start..key.start].trim().is_empty();
        alone.then(|| Edit { start, end: self.line_end(value.end.max(key.end)), text: String::new() })
    }
}

/// A string as YAML writes it, quoted unless it cannot be taken for anything else.
pub(crate) fn plain_or_quoted(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c) || c == ':')
        && !value.ends_with(':')
        && crate::yaml::plain_is_text(value);
    if plain { value.to_owned() } else { crate::golang::json_string(value) }
}
