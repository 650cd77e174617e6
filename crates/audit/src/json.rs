//! JSON as it stands in the text: a scanner that checks syntax once and hands out slices.
//!
//! Accepts what a real API server writes and a strict parser would refuse: bytes that are not UTF-8,
//! nesting to [`DEPTH_MAX`], numbers of any size, lone surrogates, duplicate keys (the last one counts).

mod scan;
mod string;
mod writer;

use std::borrow::Cow;

pub use scan::{DEPTH_MAX, Fault};
pub(crate) use scan::{scan, scan_key, scan_members, skip_blanks};
use scan::{skip_known, skip_separators};
pub use string::quote;
use string::unescape;
pub use writer::Writer;

/// One JSON value as it stands in the text: known to be well formed, not decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a [u8]);

/// The six kinds of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of RFC 8259")]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl std::fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

impl<'a> Json<'a> {
    /// Reads the first value of `text`, and says where it ends. Leading blanks are skipped.
    pub fn first(text: &'a [u8]) -> Result<(Self, usize), Fault> {
        let start = skip_blanks(text, 0);
        let end = scan(text, start)?;
        Ok((Self(&text[start..end]), end))
    }

    /// Reads `text` as exactly one value; only blanks may follow.
    pub fn whole(text: &'a [u8]) -> Result<Self, Fault> {
        let (value, end) = Self::first(text)?;
        let rest = skip_blanks(text, end);
        if rest < text.len() {
            return Err(Fault { at: rest, expected: "the end of the text" });
        }
        Ok(value)
    }

    /// Takes text that was checked before, such as the bytes of an item of the splitter. Of other text members may be
    /// missing or wrong; nothing worse.
    pub fn checked(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The exact bytes of the value.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// What kind of value it is, by its first byte.
    pub fn kind(self) -> JsonKind {
        match self.0.first() {
            Some(b'"') => JsonKind::String,
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'n') | None => JsonKind::Null,
            Some(_) => JsonKind::Number,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The decoded string; `None` if it is not a string. Bytes that are not UTF-8 and lone surrogates become U+FFFD.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.inner()?;
        match (memchr::memchr(b'\\', inner), std::str::from_utf8(inner)) {
            (None, Ok(plain)) => Some(Cow::Borrowed(plain)),
            (None, Err(_)) => Some(String::from_utf8_lossy(inner)),
            (Some(_), _) => Some(Cow::Owned(unescape(inner))),
        }
    }

    /// The bytes between the quotes as written, escapes and all; `None` if it is not a string.
    pub fn inner(self) -> Option<&'a [u8]> {
        match self.0 {
            [b'"', inner @ .., b'"'] => Some(inner),
            _ => None,
        }
    }

    /// The value as people and rules compare it: strings decoded, anything else its JSON text.
    pub fn display(self) -> Cow<'a, str> {
        self.text().unwrap_or_else(|| String::from_utf8_lossy(self.0))
    }

    /// The number as a 64-bit integer, if it is one.
    pub fn integer(self) -> Option<i64> {
        std::str::from_utf8(self.0).ok()?.parse().ok()
    }

    /// The number as a float; `None` if it is not a number. `1e400` is infinite.
    pub fn float(self) -> Option<f64> {
        match self.kind() {
            JsonKind::Number => std::str::from_utf8(self.0).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn bool(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Keys and values of an object in text order; empty for any other kind.
    pub fn members(self) -> Members<'a> {
        Members { text: self.0, at: if self.kind() == JsonKind::Object { 1 } else { self.0.len() } }
    }

    /// Items of an array in order; empty for any other kind.
    pub fn elements(self) -> Elements<'a> {
        Elements { text: self.0, at: if self.kind() == JsonKind::Array { 1 } else { self.0.len() } }
    }

    /// The value of `key` in an object. Of duplicate keys the last one counts, as in Go.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.members().filter(|(k, _)| k.is_text(key)).last().map(|(_, value)| value)
    }

    /// Follows `keys` through nested objects.
    pub fn path(self, keys: &[&str]) -> Option<Json<'a>> {
        keys.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Whether it is the string `text`, without decoding unless it holds escapes.
    pub fn is_text(self, text: &str) -> bool {
        match self.inner() {
            Some(inner) if inner == text.as_bytes() => memchr::memchr(b'\\', inner).is_none(),
            Some(inner) if memchr::memchr(b'\\', inner).is_some() => unescape(inner) == text,
            _ => false,
        }
    }

    /// Offset of this value inside `text`, which must be the text it was read from.
    pub fn offset_in(self, text: &[u8]) -> usize {
        (self.0.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
    }
}

/// Iterator over the members of an object.
#[derive(Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Json<'a>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = skip_separators(self.text, self.at);
        if self.text.get(start) != Some(&b'"') {
            self.at = self.text.len();
            return None;
        }
        let key_end = skip_known(self.text, start);
        let value_start = skip_separators(self.text, key_end);
        let value_end = skip_known(self.text, value_start);
        self.at = value_end;
        Some((Json(&self.text[start..key_end]), Json(&self.text[value_start..value_end])))
    }
}

/// Iterator over the items of an array.
#[derive(Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let start = skip_separators(self.text, self.at);
        if start >= self.text.len() || self.text[start] == b']' {
            self.at = self.text.len();
            return None;
        }
        self.at = skip_known(self.text, start);
        Some(Json(&self.text[start..self.at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_decode_as_go_writes_them() {
        for (text, want) in [
            (r#""plain""#, "plain"),
            (r#""a\u0026b""#, "a&b"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud800x""#, "\u{FFFD}x"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\uZZZZ""#, "\u{FFFD}ZZZZ"),
        ] {
            assert_eq!(Json::whole(text.as_bytes()).unwrap().text().unwrap(), want, "{text}");
        }
        assert_eq!(Json::whole(b"\"\xff\"").unwrap().text().unwrap(), "\u{FFFD}");
    }

    #[test]
    fn faults_name_their_place() {
        for (text, at) in [
            ("{", 1),
            ("{\"a\" 1}", 5),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("trx", 0),
            ("tru", 3),
            ("-", 1),
            ("1.", 2),
            ("\"a", 2),
            ("", 0),
        ] {
            assert_eq!(Json::whole(text.as_bytes()).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn numbers_have_any_size() {
        let value = Json::whole(b"[1e400, 123456789012345678901234567890, -0.5E-3]").unwrap();
        let floats: Vec<_> = value.elements().map(|e| e.float().unwrap()).collect();
        assert_eq!(floats[0], f64::INFINITY);
        assert_eq!(floats[2], -0.0005);
    }

    #[test]
    fn nesting_is_bounded_and_cheap() {
        let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(Json::whole(&deep(DEPTH_MAX)).is_ok());
        // The innermost pair is empty, so it opens no level.
        assert_eq!(Json::whole(&deep(DEPTH_MAX + 2)).map(|_| ()).unwrap_err().at, DEPTH_MAX);
        let mixed = [b"{\"a\":[".repeat(100), b"1".to_vec(), b"]}".repeat(100)].concat();
        assert!(Json::whole(&mixed).is_ok());
    }

    #[test]
    fn the_last_of_duplicate_keys_counts() {
        let value = Json::whole(br#"{"a":1,"b":{"a":2},"\u0061":3}"#).unwrap();
        assert_eq!(value.get("a").unwrap().integer(), Some(3));
        assert_eq!(value.path(&["b", "a"]).unwrap().integer(), Some(2));
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn rebuild(value: Json<'_>) -> serde_json::Value {
        match value.kind() {
            JsonKind::Object => value.members().map(|(k, v)| (k.text().unwrap().into_owned(), rebuild(v))).collect(),
            JsonKind::Array => value.elements().map(rebuild).collect(),
            JsonKind::String => value.text().unwrap().into_owned().into(),
            JsonKind::Number => value.integer().unwrap().into(),
            JsonKind::Bool => value.bool().unwrap().into(),
            JsonKind::Null => serde_json::Value::Null,
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in tree()) {
            for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(&rebuild(Json::whole(text.as_bytes()).unwrap()), &value);
            }
        }

        #[test]
        fn agrees_with_serde_json_on_what_is_json(text in "[\\[\\]{},:\"a1\\\\. -]{0,12}") {
            let strict = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            if strict { prop_assert!(Json::whole(text.as_bytes()).is_ok(), "{text}"); }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = Json::whole(&bytes) {
                let _ = value.text();
                let _ = value.members().count() + value.elements().count();
            }
        }
    }
}
