//! Text with wildcards, compared without regard to the case of ASCII letters.

use std::fmt;

/// Text with wildcards. `*` stands for any text, `?` for one character.
///
/// There are two ways to ask: [`Pattern::matches`] wants the whole value, [`Pattern::found_in`] wants words
/// anywhere in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

/// One part of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Exactly this, letter case aside; never empty.
    Text(String),
    /// `?`: one character.
    One,
    /// `*`: any text, also none.
    Many,
}

impl Pattern {
    /// Joins neighbouring text and neighbouring `*`, so that equal patterns have equal pieces.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (_, Piece::Text(text)) if text.is_empty() => {}
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (Some(Piece::Many), Piece::Many) => {}
                (_, piece) => joined.push(piece),
            }
        }
        Self { pieces: joined }
    }

    /// A pattern without wildcards.
    pub fn literal(text: impl Into<String>) -> Self {
        Self::new([Piece::Text(text.into())])
    }

    /// A pattern in which every `*` and `?` is a wildcard.
    pub fn with_wildcards(text: &str) -> Self {
        let piece = |c| match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            c => Piece::Text(String::from(c)),
        };
        Self::new(text.chars().map(piece))
    }

    /// The parts in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text, if there are no wildcards. Compare it without regard to ASCII letter case.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is only `*`, which any value matches.
    pub fn is_any(&self) -> bool {
        self.pieces == [Piece::Many]
    }

    /// Whether the whole of `text` is what the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        let mut segments = self.segments();
        let first = segments.next().unwrap_or_default();
        let Some(mut at) = match_at(text, 0, first) else { return false };
        let Some(mut last) = segments.next() else { return at == text.len() };
        for next in segments {
            match occurrences(text, at, last).next() {
                Some((_, end)) => at = end,
                None => return false,
            }
            last = next;
        }
        ends_with(text, at, last)
    }

    /// Whether the pattern stands somewhere in `text`, beginning and ending at the edge of a word unless it
    /// begins or ends with `*`.
    pub fn found_in(&self, text: &str) -> bool {
        let mut segments = self.segments();
        let first = segments.next().unwrap_or_default();
        let starts = |start: usize| !begins_in_word(first) || at_word_edge(text, start);
        let Some(mut last) = segments.next() else {
            return occurrences(text, 0, first).any(|(start, end)| starts(start) && ends(text, end, first));
        };
        // The leftmost way to match a segment leaves the most room for the next.
        let Some((_, mut at)) = occurrences(text, 0, first).find(|(start, _)| starts(*start)) else { return false };
        for next in segments {
            match occurrences(text, at, last).next() {
                Some((_, end)) => at = end,
                None => return false,
            }
            last = next;
        }
        occurrences(text, at, last).any(|(_, end)| ends(text, end, last))
    }

    /// Words (see [`crate::words`]) that stand whole in every text that the pattern fits, in lower case. What a
    /// filter over words may be asked.
    pub fn sure_words(&self) -> Vec<String> {
        let mut sure = Vec::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            let Piece::Text(text) = piece else { continue };
            let open_left = i > 0;
            let open_right = i + 1 < self.pieces.len();
            for word in crate::words(text) {
                let start = word.as_ptr() as usize - text.as_ptr() as usize;
                let cut_left = open_left && start == 0;
                let cut_right = open_right && start + word.len() == text.len();
                if !cut_left && !cut_right {
                    sure.push(word.to_ascii_lowercase());
                }
            }
        }
        sure
    }

    /// Runs of pieces between `*`; at least one, possibly empty.
    fn segments(&self) -> impl Iterator<Item = &[Piece]> {
        self.pieces.split(|piece| *piece == Piece::Many)
    }
}

/// Whether `byte` belongs to a word: ASCII letters and digits, `_`, and everything beyond ASCII.
pub(crate) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn at_word_edge(text: &str, at: usize) -> bool {
    at == 0 || !is_word_byte(text.as_bytes()[at - 1])
}

fn ends(text: &str, end: usize, segment: &[Piece]) -> bool {
    let in_word = match segment.last() {
        Some(Piece::Text(piece)) => piece.bytes().next_back().is_some_and(is_word_byte),
        Some(Piece::One) => true,
        Some(Piece::Many) | None => false,
    };
    !in_word || text.as_bytes().get(end).is_none_or(|byte| !is_word_byte(*byte))
}

fn begins_in_word(segment: &[Piece]) -> bool {
    match segment.first() {
        Some(Piece::Text(piece)) => piece.bytes().next().is_some_and(is_word_byte),
        Some(Piece::One) => true,
        Some(Piece::Many) | None => false,
    }
}

/// End of `segment` if it stands in `text` at `at`.
fn match_at(text: &str, mut at: usize, segment: &[Piece]) -> Option<usize> {
    for piece in segment {
        match piece {
            Piece::Text(wanted) => {
                let end = at + wanted.len();
                if !text.as_bytes().get(at..end)?.eq_ignore_ascii_case(wanted.as_bytes()) {
                    return None;
                }
                at = end;
            }
            Piece::One => at += text.get(at..)?.chars().next()?.len_utf8(),
            Piece::Many => {}
        }
    }
    Some(at)
}

/// Where `segment` stands in `text` from `from` on: starts and ends.
fn occurrences<'t>(text: &'t str, from: usize, segment: &'t [Piece]) -> impl Iterator<Item = (usize, usize)> + 't {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        while let Some(start) = next.and_then(|at| candidate(text, at, segment)) {
            next = text[start..].chars().next().map(|c| start + c.len_utf8());
            if let Some(end) = match_at(text, start, segment) {
                return Some((start, end));
            }
        }
        next = None;
        None
    })
}

/// The next place from `at` on where `segment` could start.
fn candidate(text: &str, at: usize, segment: &[Piece]) -> Option<usize> {
    let Some(first) = segment.first().and_then(|piece| match piece {
        Piece::Text(wanted) => wanted.bytes().next(),
        _ => None,
    }) else {
        return (at <= text.len()).then_some(at);
    };
    let rest = text.as_bytes().get(at..)?;
    memchr::memchr2(first.to_ascii_lowercase(), first.to_ascii_uppercase(), rest).map(|step| at + step)
}

/// Whether `segment` is the end of `text`, beginning no earlier than `at`.
fn ends_with(text: &str, at: usize, segment: &[Piece]) -> bool {
    let length: usize =
        segment.iter().map(|piece| if let Piece::Text(text) = piece { text.chars().count() } else { 1 }).sum();
    let Some(before) = length.checked_sub(1) else { return true };
    let Some((start, _)) = text[at..].char_indices().nth_back(before) else { return false };
    match_at(text, at + start, segment) == Some(text.len())
}

impl fmt::Display for Pattern {
    /// Writes the pattern so that it can be read again: bare where that is safe, else in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.is_bare();
        let quote = if bare { "" } else { "\"" };
        f.write_str(quote)?;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => write_escaped(f, text)?,
                Piece::One => f.write_str("?")?,
                Piece::Many => f.write_str("*")?,
            }
        }
        f.write_str(quote)
    }
}

impl Pattern {
    fn is_bare(&self) -> bool {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b':' | b'.' | b'@');
        let first = match self.pieces.first() {
            Some(Piece::Text(text)) => text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()),
            Some(_) => true,
            None => false,
        };
        first
            && self.pieces.iter().all(|piece| {
                if let Piece::Text(text) = piece { text.bytes().all(safe) && !text.contains("..") } else { true }
            })
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '"' | '\\') {
            f.write_str("\\")?;
        }
        fmt::Write::write_char(f, c)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_values() {
        for (pattern, text, wanted) in [
            ("alice", "Alice", true),
            ("alice", "alice2", false),
            ("system:*", "system:node:a", true),
            ("system:*:a", "system:node:a", true),
            ("*a", "aaa", true),
            ("a*a", "a", false),
            ("?", "é", true),
            ("*?", "", false),
            ("a?c*", "aéc", true),
            ("*ab?", "xabab!", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::with_wildcards(pattern).matches(text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn words_inside_values() {
        for (pattern, text, wanted) in [
            ("monero", "docker.io/Monero:latest", true),
            ("monero", "moneroo monero", true),
            ("monero", "xmonero", false),
            ("*monero", "xmonero", true),
            ("mon*", "a monero", true),
            ("mon*", "lemon", false),
            ("/etc/shadow", "cat /etc/shadow", true),
            ("/etc", "x/etc", true),
            ("a*z", "a b zz z", true),
            ("a*z", "a b zzx", false),
            ("m?nero", "m0nero", true),
            ("kubectl get", "kubectl get pods", true),
            ("é", "aé", false),
        ] {
            assert_eq!(Pattern::with_wildcards(pattern).found_in(text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn sure_words_are_whole() {
        for (pattern, wanted) in [
            ("Docker.io/mon*", vec!["docker", "io"]),
            ("*ab cd*", vec![]),
            ("*a b c*", vec!["b"]),
            ("?", vec![]),
            ("x_1", vec!["x_1"]),
        ] {
            assert_eq!(Pattern::with_wildcards(pattern).sure_words(), wanted, "{pattern}");
        }
    }

    /// By recursion on both texts, as the meaning of a wildcard is taught.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some(('*', rest)), _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            (Some(('?', rest)), Some((_, after))) => naive(rest, after),
            (Some((c, rest)), Some((d, after))) => c.eq_ignore_ascii_case(d) && naive(rest, after),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_the_naive_matching(pattern in "[abA é*?]{0,8}", text in "[abB é]{0,12}") {
            let chars: (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Pattern::with_wildcards(&pattern).matches(&text), naive(&chars.0, &chars.1));
        }

        #[test]
        fn found_texts_hold_the_sure_words(pattern in "[abc _é*?-]{0,8}", text in "[abc _é-]{0,16}") {
            let pattern = Pattern::with_wildcards(&pattern);
            if pattern.found_in(&text) {
                let words: Vec<String> = crate::words(&text).map(str::to_ascii_lowercase).collect();
                for word in pattern.sure_words() {
                    prop_assert!(words.contains(&word), "{} not in {:?}", word, words);
                }
            }
        }
    }
}
