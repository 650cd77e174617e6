//! The stable JSON of a row: what `search -o ndjson` and the API hand out.

use audit::{Writer, format_rfc3339, quote};

use crate::eval::Row;
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

/// Fields of the JSON that hold one text, in order, with their keys.
const TEXTS: [(&str, Field); 12] = [
    ("user", Field::User),
    ("verb", Field::Verb),
    ("resource", Field::Resource),
    ("subresource", Field::Subresource),
    ("namespace", Field::Namespace),
    ("name", Field::Name),
    ("decision", Field::Decision),
    ("agent", Field::Agent),
    ("stage", Field::Stage),
    ("level", Field::Level),
    ("auditID", Field::AuditId),
    ("cluster", Field::Cluster),
];

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

impl Row<'_> {
    /// The row as one line of JSON with the keys of [`ROW_KEYS`], without a line break. Times are RFC 3339 in UTC;
    /// `trust` is `"ok"` or the list of remarks.
    pub fn to_json(&self, raw: Raw) -> Vec<u8> {
        let mut json = Writer::new();
        for key in ROW_KEYS {
            json.json(key, &self.value_json(key));
        }
        if raw == Raw::With {
            self.write_raw(&mut json);
        }
        json.finish()
    }

    fn value_json(&self, key: &str) -> Vec<u8> {
        match key {
            "index" => self.index.to_string().into_bytes(),
            "time" => text_json(&format_rfc3339(self.time())),
            "received" => text_json(&format_rfc3339(self.received)),
            "code" => self.integer(Field::Code).map_or(b"null".to_vec(), |code| code.to_string().into_bytes()),
            "groups" => self.list_json(Field::Groups),
            "ips" => self.list_json(Field::Ip),
            "trust" => trust_json(&remarks(self.event)),
            _ => self.one_json(key),
        }
    }

    fn one_json(&self, key: &str) -> Vec<u8> {
        let mut json = b"null".to_vec();
        if let Some((_, field)) = TEXTS.iter().find(|(name, _)| *name == key) {
            self.any_text(*field, |text| {
                json = text_json(text);
                true
            });
        }
        json
    }

    fn list_json(&self, field: Field) -> Vec<u8> {
        let mut texts = Vec::new();
        self.any_text(field, |text| {
            texts.push(text_json(text));
            false
        });
        list_json(texts)
    }

    fn write_raw(&self, json: &mut Writer) {
        match std::str::from_utf8(self.payload) {
            Ok(text) => json.text("raw", text),
            Err(_) => json.text("raw", &String::from_utf8_lossy(self.payload)).text("rawBase64", &base64(self.payload)),
        };
    }
}

fn trust_json(remarks: &[Remark]) -> Vec<u8> {
    match remarks {
        [] => text_json("ok"),
        _ => list_json(remarks.iter().map(|remark| text_json(remark.name())).collect()),
    }
}

fn text_json(text: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(text.len() + 2);
    quote(text, &mut json);
    json
}

fn list_json(items: Vec<Vec<u8>>) -> Vec<u8> {
    [b"[".as_slice(), &items.join(b",".as_slice()), b"]"].concat()
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
