//! Reading a field's values by walking the JSON, with no preparation. The matcher's trie gives the same values faster.

use std::borrow::Cow;

use audit::{Event, Json, JsonKind};
use smallvec::SmallVec;

use super::{Field, Root, Row, Value, pod};

/// Calls `found` with every value of `field`, arrays taken apart, nulls left out.
pub(crate) fn walk_values<'a>(event: &Event<'a>, field: &Field, found: &mut dyn FnMut(Value<'a>)) {
    match field {
        Field::Path(Root::Event, path) => walk_event(event, path, found),
        Field::Path(Root::Pod, path) => walk_pods(event, path, found),
        Field::Path(Root::PodContainers, path) => {
            for list in pod::CONTAINER_LISTS {
                walk_pods(event, &super::dotted(list, path), found);
            }
        }
        Field::Derived(derived) => derived.values(event, found),
        Field::Falco(field) => field.values(event, found),
        Field::AnyOf(fields) => fields.iter().for_each(|field| walk_values(event, field, found)),
        Field::Whole => whole(event.json, found),
    }
}

/// Starts where the event has a place for the path, else at the top.
fn walk_event<'a>(event: &Event<'a>, path: &str, found: &mut dyn FnMut(Value<'a>)) {
    let Some(row) = Row::above(path) else { return walk(event.json, path, found) };
    if let Some(json) = row.read(event) {
        walk(json, row.rest(path), found);
    }
}

fn walk_pods<'a>(event: &Event<'a>, path: &str, found: &mut dyn FnMut(Value<'a>)) {
    if let Some(spec) = pod::spec(event) {
        walk(spec, path, found);
    }
    let mut patched = Vec::new();
    pod::patched_specs(event, &mut patched);
    for spec in audit::Json::whole(&patched).into_iter().flat_map(Json::elements) {
        walk(spec, path, &mut |value| found(Value::Text(Cow::Owned(value.display().into_owned()))));
    }
}

/// Deepest nesting of arrays directly in arrays that is looked into; values below it are not seen.
pub(crate) const ARRAY_DEPTH_MAX: usize = 16;

/// Follows a dotted path. A key may itself hold dots, so every way of reading the path that fits is followed.
pub(crate) fn walk<'a>(json: Json<'a>, path: &str, found: &mut dyn FnMut(Value<'a>)) {
    walk_below(json, path, 0, found);
}

fn walk_below<'a>(json: Json<'a>, path: &str, arrays: usize, found: &mut dyn FnMut(Value<'a>)) {
    match json.kind() {
        JsonKind::Array if arrays == ARRAY_DEPTH_MAX => {}
        JsonKind::Null => {}
        JsonKind::Array => {
            json.elements().for_each(|element| walk_below(element, path, arrays + 1, found));
            // A number picks an element as well.
            let (index, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(element) = index.parse().ok().and_then(|index| json.elements().nth(index)) {
                walk(element, rest, found);
            }
        }
        JsonKind::Object if !path.is_empty() => {
            for (end, value) in &readings(json, path) {
                walk(*value, path.get(end + 1..).unwrap_or(""), found);
            }
        }
        _ if path.is_empty() => found(Value::Json(json)),
        _ => {}
    }
}

/// The members whose keys `path` starts with, each with the length of its key, the shortest first. Of duplicate keys the
/// last one counts.
fn readings<'a>(json: Json<'a>, path: &str) -> SmallVec<[(usize, Json<'a>); 2]> {
    let mut readings = SmallVec::<[(usize, Json<'a>); 2]>::new();
    for (key, value) in json.members() {
        let Some(end) = leads(key, path) else { continue };
        match readings.binary_search_by_key(&end, |(end, _)| *end) {
            Ok(at) => readings[at].1 = value,
            Err(at) => readings.insert(at, (end, value)),
        }
    }
    readings
}

/// The length of `key` if `path` is it or goes on after it with a dot.
fn leads(key: Json<'_>, path: &str) -> Option<usize> {
    let written = key.inner()?;
    // Keys are hardly ever written with escapes, and most differ in the first byte.
    if written.first().is_some_and(|first| *first != b'\\' && Some(first) != path.as_bytes().first()) {
        return None;
    }
    let key = key.text()?;
    path.strip_prefix(&*key).filter(|rest| rest.is_empty() || rest.starts_with('.')).map(|_| key.len())
}

/// The text as it stands, and each string that is written with escapes, decoded.
pub(super) fn whole<'a>(json: Json<'a>, found: &mut dyn FnMut(Value<'a>)) {
    found(Value::Text(String::from_utf8_lossy(json.bytes())));
    let mut open = vec![json];
    while let Some(json) = open.pop() {
        match json.inner() {
            Some(inner) if memchr::memchr(b'\\', inner).is_some() => found(Value::Json(json)),
            Some(_) => {}
            None => {
                open.extend(json.members().map(|(_, value)| value));
                open.extend(json.elements());
            }
        }
    }
}
