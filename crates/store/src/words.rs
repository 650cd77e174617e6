//! Which pages of a body column hold which words, so that a search for words reads few of them.
//!
//! Words are those of [`query::words`]: of the decoded strings, in lower case. The index may know words that no string
//! has, such as keys; it never misses one that a string has.

use std::hash::BuildHasher;

use audit::Json;
use hashbrown::{DefaultHashBuilder, HashTable};
use memchr::memmem::Finder;
use query::{Pattern, Piece, Scalars};

use crate::fresh::{each_fresh, is_in_word};
use crate::pages::{put_varint, take_varint};
use crate::values::Strings;

/// Longest word that is kept whole; of a longer one this much is.
const WORD_BYTES_MAX: usize = 64;
/// Bytes of all words of one index; pages with further words are always read.
const INDEX_BYTES_MAX: usize = 16 << 20;

/// A word of a pattern, as every text that fits has it.
#[derive(Debug)]
struct Token {
    text: Vec<u8>,
    /// Whether the word may go on before it, and behind it.
    open_left: bool,
    open_right: bool,
}

/// The words that a text must have for a pattern to be found in it.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    pub(crate) fn of(pattern: &Pattern) -> Self {
        let pieces = pattern.pieces();
        let mut tokens = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let Piece::Text(text) = piece else { continue };
            for word in query::words(text) {
                let start = word.as_ptr() as usize - text.as_ptr() as usize;
                tokens.push(Token {
                    text: word.to_ascii_lowercase().into_bytes(),
                    open_left: at > 0 && start == 0,
                    open_right: at + 1 < pieces.len() && start + word.len() == text.len(),
                });
            }
        }
        Self(tokens)
    }

    /// Whether a pattern has no words, so that any text may fit.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The pages of a chunk and the words that they hold.
#[derive(Debug)]
pub(crate) struct WordIndex {
    pages: usize,
    /// In order.
    words: Strings,
    /// Pages that hold each word, those of the first word first; and where the pages of each word end among them.
    places: Vec<u32>,
    ends: Vec<u32>,
    /// Pages with words of which only the beginning is kept.
    long: Vec<u32>,
    /// Pages with words that are not kept.
    open: Vec<u32>,
}

impl WordIndex {
    /// Memory that it takes, about.
    pub(crate) fn memory(&self) -> usize {
        self.words.memory() + (self.places.len() + self.ends.len()) * size_of::<u32>()
    }

    /// For each page, whether it may hold a text with all the words.
    pub(crate) fn pages_with(&self, tokens: &Tokens) -> Vec<bool> {
        let mut may = vec![true; self.pages];
        for token in &tokens.0 {
            let mut has = vec![false; self.pages];
            let mut note = |pages: &[u32]| pages.iter().for_each(|page| has[*page as usize] = true);
            note(&self.open);
            if token.open_left {
                note(&self.long);
            }
            self.each_word_with(token, |word| note(self.pages_of(word)));
            may.iter_mut().zip(has).for_each(|(may, has)| *may &= has);
        }
        may
    }

    fn each_word_with(&self, token: &Token, mut each: impl FnMut(usize)) {
        let text = &token.text[..token.text.len().min(WORD_BYTES_MAX)];
        if !token.open_left && !token.open_right {
            return self.position(text).into_iter().for_each(each);
        }
        let (data, finder) = (self.words.data(), Finder::new(text));
        let mut from = 0;
        while let Some(step) = finder.find(&data[from..]) {
            let start = from + step;
            from = start + 1; // hits may overlap, of which only one stands right
            let Some(word) = self.words.at_byte(start) else { return };
            let place = self.words.place(word);
            let begins = token.open_left || start == place.start;
            let ends = token.open_right || start + text.len() == place.end;
            if begins && ends && start + text.len() <= place.end {
                each(word);
            }
        }
    }

    fn position(&self, word: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.words.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.words.get(middle).cmp(word) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn pages_of(&self, word: usize) -> &[u32] {
        let start = word.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.places[start..self.ends[word] as usize]
    }

    /// Reads what [`WordIndexBuilder::finish`] wrote; nothing if the bytes are something else.
    pub(crate) fn read(mut bytes: &[u8], pages: usize) -> Option<Self> {
        let bytes = &mut bytes;
        let count = take_count(bytes)?;
        let mut words = Strings::with_capacity(count, bytes.len() / 2);
        for _ in 0..count {
            let length = take_count(bytes)?;
            let (word, rest) = bytes.split_at_checked(length)?;
            words.push(word);
            *bytes = rest;
        }
        let (mut places, mut ends) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            take_pages(bytes, pages, &mut places)?;
            ends.push(u32::try_from(places.len()).ok()?);
        }
        let (mut long, mut open) = (Vec::new(), Vec::new());
        take_pages(bytes, pages, &mut long)?;
        take_pages(bytes, pages, &mut open)?;
        Some(Self { pages, words, places, ends, long, open })
    }
}

/// A number of things of which each takes a byte or more.
fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_varint(bytes)?).ok().filter(|count| *count <= bytes.len())
}

fn take_pages(bytes: &mut &[u8], pages: usize, out: &mut Vec<u32>) -> Option<()> {
    let mut page = 0u32;
    for _ in 0..take_count(bytes)? {
        page = page.checked_add(u32::try_from(take_varint(bytes)?).ok()?).filter(|page| (*page as usize) < pages)?;
        out.push(page);
    }
    Some(())
}

fn put_pages(pages: &[u32], out: &mut Vec<u8>) {
    put_varint(pages.len() as u64, out);
    let mut last = 0;
    for page in pages {
        put_varint(u64::from(page - last), out);
        last = *page;
    }
}

/// Collects the words of a chunk, page by page.
#[derive(Default)]
pub(crate) struct WordIndexBuilder {
    words: Strings,
    places: Vec<Vec<u32>>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Hashes of words that the open page is known to hold; most words come again and again.
    recent: Vec<u64>,
    page: u32,
    long: Vec<u32>,
    open: Vec<u32>,
}

/// Hashes that are remembered of a page; a power of two.
const RECENT: usize = 8192;

impl WordIndexBuilder {
    /// Takes the bodies of the next page.
    pub(crate) fn add_page<'a>(&mut self, bodies: impl Iterator<Item = &'a [u8]>) {
        self.recent.clear();
        self.recent.resize(RECENT, 0);
        let mut last: &[u8] = &[];
        for body in bodies.filter(|body| !body.is_empty()) {
            // Like stands by like: what a body shares with the one before it has been noted.
            let plain = is_plain(body);
            let note = &mut |word: &[u8]| {
                // The hash has a random seed: nobody can make two words that are taken for one.
                let hash = self.hasher.hash_one(word);
                let slot = &mut self.recent[hash as usize % RECENT];
                if *slot != hash {
                    *slot = hash;
                    self.add(word);
                }
            };
            each_fresh(body, if plain { last } else { &[] }, |part| each_word(part, note));
            last = if plain { body } else { &[] };
        }
        self.page += 1;
    }

    fn add(&mut self, word: &[u8]) {
        if word.len() > WORD_BYTES_MAX {
            note(&mut self.long, self.page);
        }
        let word = &word[..word.len().min(WORD_BYTES_MAX)];
        let Self { words, places, table, hasher, page, open, .. } = self;
        let hash = hasher.hash_one(word);
        let found = table.find(hash, |known| words.get(*known as usize) == word).copied();
        let known = match found {
            Some(known) => known as usize,
            None if words.bytes() + word.len() > INDEX_BYTES_MAX => return note(open, *page),
            None => {
                words.push(word);
                places.push(Vec::new());
                let new = places.len() as u32 - 1;
                table.insert_unique(hash, new, |known| hasher.hash_one(words.get(*known as usize)));
                new as usize
            }
        };
        note(&mut places[known], *page);
    }

    /// The index, to be read with [`WordIndex::read`]: the words in order, then the pages of each, then those with long
    /// words and those with words that were too many.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        order.sort_unstable_by_key(|word| self.words.get(*word as usize));
        let mut out = Vec::with_capacity(self.words.bytes() + 4 * order.len());
        put_varint(order.len() as u64, &mut out);
        for word in &order {
            let word = self.words.get(*word as usize);
            put_varint(word.len() as u64, &mut out);
            out.extend_from_slice(word);
        }
        order.iter().for_each(|word| put_pages(&self.places[*word as usize], &mut out));
        put_pages(&self.long, &mut out);
        put_pages(&self.open, &mut out);
        out
    }
}

/// Adds a page to a list that grows.
fn note(pages: &mut Vec<u32>, page: u32) {
    if pages.last() != Some(&page) {
        pages.push(page);
    }
}

/// Whether a byte is part of a word, as [`query::words`] has it.
const IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_in_word(byte as u8);
        byte += 1;
    }
    table
};

/// Whether every escape of a JSON text stands between words.
fn is_plain(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (length, is_gap) = escape(&rest[at..]);
        if !is_gap {
            return false;
        }
        rest = rest.get(at + length..).unwrap_or_default();
    }
    true
}

/// Calls `each` with the words of a JSON text in lower case; some may come twice.
fn each_word(json: &[u8], each: &mut impl FnMut(&[u8])) {
    let mut lower = Vec::new();
    let mut is_plain = true;
    let mut at = 0;
    while at < json.len() {
        if IN_WORD[usize::from(json[at])] {
            let length = json[at..].iter().position(|byte| !IN_WORD[usize::from(*byte)]).unwrap_or(json.len() - at);
            each_lower(&json[at..at + length], &mut lower, each);
            at += length;
        } else if json[at] == b'\\' {
            let (length, is_gap) = escape(&json[at..]);
            is_plain &= is_gap;
            at += length;
        } else {
            at += 1;
        }
    }
    if !is_plain {
        let scalars = Scalars::of(Json::checked(json));
        scalars.for_each(|scalar| {
            query::words(&scalar.display()).for_each(|word| each_lower(word.as_bytes(), &mut lower, each));
        });
    }
}

fn each_lower(word: &[u8], lower: &mut Vec<u8>, each: &mut impl FnMut(&[u8])) {
    if !word.iter().any(u8::is_ascii_uppercase) {
        return each(word);
    }
    lower.clear();
    lower.extend(word.iter().map(u8::to_ascii_lowercase));
    each(lower);
}

/// Length of the escape that `json` begins with, and whether it stands between words.
fn escape(json: &[u8]) -> (usize, bool) {
    if json.get(1) != Some(&b'u') {
        return (2, true);
    }
    let digits = json.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
    let code = digits.and_then(|digits| u8::from_str_radix(digits.strip_prefix("00")?, 16).ok());
    (6, code.is_some_and(|code| !IN_WORD[usize::from(code)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(pages: &[Vec<String>]) -> WordIndex {
        let mut builder = WordIndexBuilder::default();
        pages.iter().for_each(|bodies| builder.add_page(bodies.iter().map(String::as_bytes)));
        WordIndex::read(&builder.finish(), pages.len()).unwrap()
    }

    fn holds(body: &str, pattern: &Pattern) -> bool {
        Json::whole(body.as_bytes())
            .is_ok_and(|json| Scalars::of(json).any(|scalar| pattern.found_in(&scalar.display())))
    }

    #[test]
    fn words_lead_to_their_pages() {
        let long = format!(r#"{{"data":"{}end"}}"#, "x".repeat(200));
        let index = index(&[
            vec![r#"{"image":"Docker.io/xmrig/XMRig:6"}"#.to_owned(), "{}".to_owned()],
            vec![r#"{"command":["sh","-c","a\nmonero\u0020b"]}"#.to_owned()],
            vec![r#"{"command":"mon\u0065ro2"}"#.to_owned(), long],
        ]);
        for (pattern, wanted) in [
            ("xmrig", [true, false, false]),
            ("*mrig*", [true, false, true]),
            ("docker.io", [true, false, false]),
            ("monero", [false, true, false]),
            ("nmonero", [false, false, false]),
            ("monero*", [false, true, true]),
            ("monero2", [false, false, true]),
            ("*xend", [false, false, true]),
            ("xx*", [false, false, true]),
            ("*", [true, true, true]),
            ("absent", [false, false, false]),
        ] {
            assert_eq!(index.pages_with(&Tokens::of(&Pattern::with_wildcards(pattern))), wanted, "{pattern}");
        }
    }

    fn body() -> impl Strategy<Value = String> {
        // Neighbours often share beginnings and ends.
        let alike = prop::collection::vec(prop::sample::select(vec!["a", "b", "ab ", "\"", "\\", "/", "é"]), 0..40);
        let alike = alike.prop_map(|parts| parts.concat());
        let text = prop_oneof!["[abA é_.\"\\\\\n/-]{0,12}", "a{60,70}b?", "[ab]\u{1}[ab]", alike];
        (text.clone(), text).prop_map(|(a, b)| serde_json::json!({ "k": [a, 1.5], "ab": b }).to_string())
    }

    proptest! {
        #[test]
        fn no_page_with_a_hit_is_passed_over(
            pages in prop::collection::vec(prop::collection::vec(body(), 0..5), 1..4),
            escaped in any::<bool>(),
            pattern in prop_oneof!["[abA é_*?.-]{0,8}", "\\*?a{58,70}b?\\*?"],
        ) {
            let write = |body: &String| if escaped { body.replace('a', "\\u0061").replace('b', "\\u0062") } else { body.clone() };
            let pages: Vec<Vec<String>> = pages.iter().map(|bodies| bodies.iter().map(write).collect()).collect();
            let pattern = Pattern::with_wildcards(&pattern);
            let may = index(&pages).pages_with(&Tokens::of(&pattern));
            for (page, bodies) in pages.iter().enumerate() {
                if bodies.iter().any(|body| holds(body, &pattern)) {
                    prop_assert!(may[page], "{pattern:?} {bodies:?}");
                }
            }
        }

        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = WordIndex::read(&bytes, 3);
            each_word(&bytes, &mut |_| ());
        }
    }
}
