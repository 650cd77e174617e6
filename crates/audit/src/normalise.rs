//! Any format → the text of a plain audit event.
//!
//! Wrapped records keep their own bytes as evidence; what rules, columns and people look at is the event inside.
//! A cloud that rebuilds the event in its own shape (GKE) is translated back field by field.

use std::borrow::Cow;

use crate::event::Event;
use crate::format::Format;
use crate::json::{Json, JsonKind, Writer};
use crate::salvage::salvage;
use crate::split::{Reason, diagnose};

/// Carriers inside carriers that are opened, such as a collector's record around a cloud's.
const CARRIER_DEPTH_MAX: usize = 6;

/// The text of a plain audit event: borrowed when the record is one, built when it was wrapped.
pub type Normalised<'a> = Cow<'a, [u8]>;

/// Returns the audit event in `record`, or why there is none.
///
/// A plain event is returned as it stands, unread; the caller's [`Event::parse`] checks it.
pub fn normalise(format: Format, record: &[u8]) -> Result<Normalised<'_>, Reason> {
    let json = match format {
        Format::Audit => return Ok(Cow::Borrowed(record)),
        Format::Quarantine => None,
        Format::Prefixed => memchr::memchr(b'{', record).and_then(|brace| Json::whole(&record[brace..]).ok()),
        _ => Json::whole(record).ok(),
    };
    match json.and_then(recognise) {
        Some((_, text)) => Ok(text),
        None => Err(diagnose(record).unwrap_or_else(|| Reason::OtherKind("a record kept as evidence".to_owned()))),
    }
}

/// Finds the audit event in a JSON value of any known format.
pub(crate) fn recognise(json: Json<'_>) -> Option<(Format, Normalised<'_>)> {
    open(json, None, 0)
}

/// The cluster a cloud's record names: GKE's label, the Azure resource, OpenShift's id.
pub(crate) fn cluster_of(json: Json<'_>) -> Option<String> {
    if let Some(name) = json.path(&["resource", "labels", "cluster_name"]).and_then(Json::text) {
        return Some(name.into_owned());
    }
    if let Some(id) = json.get("resourceId").or_else(|| json.get("resourceID")).and_then(Json::text) {
        let lower = id.to_ascii_lowercase();
        return lower.split_once("/managedclusters/").and_then(|(_, rest)| rest.split('/').next()).map(str::to_owned);
    }
    json.path(&["openshift", "cluster_id"]).and_then(Json::text).map(Cow::into_owned)
}

/// Opens what may be an event, or carry one. `time` is what the carriers so far say of when it happened.
fn open<'a>(json: Json<'a>, time: Option<Json<'a>>, depth: usize) -> Option<(Format, Normalised<'a>)> {
    match json.kind() {
        _ if depth > CARRIER_DEPTH_MAX => None,
        JsonKind::String => {
            let text = json.text()?;
            let inside = match Json::whole(text.as_bytes()) {
                Ok(inside) => open(inside, time, depth + 1)?.1.into_owned(),
                Err(fault) if fault.at >= text.len() => salvage(text.as_bytes(), time)?,
                Err(_) => return None,
            };
            Some((Format::Collected, Cow::Owned(inside)))
        }
        JsonKind::Object if Event::from_json(json).is_ok() => Some(plain(json)),
        JsonKind::Object => carried(json, time, depth),
        _ => None,
    }
}

/// An event, with its audit level put back where OpenShift's collector moved it from.
fn plain(json: Json<'_>) -> (Format, Normalised<'_>) {
    let Some(level) = json.get("k8s_audit_level") else {
        return (Format::Audit, Cow::Borrowed(json.bytes()));
    };
    let mut event = Writer::new();
    event.json("level", level.bytes());
    for (key, value) in json.members() {
        let key = key.text().unwrap_or_default();
        if key != "level" {
            event.json(&key, value.bytes());
        }
    }
    (Format::ViaQ, Cow::Owned(event.finish()))
}

/// Keys under which records carry an event, as an object or as text, in the order in which they are tried.
const CARRIERS: [(&str, Format); 15] = [
    ("_source", Format::Source),
    ("properties", Format::Aks),
    ("result", Format::Splunk),
    ("_raw", Format::Splunk),
    ("body", Format::Otlp),
    ("stringValue", Format::Otlp),
    ("@message", Format::CloudWatch),
    ("message", Format::CloudWatch),
    ("log", Format::Collected),
    ("event", Format::Collected),
    ("event.original", Format::Collected),
    ("original", Format::Collected),
    ("msg", Format::Collected),
    ("kubernetes", Format::Collected),
    ("audit", Format::Collected),
];

fn carried<'a>(json: Json<'a>, time: Option<Json<'a>>, depth: usize) -> Option<(Format, Normalised<'a>)> {
    if json.get("protoPayload").is_some() {
        return crate::gke::translate(json).map(|event| (Format::Gke, Cow::Owned(event)));
    }
    let time = json.get("time").filter(|time| time.kind() == JsonKind::String).or(time);
    let mut found = None;
    for (key, format) in CARRIERS {
        let inside = json.get(key).and_then(|value| open(value, time, depth + 1));
        if let Some((_, event)) = inside {
            found = Some((carrier_format(json, format), event));
            break;
        }
    }
    found.or_else(|| flat(json))
}

/// `message` is CloudWatch's word and everybody else's; CloudWatch records have a stream or a numeric time beside it.
fn carrier_format(json: Json<'_>, format: Format) -> Format {
    let cloudwatch = ["logStreamName", "ingestionTime", "id", "eventId"].iter().any(|key| json.get(key).is_some())
        || json.get("timestamp").is_some_and(|time| time.kind() == JsonKind::Number);
    if format == Format::CloudWatch && !cloudwatch { Format::Collected } else { format }
}

/// An index document whose writer flattened the user: `username` beside `verb` and `objectRef`.
fn flat(json: Json<'_>) -> Option<(Format, Normalised<'_>)> {
    let (verb, user) = (json.get("verb")?, json.get("username")?);
    let mut event = Writer::new();
    event.text("kind", "Event").text("apiVersion", "audit.k8s.io/v1").json("verb", verb.bytes());
    let mut identity = Writer::new();
    identity.json("username", user.bytes());
    event.object("user", identity).maybe("stageTimestamp", json.get("@timestamp"));
    for (key, value) in json.members() {
        let key = key.text().unwrap_or_default();
        if !["verb", "username", "@timestamp", "kind", "apiVersion", "user", "stageTimestamp"].contains(&key.as_ref()) {
            event.json(&key, value.bytes());
        }
    }
    Some((Format::Collected, Cow::Owned(event.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;

    #[test]
    fn the_event_comes_out_of_every_wrapper() {
        let event = br#"{"auditID":"a","stage":"Panic","verb":"get","level":"Metadata"}"#;
        let mut quoted = Vec::new();
        crate::json::quote(std::str::from_utf8(event).unwrap(), &mut quoted);
        let quoted = String::from_utf8(quoted).unwrap();
        for (format, record) in [
            (Format::CloudWatch, format!(r#"{{"timestamp":1,"message":{quoted}}}"#)),
            (Format::Aks, format!(r#"{{"properties":{{"log":{quoted}}}}}"#)),
            (Format::Otlp, format!(r#"{{"body":{{"stringValue":{quoted}}}}}"#)),
            (Format::Prefixed, format!("2026 {}", std::str::from_utf8(event).unwrap())),
        ] {
            let text = normalise(format, record.as_bytes()).unwrap();
            assert_eq!(&*text, event, "{format:?}");
        }
        let cut = br#"{"time":"2026-01-02T03:04:07Z","properties":{"log":"{\"auditID\":\"a\",\"stage\":\"Panic\",\"requestObject\":{\"k"}}"#;
        let text = normalise(Format::Aks, cut).unwrap();
        let time = Event::parse(&text).unwrap().time();
        assert_eq!(time, crate::parse_rfc3339("2026-01-02T03:04:07Z"));
    }

    #[test]
    fn viaq_gets_its_audit_level_back() {
        let record = br#"{"kind":"Event","auditID":"a","k8s_audit_level":"Request","level":"default","verb":"get"}"#;
        let text = normalise(Format::ViaQ, record).unwrap();
        assert_eq!(Event::parse(&text).unwrap().level(), Some(Level::Request));
    }

    #[test]
    fn a_flattened_document_has_a_user() {
        let hit = br#"{"_source":{"@timestamp":"2023-08-12T13:28:19.954Z","username":"shturval:blackcat","verb":"get","objectRef":{"resource":"secrets"},"responseStatus":{"code":200}}}"#;
        let text = normalise(Format::Source, hit).unwrap();
        let event = Event::parse(&text).unwrap();
        assert_eq!(
            (event.username(), event.resource(), event.code()),
            ("shturval:blackcat".into(), "secrets".into(), Some(200))
        );
        assert!(event.time().is_some());
    }
}
