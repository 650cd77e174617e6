//! Sigma strings: wildcards, escapes, placeholders, and the modifiers that rewrite them.

use base64::Engine;

use crate::condition::Piece;

/// Splits a Sigma string at its wildcards. `\*`, `\?` and `\\` before a wildcard are escapes; any other backslash is
/// itself.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let wild = match character {
            '\\' if matches!(characters.peek(), Some('*' | '?' | '\\')) => {
                literal.extend(characters.next());
                continue;
            }
            '*' => Piece::Many,
            '?' => Piece::One,
            other => {
                literal.push(other);
                continue;
            }
        };
        pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        pieces.push(wild);
    }
    pieces.push(Piece::Literal(literal.into()));
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    pieces
}

/// The text of pieces that hold no wildcard.
pub(super) fn literal(pieces: &[Piece]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

/// UTF-16 in the byte order that a modifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf16 {
    Little,
    Big,
    /// Little-endian with a byte order mark before it.
    Marked,
}

pub(super) fn utf16(text: &str, order: Utf16) -> Vec<u8> {
    let mark: &[u8] = if order == Utf16::Marked { &[0xff, 0xfe] } else { &[] };
    let unit = |unit: u16| if order == Utf16::Big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The three texts one of which stands in the base64 of anything that holds `bytes`.
pub(super) fn base64_offsets(bytes: &[u8]) -> [String; 3] {
    [0usize, 1, 2].map(|offset| {
        let padded: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
        let encoded = base64(&padded);
        // Characters that also hold bits of what stands before or after are left out.
        let start = [0, 2, 3][offset];
        let end = encoded.len() - [0, 3, 2][padded.len() % 3];
        encoded.get(start..end).unwrap_or_default().to_owned()
    })
}

/// `text` with the dash that starts an option in every form that Windows takes for one.
pub(super) fn windash(text: &str) -> Vec<String> {
    const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
    let starts_option =
        |at: usize, c: char| matches!(c, '-' | '/') && text[..at].chars().next_back().is_none_or(char::is_whitespace);
    let Some((at, dash)) = text.char_indices().find(|(at, c)| starts_option(*at, *c)) else {
        return vec![text.to_owned()];
    };
    DASHES.iter().map(|other| format!("{}{other}{}", &text[..at], &text[at + dash.len_utf8()..])).collect()
}

/// `text` with every `%name%` replaced by each of its values; `Err` names one that has none.
pub(super) fn expand(text: &str, placeholders: &super::Placeholders) -> Result<Vec<String>, String> {
    /// Most values that one string may become.
    const EXPANDED_MAX: usize = 10_000;
    let Some((before, rest)) = text.split_once('%') else { return Ok(vec![text.to_owned()]) };
    let Some((name, after)) = rest.split_once('%').filter(|(name, _)| is_name(name)) else {
        return Ok(vec![text.to_owned()]);
    };
    let values = placeholders.get(name).filter(|values| !values.is_empty()).ok_or_else(|| name.to_owned())?;
    let tails = expand(after, placeholders)?;
    let each = values.iter().flat_map(|value| tails.iter().map(move |tail| format!("{before}{value}{tail}")));
    Ok(each.take(EXPANDED_MAX).collect())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Pattern;

    #[test]
    fn escapes_and_wildcards() {
        let text = |t: &str| Piece::Literal(t.into());
        for (written, want) in [
            ("plain", Pattern::Exact("plain".into())),
            ("a*", Pattern::Prefix("a".into())),
            ("*a", Pattern::Suffix("a".into())),
            ("*a*", Pattern::Contains("a".into())),
            (r"\*", Pattern::Exact("*".into())),
            (r"\?a", Pattern::Exact("?a".into())),
            (r"\\*", Pattern::Prefix(r"\".into())),
            (r"C:\Windows\x", Pattern::Exact(r"C:\Windows\x".into())),
            ("a?c", Pattern::Wild([text("a"), Piece::One, text("c")].into())),
            ("", Pattern::Exact("".into())),
        ] {
            assert_eq!(Pattern::of(pieces(written)), want, "{written}");
        }
    }

    #[test]
    fn base64_stands_at_three_offsets() {
        let needles = base64_offsets(b"/bin/sh");
        for (before, needle) in ["", "a", "ab"].iter().zip(&needles) {
            for after in ["", "x", "xy"] {
                let whole = base64(format!("{before}/bin/sh{after}").as_bytes());
                assert!(whole.contains(needle.as_str()), "{whole} {needle}");
            }
        }
    }

    #[test]
    fn dashes_and_placeholders() {
        assert_eq!(windash("curl -o x").len(), 5);
        assert_eq!(windash("a-b"), ["a-b"]);
        let known = [("who".to_owned(), vec!["a".to_owned(), "b".to_owned()])].into();
        assert_eq!(expand("x%who%y", &known).unwrap(), ["xay", "xby"]);
        assert_eq!(expand("x%what%y", &known).unwrap_err(), "what");
        assert_eq!(expand("100%", &known).unwrap(), ["100%"]);
    }
}
