//! JSON pointers (RFC 6901) as Falco's json plugin reads them: the leading slash may be missing.

use audit::{Json, JsonKind};

/// The value that `pointer` names in `json`.
pub(super) fn resolve<'a>(json: Json<'a>, pointer: &str) -> Option<Json<'a>> {
    if pointer.is_empty() {
        return Some(json);
    }
    pointer.strip_prefix('/').unwrap_or(pointer).split('/').try_fold(json, |value, segment| match value.kind() {
        JsonKind::Array => value.elements().nth(segment.parse().ok()?),
        JsonKind::Object if segment.contains('~') => value.get(&segment.replace("~1", "/").replace("~0", "~")),
        JsonKind::Object => value.get(segment),
        _ => None,
    })
}
