//! Values of a pod's containers and volumes as the plugin gives them.

use audit::{Event, Json, JsonKind};

use crate::field::Value;

/// What is taken of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    Key(&'static str),
    /// The image without tag and digest.
    Repository,
    /// The same, cut at the first colon.
    RepositoryCutAtFirstColon,
    /// A list of texts, joined by blanks.
    Joined(&'static str),
    /// A key of the security context.
    Security(&'static str),
    /// The same, with the pod's security context behind it and 0 behind that.
    Effective(&'static str),
    Zero,
    Capabilities,
    /// The capabilities as the text of one JSON array.
    CapabilitiesAsOne,
    /// The host port of each port, or the container port.
    HostPort,
}

/// What is taken of a volume.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Volume {
    HostPath,
    FlexDriver,
    /// The keys other than the name.
    Kind,
}

/// The elements of an array (one of them if `index` is given), or the value itself.
pub(crate) fn elements<'a>(json: Json<'a>, index: Option<usize>, found: &mut dyn FnMut(Value<'a>)) {
    match (json.kind(), index) {
        (JsonKind::Array, Some(index)) => json.elements().nth(index).into_iter().for_each(|v| found(Value::Json(v))),
        (JsonKind::Array, None) => json.elements().for_each(|v| found(Value::Json(v))),
        _ => found(Value::Json(json)),
    }
}

fn spec<'a>(event: &Event<'a>) -> Option<Json<'a>> {
    event.request_object?.get("spec")
}

fn items<'a>(event: &Event<'a>, list: &str, index: Option<usize>) -> impl Iterator<Item = Json<'a>> + use<'a> {
    let items = spec(event).and_then(|spec| spec.get(list)).into_iter().flat_map(Json::elements);
    items.enumerate().filter(move |(at, _)| index.is_none_or(|wanted| wanted == *at)).map(|(_, item)| item)
}

/// Calls `found` with what is asked of each container of `list`.
pub(crate) fn containers<'a>(
    event: &Event<'a>,
    list: &str,
    of: Of,
    index: Option<usize>,
    found: &mut dyn FnMut(Value<'a>),
) {
    for container in items(event, list, index) {
        let security = |key: &str| container.path(&["securityContext", key]).filter(|value| !value.is_null());
        let mut text = |text: String| found(Value::Text(text.into()));
        match of {
            Of::Key(key) => container.get(key).into_iter().for_each(|value| found(Value::Json(value))),
            Of::Repository => {
                container.get("image").into_iter().for_each(|image| text(repository(&image.display()).to_owned()));
            }
            Of::RepositoryCutAtFirstColon => {
                container
                    .get("image")
                    .into_iter()
                    .for_each(|image| text(cut_at_first_colon(&image.display()).to_owned()));
            }
            Of::Joined(key) => {
                if let Some(words) = container.get(key) {
                    text(words.elements().map(|word| word.display().into_owned()).collect::<Vec<_>>().join(" "));
                }
            }
            Of::Security(key) => security(key).into_iter().for_each(|value| found(Value::Json(value))),
            Of::Effective(key) => {
                let of_pod = || spec(event)?.path(&["securityContext", key]).filter(|value| !value.is_null());
                match security(key).or_else(of_pod) {
                    Some(value) => found(Value::Json(value)),
                    None => found(Value::Text("0".into())),
                }
            }
            Of::Zero => found(Value::Text("0".into())),
            Of::Capabilities => {
                let added =
                    container.path(&["securityContext", "capabilities", "add"]).into_iter().flat_map(Json::elements);
                added.for_each(|capability| found(Value::Json(capability)));
            }
            Of::CapabilitiesAsOne => {
                let added = container.path(&["securityContext", "capabilities", "add"]);
                added.into_iter().for_each(|added| text(String::from_utf8_lossy(added.bytes()).into_owned()));
            }
            Of::HostPort => {
                for port in container.get("ports").into_iter().flat_map(Json::elements) {
                    port.get("hostPort")
                        .or_else(|| port.get("containerPort"))
                        .into_iter()
                        .for_each(|p| found(Value::Json(p)));
                }
            }
        }
    }
}

/// The image without its digest and its tag; a port of the registry stays.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rfind(':') {
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        _ => image,
    }
}

fn cut_at_first_colon(image: &str) -> &str {
    image.split(':').next().and_then(|image| image.split('@').next()).unwrap_or_default()
}

/// Calls `found` with what is asked of each volume.
pub(crate) fn volumes<'a>(event: &Event<'a>, of: Volume, index: Option<usize>, found: &mut dyn FnMut(Value<'a>)) {
    for volume in items(event, "volumes", index) {
        match of {
            Volume::HostPath => {
                volume.path(&["hostPath", "path"]).into_iter().for_each(|path| found(Value::Json(path)));
            }
            Volume::FlexDriver => {
                volume.path(&["flexVolume", "driver"]).into_iter().for_each(|driver| found(Value::Json(driver)));
            }
            Volume::Kind => {
                volume.members().filter(|(key, _)| !key.is_text("name")).for_each(|(key, _)| found(Value::Json(key)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for (image, native, parity) in [
            ("nginx", "nginx", "nginx"),
            ("nginx:1.2", "nginx", "nginx"),
            ("r.io:5000/a/b:1@sha256:ff", "r.io:5000/a/b", "r.io"),
            ("a/b@sha256:ff", "a/b", "a/b"),
        ] {
            assert_eq!((repository(image), cut_at_first_colon(image)), (native, parity));
        }
    }
}
