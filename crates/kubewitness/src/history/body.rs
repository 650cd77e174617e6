//! What an event says of the object: recorded bodies, without what changes on every write.

use imara_diff::{Algorithm, BasicLineDiffPrinter, Diff, InternedInput, UnifiedDiffConfig};
use std::collections::BTreeMap;

use audit::{Event, Json};
use serde_json::Value;

/// Parts of the metadata that the server keeps for itself.
const BOOKKEEPING: [&str; 6] =
    ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];
/// kubectl's copy of what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Longest value that a summary shows.
const VALUE_SHOWN: usize = 40;

/// The bodies of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bodies {
    /// The object as it was after the request, as far as it is recorded.
    pub(super) after: Option<Value>,
    /// What was sent, if it is only a part of the object.
    pub(super) patch: Option<Value>,
}

impl Bodies {
    /// Reads the bodies of an event. The answer is preferred, for it has the defaults and the name.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let request = event.request_object.and_then(value);
        let after = event.response_object.and_then(value).filter(is_object_of_its_own).map(essence);
        match &*event.verb() {
            "patch" => Self { after, patch: request },
            "create" | "update" => Self { after: after.or(request.map(essence)), patch: None },
            // The body of a delete holds options, its answer often the object as it was before.
            _ => Self::default(),
        }
    }
}

/// Nesting beyond what a parser takes on its stack counts as not recorded.
fn value(json: Json<'_>) -> Option<Value> {
    serde_json::from_slice(json.bytes()).ok()
}

/// A `Status` is about an object; it is none.
fn is_object_of_its_own(value: &Value) -> bool {
    value.get("kind").and_then(Value::as_str) != Some("Status") && value.get("metadata").is_some()
}

fn essence(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    object
}

/// A value as people read it.
pub(super) fn yaml(value: &Value) -> String {
    yaml_serde::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// Lines that differ, in the unified form.
pub(super) fn unified(before: &Value, after: &Value) -> String {
    let (before, after) = (yaml(before), yaml(after));
    let input = InternedInput::new(before.as_str(), after.as_str());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let mut config = UnifiedDiffConfig::default();
    config.context_len(2);
    diff.unified_diff(&BasicLineDiffPrinter(&input.interner), config, &input).to_string()
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Change {
    /// `spec.replicas 2 → 5`
    pub(super) fn summary(&self) -> String {
        let show = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            crate::output::fitted(&text, VALUE_SHOWN)
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("{} {} → {}", self.path, show(before), show(after)),
            (None, Some(after)) => format!("+{} {}", self.path, show(after)),
            (Some(_), None) => format!("-{}", self.path),
            (None, None) => self.path.clone(),
        }
    }
}

/// Values that differ, by path.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves(before, String::new(), &mut old);
    leaves(after, String::new(), &mut new);
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| Change {
            path: path.clone(),
            before: old.get(path).map(|value| (*value).clone()),
            after: new.get(path).map(|value| (*value).clone()),
        })
        .collect()
}

/// Values that hold no others, by path. Depth is bounded by the parser. Named list items are known by their name, so
/// that a new first container does not change all.
fn leaves<'v>(value: &'v Value, path: String, found: &mut BTreeMap<String, &'v Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(value, path, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, value) in items.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str).map_or_else(|| i.to_string(), str::to_owned);
                leaves(value, format!("{path}[{name}]"), found);
            }
        }
        // The root is what holds the values, even if it holds none.
        _ if path.is_empty() => {}
        _ => {
            found.insert(path, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_by_path() {
        let before = json!({"spec": {"replicas": 2, "containers": [{"name": "a", "image": "x:1"}]}, "gone": true});
        let after = json!({"spec": {"replicas": 5, "containers": [{"name": "new"}, {"name": "a", "image": "x:2"}]}});
        let found: Vec<String> = changes(&before, &after).iter().map(Change::summary).collect();
        assert_eq!(
            found,
            ["-gone", "spec.containers[a].image x:1 → x:2", "+spec.containers[new].name new", "spec.replicas 2 → 5"]
        );
    }

    #[test]
    fn bookkeeping_is_no_change() {
        let object = json!({"kind": "Pod", "metadata": {"name": "a", "resourceVersion": "7", "managedFields": []}, "status": {"phase": "Running"}});
        assert_eq!(essence(object), json!({"kind": "Pod", "metadata": {"name": "a"}}));
    }
}
