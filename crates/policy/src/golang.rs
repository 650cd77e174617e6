//! Texts as Go's standard library prints them: the server's messages are made of these.

use std::fmt::Write as _;

/// `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_quoted(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// How Go's JSON errors show a byte of the input.
pub(crate) fn quote_byte(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let mut out = "'".to_owned();
            push_quoted(&mut out, char::from(byte), '"');
            out.push('\'');
            out
        }
    }
}

fn push_quoted(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str(r"\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        '\x07' => out.push_str(r"\a"),
        '\x08' => out.push_str(r"\b"),
        '\x0C' => out.push_str(r"\f"),
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        '\x0B' => out.push_str(r"\v"),
        c if is_printable(c) => out.push(c),
        // Writing to a string cannot fail.
        c if u32::from(c) < 0x80 => _ = write!(out, r"\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x10000 => _ = write!(out, r"\u{:04x}", u32::from(c)),
        c => _ = write!(out, r"\U{:08x}", u32::from(c)),
    }
}

/// `strconv.IsPrint` for what a policy may hold: letters, marks, numbers, punctuation, symbols and the blank.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    if c.is_control() || (c.is_whitespace()) {
        return false;
    }
    // Rust's own debug form escapes what is not printable, by the same Unicode categories; grapheme
    // extenders are the exception, and those Go prints.
    let mut escaped = c.escape_debug();
    escaped.next() != Some('\\') || is_mark(c)
}

/// Combining marks: printable to Go, escaped by Rust.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c),
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F | 0x900..=0x903
        | 0x93A..=0x94F | 0xE31 | 0xE34..=0xE3A | 0xE47..=0xE4E | 0x1AB0..=0x1ACE | 0x1DC0..=0x1DFF
        | 0x20D0..=0x20F0 | 0x302A..=0x302F | 0x3099 | 0x309A | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F
        | 0xE0100..=0xE01EF)
}

/// A string as `encoding/json` writes it, `<`, `>` and `&` escaped.
pub(crate) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_json_string(&mut out, text);
    out
}

pub(crate) fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0C' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1F' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A list of strings as compact JSON.
pub(crate) fn json_list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|s| json_string(s)).collect();
    format!("[{}]", items.join(","))
}

/// Shortest decimal digits and the exponent of the first one.
fn shortest(scientific: &str) -> (bool, String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let negative = mantissa.starts_with('-');
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    (negative, digits, exponent.parse().unwrap_or(0))
}

fn with_exponent(negative: bool, digits: &str, exponent: i32, pad: usize) -> String {
    let sign = if negative { "-" } else { "" };
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{exponent_sign}{:0pad$}", exponent.abs())
}

fn positional(negative: bool, digits: &str, exponent: i32) -> String {
    let sign = if negative { "-" } else { "" };
    let point = exponent + 1;
    let Ok(point_at) = usize::try_from(point) else {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    };
    if point_at == 0 {
        format!("{sign}0.{digits}")
    } else if point_at >= digits.len() {
        format!("{sign}{digits}{}", "0".repeat(point_at - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..point_at], &digits[point_at..])
    }
}

/// A finite number as `encoding/json` writes it.
pub(crate) fn json_float(value: f64) -> String {
    let (negative, digits, exponent) = shortest(&format!("{value:e}"));
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        return with_exponent(negative, &digits, exponent, 1);
    }
    positional(negative, &digits, exponent)
}

/// `%g` with the shortest digits that read back as the same 32-bit float.
pub(crate) fn float32(value: f64) -> String {
    general(value, &format!("{:e}", value as f32))
}

/// `%g` with the shortest digits that read back as the same 64-bit float.
pub(crate) fn float64(value: f64) -> String {
    general(value, &format!("{value:e}"))
}

fn general(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if scientific.contains("inf") {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let (negative, digits, exponent) = shortest(scientific);
    // The library decides as if six digits had been asked for.
    const PRECISION: i32 = 6;
    if !(-4..PRECISION).contains(&exponent) {
        return with_exponent(negative, &digits, exponent, 2);
    }
    positional(negative, &digits, exponent)
}
