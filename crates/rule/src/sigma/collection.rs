//! Collections: several documents of one file that share parts (`action: global`, `reset`, `repeat`).

use crate::node::{Node, Value};
use crate::problem::Fault;

/// The documents with the shared parts put in.
pub(super) fn resolve(documents: Vec<Node>) -> (Vec<Node>, Vec<Fault>) {
    let (mut resolved, mut faults) = (Vec::new(), Vec::new());
    if !documents.iter().any(|document| document.get("action").is_some()) {
        resolved.extend(documents.into_iter().filter(|document| !document.is_null()));
        return (resolved, faults);
    }
    let mut global: Option<Node> = None;
    let mut previous: Option<Node> = None;
    for mut document in documents {
        if document.is_null() {
            continue;
        }
        let action = document.get("action").and_then(Node::text).map(str::to_owned);
        if let Value::Map(entries) = &mut document.value {
            entries.retain(|(key, _)| key.text() != Some("action"));
        }
        match action.as_deref() {
            Some("global") => {
                global = Some(match global.take() {
                    Some(before) => merged(&before, document),
                    None => document,
                });
                continue;
            }
            Some("reset") => global = None,
            Some("repeat") => match &previous {
                Some(before) => document = merged(before, document),
                None => faults.push(Fault::error(document.place, "`action: repeat` with no document before it")),
            },
            Some(other) => {
                let fault = Fault::error(document.place, format!("unknown action `{other}`"));
                faults.push(fault.nearest(other, ["global", "reset", "repeat"]));
                continue;
            }
            None => {}
        }
        if action.as_deref() != Some("repeat")
            && let Some(global) = &global
        {
            document = merged(global, document);
        }
        if document.entries().is_empty() && action.is_some() {
            continue;
        }
        previous = Some(document.clone());
        resolved.push(document);
    }
    (resolved, faults)
}

/// `over` laid over `under`: maps are joined, anything else is replaced.
fn merged(under: &Node, over: Node) -> Node {
    let Node { place, value } = over;
    let (Value::Map(base), Value::Map(entries)) = (&under.value, &value) else { return Node { place, value } };
    let mut joined = base.clone();
    for (key, value) in entries {
        match joined.iter_mut().find(|(known, _)| known.text() == key.text()) {
            Some((_, slot)) => *slot = merged(slot, value.clone()),
            None => joined.push((key.clone(), value.clone())),
        }
    }
    Node { place, value: Value::Map(joined) }
}
