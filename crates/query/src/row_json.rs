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

/// Some of [`ROW_KEYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowKeys(u32);

impl RowKeys {
    /// Every key.
    pub const ALL: Self = Self((1 << ROW_KEYS.len()) - 1);

    /// Those of a list such as `time,user,verb`; the first name that is no key is an error.
    pub fn parse(list: &str) -> Result<Self, &str> {
        list.split(',').map(str::trim).try_fold(Self(0), |keys, name| {
            let at = ROW_KEYS.iter().position(|key| *key == name).ok_or(name)?;
            Ok(Self(keys.0 | 1 << at))
        })
    }

    /// Their names, in the order of [`ROW_KEYS`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ROW_KEYS.into_iter().enumerate().filter(move |(at, _)| self.0 >> at & 1 != 0).map(|(_, key)| key)
    }
}

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
    /// One line of JSON with some of the keys of [`ROW_KEYS`], without a line break, and with `raw` if an entry is
    /// given. Times are RFC 3339 in UTC; `trust` is `"ok"` or the list of remarks.
    pub fn to_json(&self, keys: RowKeys, raw: Option<&[u8]>) -> Vec<u8> {
        let mut json = Writer::new();
        for key in keys.names() {
            self.put(key, &mut json);
        }
        if let Some(payload) = raw {
            put_raw(payload, &mut json);
        }
        json.finish()
    }

    fn put(&self, key: &str, json: &mut Writer) {
        match key {
            "index" => json.json(key, self.index.to_string().as_bytes()),
            "time" => json.text(key, &format_rfc3339(self.time)),
            "received" => json.text(key, &format_rfc3339(self.received)),
            "groups" => json.json(key, &list_json(self.groups)),
            "code" => json.json(key, self.code.map_or("null".to_owned(), |code| code.to_string()).as_bytes()),
            "ips" => json.json(key, &list_json(self.ips)),
            "trust" => json.json(key, &trust_json(&self.remarks)),
            _ => match self.text(key) {
                Some(text) => json.text(key, text),
                None => json.json(key, b"null"),
            },
        };
    }

    fn text(&self, key: &str) -> Option<&str> {
        match key {
            "cluster" => Some(self.cluster),
            "user" => self.user.as_deref(),
            "verb" => self.verb.as_deref(),
            "resource" => self.resource.as_deref(),
            "subresource" => self.subresource.as_deref(),
            "namespace" => self.namespace.as_deref(),
            "name" => self.name.as_deref(),
            "decision" => self.decision.as_deref(),
            "agent" => self.agent.as_deref(),
            "stage" => self.stage.as_deref(),
            "level" => self.level.as_deref(),
            "auditID" => self.audit_id.as_deref(),
            _ => None,
        }
    }
}

impl<'a> Row<'a> {
    /// The row as one line of JSON with every key; see [`Shown::to_json`].
    pub fn to_json(&self, raw: Raw) -> Vec<u8> {
        self.to_json_of(RowKeys::ALL, raw)
    }

    /// The same with some of the keys.
    pub fn to_json_of(&self, keys: RowKeys, raw: Raw) -> Vec<u8> {
        self.shown().to_json(keys, (raw == Raw::With).then_some(self.payload))
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

fn list_json(list: Option<Json<'_>>) -> Vec<u8> {
    texts_json(list.into_iter().flat_map(Json::elements).filter_map(Json::text))
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
    fn keys_are_chosen_by_name() {
        assert_eq!(RowKeys::parse("verb, time").unwrap().names().collect::<Vec<_>>(), ["time", "verb"]);
        assert_eq!(RowKeys::parse(&ROW_KEYS.join(",")), Ok(RowKeys::ALL));
        assert_eq!(RowKeys::parse("time,who"), Err("who"));
        let shown = Shown { user: Some("a\u{1}\"".into()), code: Some(-5), ..Shown::default() };
        let json = |keys| String::from_utf8(shown.to_json(RowKeys::parse(keys).unwrap(), None)).unwrap();
        assert_eq!(json("user,code,name,ips"), r#"{"user":"a\u0001\"","name":null,"code":-5,"ips":[]}"#);
    }

    #[test]
    fn base64_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
