//! The stable JSON of a row: what `search -o ndjson` and the API hand out.

use std::borrow::Cow;

use audit::{Json, Micros, Writer, format_rfc3339, quote};

use crate::eval::{Row, single_text};
use crate::field::Field;
use crate::trust::{Remark, remarks};

/// Whether a row's JSON carries the entry's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw {
    /// Only the fields.
    Without,
    /// Also `raw`: the exact text of the entry, as a string. If the bytes are not UTF-8, `raw` is readable rather
    /// than exact and `rawBase64` has the exact bytes.
    With,
}

/// Keys of a row's JSON, in order; `raw` comes last where it was asked for. Absent values are `null`, absent lists empty.
pub const ROW_KEYS: [&str; 19] = [
    "cluster",
    "index",
    "time",
    "received",
    "user",
    "groups",
    "verb",
    "resource",
    "subresource",
    "namespace",
    "name",
    "code",
    "decision",
    "ips",
    "agent",
    "stage",
    "level",
    "auditID",
    "trust",
];

/// What a row's JSON shows, wherever it was read from.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "see `Row` and `Field`")]
pub struct Shown<'a> {
    pub index: u64,
    pub time: Micros,
    pub received: Micros,
    pub cluster: &'a str,
    pub user: Option<Cow<'a, str>>,
    /// Array of texts.
    pub groups: Option<Json<'a>>,
    pub verb: Option<Cow<'a, str>>,
    pub resource: Option<Cow<'a, str>>,
    pub subresource: Option<Cow<'a, str>>,
    pub namespace: Option<Cow<'a, str>>,
    pub name: Option<Cow<'a, str>>,
    pub code: Option<i64>,
    pub decision: Option<Cow<'a, str>>,
    /// Array of texts.
    pub ips: Option<Json<'a>>,
    pub agent: Option<Cow<'a, str>>,
    pub stage: Option<Cow<'a, str>>,
    pub level: Option<Cow<'a, str>>,
    pub audit_id: Option<Cow<'a, str>>,
    /// Reasons not to take it at its word.
    pub remarks: Vec<Remark>,
}

impl Shown<'_> {
    /// One line of JSON with the keys of [`ROW_KEYS`], without a line break, and with `raw` if an entry is given.
    /// Times are RFC 3339 in UTC; `trust` is `"ok"` or the list of remarks.
    pub fn to_json(&self, raw: Option<&[u8]>) -> Vec<u8> {
        let mut json = Writer::new();
        json.text("cluster", self.cluster).json("index", self.index.to_string().as_bytes());
        json.text("time", &format_rfc3339(self.time)).text("received", &format_rfc3339(self.received));
        put_text("user", &self.user, &mut json);
        put_list("groups", self.groups, &mut json);
        put_text("verb", &self.verb, &mut json);
        put_text("resource", &self.resource, &mut json);
        put_text("subresource", &self.subresource, &mut json);
        put_text("namespace", &self.namespace, &mut json);
        put_text("name", &self.name, &mut json);
        json.json("code", self.code.map_or("null".to_owned(), |code| code.to_string()).as_bytes());
        put_text("decision", &self.decision, &mut json);
        put_list("ips", self.ips, &mut json);
        put_text("agent", &self.agent, &mut json);
        put_text("stage", &self.stage, &mut json);
        put_text("level", &self.level, &mut json);
        put_text("auditID", &self.audit_id, &mut json);
        json.json("trust", &trust_json(&self.remarks));
        if let Some(payload) = raw {
            put_raw(payload, &mut json);
        }
        json.finish()
    }
}

impl<'a> Row<'a> {
    /// The row as one line of JSON; see [`Shown::to_json`].
    pub fn to_json(&self, raw: Raw) -> Vec<u8> {
        self.shown().to_json((raw == Raw::With).then_some(self.payload))
    }

    fn shown(&self) -> Shown<'a> {
        let Self { index, received, cluster, event, .. } = *self;
        let text = |field: Field| event.and_then(|event| single_text(event, field));
        Shown {
            index,
            time: self.time(),
            received,
            cluster,
            user: text(Field::User),
            groups: event.and_then(|event| event.user.groups),
            verb: text(Field::Verb),
            resource: text(Field::Resource),
            subresource: text(Field::Subresource),
            namespace: text(Field::Namespace),
            name: text(Field::Name),
            code: self.integer(Field::Code),
            decision: text(Field::Decision),
            ips: event.and_then(|event| event.source_ips),
            agent: text(Field::Agent),
            stage: text(Field::Stage),
            level: text(Field::Level),
            audit_id: text(Field::AuditId),
            remarks: remarks(event),
        }
    }
}

fn put_text(key: &str, text: &Option<Cow<'_, str>>, json: &mut Writer) {
    match text {
        Some(text) => json.text(key, text),
        None => json.json(key, b"null"),
    };
}

fn put_list(key: &str, list: Option<Json<'_>>, json: &mut Writer) {
    json.json(key, &texts_json(list.into_iter().flat_map(Json::elements).filter_map(Json::text)));
}

fn put_raw(payload: &[u8], json: &mut Writer) {
    match std::str::from_utf8(payload) {
        Ok(text) => json.text("raw", text),
        Err(_) => json.text("raw", &String::from_utf8_lossy(payload)).text("rawBase64", &base64(payload)),
    };
}

fn trust_json(remarks: &[Remark]) -> Vec<u8> {
    match remarks {
        [] => br#""ok""#.to_vec(),
        _ => texts_json(remarks.iter().map(|remark| remark.name().into())),
    }
}

fn texts_json<'t>(texts: impl Iterator<Item = Cow<'t, str>>) -> Vec<u8> {
    let mut out = vec![b'['];
    for text in texts {
        if out.len() > 1 {
            out.push(b',');
        }
        quote(&text, &mut out);
    }
    out.push(b']');
    out
}

/// Base64 of RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let three = [group[0], group.get(1).copied().unwrap_or(0), group.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit > group.len() { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
