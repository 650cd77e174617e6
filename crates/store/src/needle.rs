//! What a body must hold, at least, for a pattern to be found in it: a quick look before the exact one.

use memchr::memmem::Finder;
use query::{Pattern, Piece};
use regex::bytes::{Regex, RegexBuilder};

use crate::mask::Mask;
use crate::values::Strings;
use crate::words::Tokens;

/// Shortest text worth looking for.
const NEEDLE_BYTES_MIN: usize = 2;

/// A text that stands in every body that fits, unless the body writes some character as `\u….`.
#[derive(Debug)]
pub(crate) struct Needle {
    text: Option<Regex>,
    /// Words that it has.
    pub(crate) tokens: Tokens,
}

impl Needle {
    /// Of the longest plain text of `pattern`, and of its words.
    pub(crate) fn of(pattern: &Pattern) -> Self {
        let texts = pattern.pieces().iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            _ => None,
        });
        // Characters that JSON may write in another way end the text.
        let plain = texts.flat_map(|text| text.split(|c: char| !is_plain(c)));
        let longest = plain.max_by_key(|text| text.len()).filter(|text| text.len() >= NEEDLE_BYTES_MIN);
        let text = longest.and_then(|text| {
            RegexBuilder::new(&regex::escape(text)).case_insensitive(true).unicode(false).build().ok()
        });
        Self { text, tokens: Tokens::of(pattern) }
    }

    /// Values that may fit.
    pub(crate) fn rows(&self, strings: &Strings) -> Mask {
        let Some(text) = &self.text else { return Mask::all(strings.len()) };
        let mut rows = Mask::none(strings.len());
        let data = strings.data();
        let mut at = 0;
        while let Some(row) = text.find_at(data, at).and_then(|hit| strings.at_byte(hit.start())) {
            rows.insert(row);
            at = strings.place(row).end; // a hit may reach into the next value, where another one begins
        }
        let escape = Finder::new(b"\\u");
        escape.find_iter(data).filter_map(|hit| strings.at_byte(hit)).for_each(|row| rows.insert(row));
        rows
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | ' ' | ',' | '@' | '=' | '+')
}
