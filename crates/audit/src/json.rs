//! JSON as it stands in the text: a scanner that checks syntax once and hands out slices.
//!
//! Accepts what a real API server writes and a strict parser would refuse: bytes that are not UTF-8,
//! nesting to [`DEPTH_MAX`], numbers of any size, lone surrogates, duplicate keys (the last one counts).

use std::borrow::Cow;

use wide::u8x16;

/// Deepest nesting that is scanned. The API server itself stops at 10,000; beyond this limit a value is a [`Fault`].
pub const DEPTH_MAX: usize = 100_000;

/// Where the text stops being JSON, and what should have stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct Fault {
    /// Byte offset from the start of the scanned text.
    pub at: usize,
    /// What the grammar wanted there.
    pub expected: &'static str,
}

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

/// Offset of the first byte at or after `at` that is no JSON blank.
pub(crate) fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

fn skip_separators(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')) {
        at += 1;
    }
    at
}

/// End of the value that starts at `at`, in text that was scanned before: only brackets and quotes are looked at.
fn skip_known(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => string_end(text, at).unwrap_or(text.len()),
        Some(b'{' | b'[') => skip_known_container(text, at),
        Some(_) => scalar_end(text, at),
        None => at,
    }
}

fn skip_known_container(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < text.len() {
        match text[at] {
            b'"' => {
                at = string_end(text, at).unwrap_or(text.len());
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

fn scalar_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && !matches!(text[at], b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// End of the string whose opening quote stands at `at`. Looks at sixteen bytes at a time: most strings end in the first.
#[inline]
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    while let Some(chunk) = text.get(i..).and_then(|rest| rest.first_chunk::<16>()) {
        let bytes = u8x16::new(*chunk);
        let hits = (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask();
        if hits == 0 {
            i += 16;
            continue;
        }
        i += hits.trailing_zeros() as usize;
        if text[i] == b'"' {
            return Some(i + 1);
        }
        i += 2;
    }
    loop {
        match text.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

/// Checks the value that starts at `start` and returns its end. Iterative; one bit a level of nesting.
pub(crate) fn scan(text: &[u8], start: usize) -> Result<usize, Fault> {
    let mut open = Nesting::default();
    let mut at = start;
    loop {
        // A value stands here.
        at = match text.get(at) {
            Some(b'"') => string_end(text, at).ok_or(Fault { at: text.len(), expected: "the closing quote" })?,
            Some(&bracket @ (b'{' | b'[')) => {
                let object = bracket == b'{';
                let inside = skip_blanks(text, at + 1);
                let close = if object { b'}' } else { b']' };
                if text.get(inside) == Some(&close) {
                    inside + 1
                } else {
                    open.push(object).map_err(|expected| Fault { at, expected })?;
                    at = if object { scan_key(text, inside)?.1 } else { inside };
                    continue;
                }
            }
            Some(b't') => literal(text, at, b"true")?,
            Some(b'f') => literal(text, at, b"false")?,
            Some(b'n') => literal(text, at, b"null")?,
            Some(b'-' | b'0'..=b'9') => number_end(text, at)?,
            _ => return Err(Fault { at, expected: "a value" }),
        };
        // A value ended here: close what it closes, or step to the next.
        loop {
            let Some(object) = open.top() else { return Ok(at) };
            at = skip_blanks(text, at);
            match (text.get(at), object) {
                (Some(b','), true) => {
                    at = scan_key(text, skip_blanks(text, at + 1))?.1;
                    break;
                }
                (Some(b','), false) => {
                    at = skip_blanks(text, at + 1);
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    open.pop();
                    at += 1;
                }
                (_, true) => return Err(Fault { at, expected: "`,` or `}`" }),
                (_, false) => return Err(Fault { at, expected: "`,` or `]`" }),
            }
        }
    }
}

/// Checks the object that starts at `start`; returns its end. `check` is given each key, as it stands between its
/// quotes, with the place where its value starts, and returns the value's end. One pass, where checking first and
/// walking [`Members`] afterwards takes two.
pub(crate) fn scan_members<'a>(
    text: &'a [u8],
    start: usize,
    check: &mut impl FnMut(&'a [u8], usize) -> Result<usize, Fault>,
) -> Result<usize, Fault> {
    let mut at = skip_blanks(text, start + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let (key_end, value) = scan_key(text, at)?;
        at = skip_blanks(text, check(&text[at + 1..key_end - 1], value)?);
        match text.get(at) {
            Some(b',') => at = skip_blanks(text, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return Err(Fault { at, expected: "`,` or `}`" }),
        }
    }
}

/// Checks a key with its colon; returns where the key ends and its value starts.
#[inline]
pub(crate) fn scan_key(text: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    if text.get(at) != Some(&b'"') {
        return Err(Fault { at, expected: "a key in quotes" });
    }
    let end = string_end(text, at).ok_or(Fault { at: text.len(), expected: "the closing quote" })?;
    let colon = skip_blanks(text, end);
    if text.get(colon) != Some(&b':') {
        return Err(Fault { at: colon, expected: "`:`" });
    }
    Ok((end, skip_blanks(text, colon + 1)))
}

fn literal(text: &[u8], at: usize, word: &'static [u8]) -> Result<usize, Fault> {
    if text[at..].starts_with(word) {
        return Ok(at + word.len());
    }
    if word.starts_with(&text[at..]) {
        return Err(Fault { at: text.len(), expected: "`true`, `false` or `null`" });
    }
    Err(Fault { at, expected: "`true`, `false` or `null`" })
}

fn number_end(text: &[u8], at: usize) -> Result<usize, Fault> {
    let digits = |mut i: usize| {
        let from = i;
        while matches!(text.get(i), Some(b'0'..=b'9')) {
            i += 1;
        }
        if i == from { Err(Fault { at: i, expected: "a digit" }) } else { Ok(i) }
    };
    let mut end = digits(if text[at] == b'-' { at + 1 } else { at })?;
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Ok(end)
}

/// The stack of open brackets, one bit each: 1 for an object. The first 64 levels need no memory.
#[derive(Default)]
struct Nesting {
    depth: usize,
    word: u64,
    full: Vec<u64>,
}

impl Nesting {
    fn push(&mut self, object: bool) -> Result<(), &'static str> {
        if self.depth == DEPTH_MAX {
            return Err("fewer levels of nesting");
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.full.push(self.word);
        }
        self.word = (self.word << 1) | u64::from(object);
        self.depth += 1;
        Ok(())
    }

    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.word & 1 == 1)
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.word >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.word = self.full.pop().unwrap_or(0);
        }
    }
}

/// Decodes the escapes of a string's inner bytes. Lone surrogates and invalid UTF-8 become U+FFFD; an unknown
/// escape stands for itself.
fn unescape(inner: &[u8]) -> String {
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(step) = memchr::memchr(b'\\', &inner[at..]) {
        out.extend_from_slice(&inner[at..at + step]);
        at += step + 1;
        let Some(&escape) = inner.get(at) else { break };
        at += 1;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => at += push_unicode(inner, at, &mut out),
            other => out.push(other),
        }
    }
    out.extend_from_slice(&inner[at.min(inner.len())..]);
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(bad) => String::from_utf8_lossy(bad.as_bytes()).into_owned(),
    }
}

/// Appends the character of `\uXXXX` (its digits start at `at`), joining surrogate pairs. Returns bytes consumed.
fn push_unicode(inner: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(high) = hex4(inner, at) else {
        out.extend_from_slice("\u{FFFD}".as_bytes());
        return 0;
    };
    let (scalar, used) = match high {
        0xD800..=0xDBFF if inner.get(at + 4..at + 6) == Some(b"\\u") => match hex4(inner, at + 6) {
            Some(low @ 0xDC00..=0xDFFF) => (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 10),
            _ => (0xFFFD, 4),
        },
        other => (other, 4),
    };
    let character = char::from_u32(scalar).unwrap_or('\u{FFFD}');
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    used
}

fn hex4(inner: &[u8], at: usize) -> Option<u32> {
    let digits = inner.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Appends `text` as a JSON string with the escapes that JSON demands.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Writes one JSON object, member by member.
pub struct Writer {
    out: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An object with no members yet.
    pub fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    /// Adds a string member.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        quote(value, &mut self.out);
        self
    }

    /// Adds a member whose value is already JSON.
    pub fn json(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(value);
        self
    }

    /// Adds `value` if there is one.
    pub fn maybe(&mut self, key: &str, value: Option<Json<'_>>) -> &mut Self {
        match value {
            Some(value) => self.json(key, value.bytes()),
            None => self,
        }
    }

    /// Adds an object member unless it is empty.
    pub fn object(&mut self, key: &str, value: Writer) -> &mut Self {
        if value.out.len() > 1 {
            let bytes = value.finish();
            self.json(key, &bytes);
        }
        self
    }

    /// Closes the object and returns its text.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        quote(key, &mut self.out);
        self.out.push(b':');
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
