//! The scanner: checks syntax once, byte by byte; or only looks for the end of what was checked before.

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

/// Offset of the first byte at or after `at` that is no JSON blank.
pub(crate) fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

pub(super) fn skip_separators(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')) {
        at += 1;
    }
    at
}

/// End of the value that starts at `at`, in text that was scanned before: only brackets and quotes are looked at.
pub(super) fn skip_known(text: &[u8], at: usize) -> usize {
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
