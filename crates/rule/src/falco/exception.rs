//! Exceptions of a rule: values that take events out of it.

use crate::node::{Node, Value};
use crate::problem::{Fault, Place};

/// One exception.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    name: String,
    fields: Vec<String>,
    comparisons: Vec<String>,
    /// Whether `fields` was one text and not a list.
    single: bool,
    values: Vec<Node>,
    place: Place,
}

const COMPARISONS: [&str; 20] = [
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "glob",
    "iglob",
    "regex",
    "pmatch",
    "intersects",
    "exists",
];

impl Exception {
    /// Whether it takes any event out.
    pub(super) fn has_values(&self) -> bool {
        !self.values.is_empty()
    }
}

pub(super) fn read(node: Option<&Node>) -> Result<Vec<Exception>, Fault> {
    node.map(Node::items).unwrap_or_default().iter().map(exception).collect()
}

fn exception(node: &Node) -> Result<Exception, Fault> {
    let Some(name) = node.get("name").and_then(Node::text) else {
        return Err(Fault::error(node.place, "an exception must have a `name`"));
    };
    let (fields, single) = match node.get("fields") {
        None => (Vec::new(), false),
        Some(fields) => (fields.texts(), fields.is_scalar()),
    };
    let comparisons = match node.get("comps") {
        Some(comps) => comps.texts(),
        None if single => vec!["in".to_owned()],
        None => vec!["=".to_owned(); fields.len()],
    };
    if let Some(unknown) = comparisons.iter().find(|comparison| !COMPARISONS.contains(&comparison.as_str())) {
        let fault = Fault::error(node.place, format!("`{unknown}` is no comparison"));
        return Err(fault.nearest(unknown, COMPARISONS));
    }
    if comparisons.len() != fields.len() && !fields.is_empty() {
        return Err(Fault::error(node.place, format!("the exception `{name}` has not as many `comps` as `fields`")));
    }
    let values = node.get("values").map(|values| values.items().to_vec()).unwrap_or_default();
    Ok(Exception { name: name.to_owned(), fields, comparisons, single, values, place: node.place })
}

/// Adds values to the exceptions of the same name, and exceptions of new names.
pub(super) fn append(known: &mut Vec<Exception>, new: Vec<Exception>) {
    for exception in new {
        match known.iter_mut().find(|existing| existing.name == exception.name) {
            Some(existing) => existing.values.extend(exception.values),
            None => known.push(exception),
        }
    }
}

/// The condition with its exceptions, as text.
pub(super) fn with_exceptions(condition: &str, exceptions: &[Exception]) -> Result<String, Fault> {
    let mut parts = Vec::new();
    for exception in exceptions {
        if exception.fields.is_empty() {
            return Err(Fault::error(exception.place, format!("the exception `{}` names no `fields`", exception.name)));
        }
        parts.extend(alternatives(exception)?);
    }
    if parts.is_empty() {
        Ok(condition.to_owned())
    } else {
        Ok(format!("({condition}) and not ({})", parts.join(" or ")))
    }
}

fn alternatives(exception: &Exception) -> Result<Vec<String>, Fault> {
    if exception.values.is_empty() {
        return Ok(Vec::new());
    }
    if exception.single {
        let items: Vec<String> = exception.values.iter().filter_map(Node::text).map(quoted).collect();
        let (field, comparison) = (&exception.fields[0], &exception.comparisons[0]);
        let one_of = matches!(comparison.as_str(), "in" | "pmatch" | "intersects");
        let each = |item: &String| format!("{field} {comparison} {item}");
        return Ok(if one_of {
            vec![format!("{field} {comparison} ({})", items.join(","))]
        } else {
            items.iter().map(each).collect()
        });
    }
    exception.values.iter().map(|tuple| conjunction(exception, tuple)).collect()
}

fn conjunction(exception: &Exception, tuple: &Node) -> Result<String, Fault> {
    if tuple.items().len() != exception.fields.len() {
        let what = format!("values of the exception `{}` must be lists, each as long as `fields`", exception.name);
        return Err(Fault::error(tuple.place, what));
    }
    let tests: Vec<String> = exception
        .fields
        .iter()
        .zip(&exception.comparisons)
        .zip(tuple.items())
        .map(|((field, comparison), value)| format!("{field} {comparison} {}", operand(comparison, value)))
        .collect();
    Ok(format!("({})", tests.join(" and ")))
}

fn operand(comparison: &str, value: &Node) -> String {
    let list = matches!(comparison, "in" | "pmatch" | "intersects");
    match &value.value {
        Value::List(items) => {
            format!("({})", items.iter().filter_map(Node::text).map(quoted).collect::<Vec<_>>().join(","))
        }
        _ => {
            let text = value.text().unwrap_or_default();
            let whole = text.starts_with('(') && text.ends_with(')');
            match (list, whole) {
                (true, true) => text.to_owned(),
                (true, false) => format!("({})", quoted(text)),
                (false, _) => quoted(text),
            }
        }
    }
}

/// A value as a condition must write it.
pub(super) fn quoted(text: &str) -> String {
    let bare = |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | '"' | '\'' | '=' | ',');
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
