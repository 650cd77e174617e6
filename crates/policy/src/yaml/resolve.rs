//! What a plain scalar is in YAML 1.1: a boolean, a number, nothing, or text.

use super::SyntaxError;
use super::value::decode_base64;

/// A scalar with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
}

const PREFIX: &str = "tag:yaml.org,2002:";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Core {
    Untagged,
    Str,
    Bool,
    Int,
    Float,
    Null,
    Timestamp,
}

fn core_tag(tag: &str) -> Option<Core> {
    if tag.is_empty() {
        return Some(Core::Untagged);
    }
    match tag.strip_prefix(PREFIX)? {
        "str" => Some(Core::Str),
        "bool" => Some(Core::Bool),
        "int" => Some(Core::Int),
        "float" => Some(Core::Float),
        "null" => Some(Core::Null),
        "timestamp" => Some(Core::Timestamp),
        _ => None,
    }
}

/// Resolves a scalar. `implicit` says that it was plain; a quoted scalar without tag is always text.
pub(crate) fn resolve(value: &str, tag: &str, implicit: bool) -> Result<Resolved, SyntaxError> {
    if tag.is_empty() && !implicit {
        return Ok(Resolved::Text(value.to_owned()));
    }
    let Some(wanted) = core_tag(tag) else {
        if tag.strip_prefix(PREFIX) == Some("binary") {
            return decode_base64(value)
                .map(Resolved::Text)
                .ok_or_else(|| SyntaxError::decoder("!!binary value contains invalid base64 data"));
        }
        return Ok(Resolved::Text(value.to_owned()));
    };
    if wanted == Core::Str {
        return Ok(Resolved::Text(value.to_owned()));
    }
    let found = if wanted == Core::Timestamp && is_timestamp(value) {
        return Ok(Resolved::Text(value.to_owned()));
    } else {
        plain(value)
    };
    match (wanted, &found) {
        (Core::Untagged, _)
        | (Core::Bool, Resolved::Bool(_))
        | (Core::Int, Resolved::Int(_) | Resolved::Uint(_))
        | (Core::Float, Resolved::Float(_))
        | (Core::Null, Resolved::Null) => Ok(found),
        (Core::Float, Resolved::Int(n)) => Ok(Resolved::Float(*n as f64)),
        _ => {
            let wanted = tag.strip_prefix(PREFIX).unwrap_or(tag);
            let found = name(&found);
            Err(SyntaxError::decoder(format!("cannot decode !!{found} `{value}` as a !!{wanted}")))
        }
    }
}

fn name(resolved: &Resolved) -> &'static str {
    match resolved {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) | Resolved::Uint(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Text(_) => "str",
    }
}

/// The type of an untagged plain scalar.
pub(crate) fn plain(value: &str) -> Resolved {
    if let Some(word) = word(value) {
        return word;
    }
    match value.bytes().next() {
        Some(b'.') => float(value).map(Resolved::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(&value.replace('_', "")),
        _ => None,
    }
    .unwrap_or_else(|| Resolved::Text(value.to_owned()))
}

/// Whether a plain scalar stays text.
pub(crate) fn plain_is_text(value: &str) -> bool {
    matches!(plain(value), Resolved::Text(_))
}

fn word(value: &str) -> Option<Resolved> {
    Some(match value {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(digits: &str) -> Option<Resolved> {
    let (negative, magnitude) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let signed = magnitude.len() != digits.len();
    if let Some(n) = integer(magnitude) {
        if let Some(n) = to_i64(n, negative) {
            return Some(Resolved::Int(n));
        }
        if !signed {
            return Some(Resolved::Uint(n));
        }
    }
    if let Some(f) = float(digits) {
        return Some(Resolved::Float(f));
    }
    // The library strips `0b` once more and lets a sign follow it.
    let odd = digits.strip_prefix("0b")?;
    i64::from_str_radix(odd, 2).ok().map(Resolved::Int)
}

fn to_i64(magnitude: u64, negative: bool) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Digits in the base that their prefix names; a leading zero means octal.
fn integer(text: &str) -> Option<u64> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (digits, radix) = match lower.as_deref() {
        Some("0x") => (&text[2..], 16),
        Some("0b") => (&text[2..], 2),
        Some("0o") => (&text[2..], 8),
        Some(_) if text.starts_with('0') => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A decimal float; one too large to represent is text.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
        !digits.is_empty() && all_digits(digits)
    });
    if !well_formed || !exponent_ok {
        return None;
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite())
}

/// A date, or a date and a time: `2006-1-2`, `2006-1-2T15:4:5Z`, `2006-1-2 15:4:5.9`.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    is_date(date)
        && time.is_none_or(|(separator, time)| {
            let (clock, zoned) = match time.find(['Z', '+', '-']) {
                Some(at) => (&time[..at], true),
                None => (time, false),
            };
            is_clock(clock) && zoned != (separator == " ")
        })
}

fn is_date(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let in_range = |s: &str, max: u8| s.len() <= 2 && s.parse::<u8>().is_ok_and(|n| (1..=max).contains(&n));
    year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && in_range(month, 12) && in_range(day, 31)
}

fn is_clock(clock: &str) -> bool {
    let whole = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let parts: Vec<&str> = whole.split(':').collect();
    parts.len() == 3 && parts.iter().all(|p| p.len() <= 2 && p.parse::<u8>().is_ok_and(|n| n < 60))
}
