//! The escapes of strings, read and written.

/// Decodes the escapes of a string's inner bytes. Lone surrogates and invalid UTF-8 become U+FFFD; an unknown
/// escape stands for itself.
pub(super) fn unescape(inner: &[u8]) -> String {
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
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..=0x1F | b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
