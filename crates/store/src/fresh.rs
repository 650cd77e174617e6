//! What of a JSON text is new beside another one: neighbours in a segment mostly differ in a few ids and times.

use std::ops::Range;

/// Bytes that are compared at once.
const STEP: usize = 32;

/// Bytes that are part of no word, nor of an escape that stands between words.
const IS_BORDER: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = !is_in_word(byte as u8) && !matches!(byte as u8, b'\\' | b'"' | b'/');
        byte += 1;
    }
    table
};

/// Whether a byte is part of a word, as [`query::words`] has it.
pub(crate) const fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Calls `each` with parts of `text` that together have every word that `other` lacks. Neither has an escape that stands for
/// a part of a word.
pub(crate) fn each_fresh(text: &[u8], other: &[u8], mut each: impl FnMut(&[u8])) {
    let (mut fresh, mut at) = (0, 0);
    while at < text.len() && !other.is_empty() {
        let Some(shared) = shared_at(text, other, fresh, at) else {
            at += STEP;
            continue;
        };
        at = shared.end;
        let known = between_borders(text, shared);
        if known.start < known.end {
            each(&text[fresh..known.start]);
            fresh = known.end;
        }
    }
    each(&text[fresh..]);
}

/// What stands around `at`, but not before `fresh`, and stands in `other` as far from its beginning or from its end.
/// Nothing if that is short.
fn shared_at(text: &[u8], other: &[u8], fresh: usize, at: usize) -> Option<Range<usize>> {
    let from_end = (at + other.len()).checked_sub(text.len());
    [Some(at), from_end].into_iter().flatten().find_map(|there| {
        let length = common_start(&text[at..], other.get(there..)?);
        let before = if length < STEP { 0 } else { common_end(&text[fresh..at], &other[..there]) };
        let is_whole_end = at + length == text.len() && there + length == other.len();
        (length >= STEP || length > 0 && is_whole_end).then(|| at - before..at + length)
    })
}

/// From the first border in a part of `text` to the last: the words between them are whole.
fn between_borders(text: &[u8], part: Range<usize>) -> Range<usize> {
    let is_border = |byte: &u8| IS_BORDER[usize::from(*byte)];
    let first = text[part.clone()].iter().position(is_border).map_or(part.end, |at| part.start + at);
    let last = text[part.clone()].iter().rposition(is_border).map_or(part.start, |at| part.start + at);
    first..last
}

/// How many bytes are equal at the beginnings.
fn common_start(a: &[u8], b: &[u8]) -> usize {
    let (steps_a, steps_b) = (a.as_chunks::<STEP>().0, b.as_chunks::<STEP>().0);
    let at = steps_a.iter().zip(steps_b).take_while(|(a, b)| a == b).count() * STEP;
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes are equal at the ends.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let (steps_a, steps_b) = (a.as_rchunks::<STEP>().1, b.as_rchunks::<STEP>().1);
    let at = steps_a.iter().rev().zip(steps_b.iter().rev()).take_while(|(a, b)| a == b).count() * STEP;
    let (rest_a, rest_b) = (&a[..a.len() - at], &b[..b.len() - at]);
    at + rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &[u8]) -> Vec<&[u8]> {
        text.split(|byte| !is_in_word(*byte)).filter(|word| !word.is_empty()).collect()
    }

    proptest! {
        #[test]
        fn what_is_common_is_measured(
            (start, a, b, end) in ("[ab]{0,70}", "[ab]{0,40}", "[ab]{0,40}", "[ab]{0,70}"),
        ) {
            let (a, b) = (format!("{start}{a}{end}").into_bytes(), format!("{start}{b}{end}").into_bytes());
            prop_assert_eq!(common_start(&a, &b), a.iter().zip(&b).take_while(|(a, b)| a == b).count());
            prop_assert_eq!(common_end(&a, &b), a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count());
        }

        #[test]
        fn every_new_word_is_in_a_fresh_part(
            parts in prop::collection::vec(("[ab,{} ]{0,80}", "[ab,]{0,4}", "[ab,]{0,4}"), 0..6),
        ) {
            let text = |of: fn(&(String, String, String)) -> [&str; 2]| {
                parts.iter().flat_map(of).collect::<String>().into_bytes()
            };
            let mine = text(|(same, mine, _)| [same, mine]);
            let other = text(|(same, _, other)| [same, other]);
            let (mut known, mut at) = (words(&other), 0);
            each_fresh(&mine, &other, |part| {
                let start = part.as_ptr() as usize - mine.as_ptr() as usize;
                assert!(start >= at, "parts come in order");
                at = start + part.len();
                known.extend(words(&mine[start..at]));
            });
            prop_assert!(words(&mine).iter().all(|word| known.contains(word)));
        }
    }

    #[test]
    fn neighbours_share_all_but_what_differs() {
        let body = |id: &str, note: &str| {
            format!(
                r#"{{"metadata":{{"name":"web-server-of-the-shop","uid":"{id}","namespace":"web"}},"note":"{note}"}}"#
            )
        };
        let mut fresh = Vec::new();
        let (a, b) = (body("aaaa-bbbb", "quite the same"), body("cccc-dddd", "quite the same"));
        each_fresh(a.as_bytes(), b.as_bytes(), |part| fresh.push(String::from_utf8_lossy(part).into_owned()));
        fresh.retain(|part| !part.is_empty());
        expect_test::expect![[r#"
            [
                ":\"aaaa-bbbb\",\"namespace\":\"web\"},\"note\"",
                "}",
            ]
        "#]]
        .assert_debug_eq(&fresh);
    }
}
