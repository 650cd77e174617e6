//! Where the pod spec stands in a request: Pods, workload templates, cron jobs, and patches of them.

use audit::{Event, Json, JsonKind};

/// The lists of containers in a pod spec.
pub(crate) const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Most operations of one JSON patch that are looked at; the rest are ignored.
const PATCH_OPERATIONS_MAX: usize = 256;
/// Deepest path of a JSON patch operation that is looked at.
const PATCH_DEPTH_MAX: usize = 64;

/// The pod spec in the request body of `event`.
pub(crate) fn spec<'a>(event: &Event<'a>) -> Option<Json<'a>> {
    spec_in(event.request_object?, &event.resource())
}

fn spec_in<'a>(body: Json<'a>, resource: &str) -> Option<Json<'a>> {
    body.path(spec_path(resource))
}

fn spec_path(resource: &str) -> &'static [&'static str] {
    match resource {
        "pods" => &["spec"],
        "cronjobs" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "podtemplates" => &["template", "spec"],
        _ => &["spec", "template", "spec"],
    }
}

/// Writes the pod specs that a JSON patch of `event` sets, each operation as the part of a spec that it names, as one
/// JSON array. Writes nothing if the body is no JSON patch.
pub(crate) fn patched_specs(event: &Event<'_>, out: &mut Vec<u8>) {
    let Some(patch) = event.request_object.filter(|body| body.kind() == JsonKind::Array) else { return };
    let resource = event.resource();
    let mut document = Vec::new();
    out.push(b'[');
    for operation in patch.elements().take(PATCH_OPERATIONS_MAX) {
        let (Some(path), Some(value)) = (operation.get("path").and_then(Json::text), operation.get("value")) else {
            continue;
        };
        document.clear();
        if !nest(&path, value, &mut document) {
            continue;
        }
        if let Some(spec) = Json::whole(&document).ok().and_then(|body| spec_in(body, &resource)) {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(spec.bytes());
        }
    }
    out.push(b']');
}

/// Writes `value` inside the objects and arrays that the JSON pointer `path` names.
fn nest(path: &str, value: Json<'_>, out: &mut Vec<u8>) -> bool {
    let keys: Vec<&str> = path.split('/').skip(1).collect();
    if keys.len() > PATCH_DEPTH_MAX {
        return false;
    }
    let is_index = |key: &str| key == "-" || (!key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()));
    for key in &keys {
        if is_index(key) {
            out.push(b'[');
        } else {
            out.push(b'{');
            audit::quote(&key.replace("~1", "/").replace("~0", "~"), out);
            out.push(b':');
        }
    }
    out.extend_from_slice(value.bytes());
    out.extend(keys.iter().rev().map(|key| if is_index(key) { b']' } else { b'}' }));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_patch_is_read_as_the_parts_it_sets() {
        let event = br#"{"auditID":"a","verb":"patch","objectRef":{"resource":"deployments"},"requestObject":[
            {"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true},
            {"op":"replace","path":"/metadata/labels/a~1b","value":"x"},{"op":"remove","path":"/spec"}]}"#;
        let mut specs = Vec::new();
        patched_specs(&Event::parse(event).unwrap(), &mut specs);
        assert_eq!(String::from_utf8(specs).unwrap(), r#"[{"containers":[{"securityContext":{"privileged":true}}]}]"#);
    }
}
