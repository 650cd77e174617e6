//! Words of a Falco condition.

/// A place in the text of a condition.
pub(super) struct Lexer<'t> {
    rest: &'t str,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn next_is(&mut self, text: &str) -> bool {
        self.skip_blanks();
        self.rest.starts_with(text)
    }

    pub(super) fn takes(&mut self, text: &str) -> bool {
        let found = self.next_is(text);
        if found {
            self.rest = &self.rest[text.len()..];
        }
        found
    }

    /// `and`, `or`, `not`: a blank or a parenthesis must follow.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let follows = |rest: &str| rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '(');
        match self.rest.strip_prefix(word) {
            Some(rest) if follows(rest) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// An operator: of letters, then no letter may follow.
    pub(super) fn takes_operator(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let is_word = sign.starts_with(|c: char| c.is_ascii_alphabetic());
        let goes_on = |rest: &str| is_word && rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        match self.rest.strip_prefix(sign) {
            Some(rest) if !goes_on(rest) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// `a`, `a_b`, `a.b.c`.
    pub(super) fn identifier(&mut self) -> Option<&'t str> {
        self.skip_blanks();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// The name before a `(` if that is what comes next; it is not taken.
    pub(super) fn function_name(&mut self) -> Option<&'t str> {
        self.skip_blanks();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        (self.rest[end..].starts_with('(') && end > 0).then(|| &self.rest[..end])
    }

    /// What stands in brackets right here, if anything does.
    pub(super) fn bracket(&mut self) -> Result<Option<String>, String> {
        let Some(inner) = self.rest.strip_prefix('[') else { return Ok(None) };
        if inner.starts_with(['"', '\'']) {
            self.rest = inner;
            let text = self.quoted()?;
            return match self.rest.strip_prefix(']') {
                Some(rest) => {
                    self.rest = rest;
                    Ok(Some(text))
                }
                None => Err("missing `]`".to_owned()),
            };
        }
        let end = inner.find(|c: char| matches!(c, '[' | ']' | '"' | '\'') || c.is_whitespace()).unwrap_or(inner.len());
        if end == 0 || !inner[end..].starts_with(']') {
            return Err("brackets are not closed, or hold nothing".to_owned());
        }
        self.rest = &inner[end + 1..];
        Ok(Some(inner[..end].to_owned()))
    }

    /// A value, quoted or bare; `None` if there is none.
    pub(super) fn value(&mut self) -> Result<Option<String>, String> {
        self.skip_blanks();
        if self.rest.starts_with(['"', '\'']) {
            return self.quoted().map(Some);
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'' | '=' | ',');
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut characters = self.rest.char_indices();
        let Some((_, quote)) = characters.next() else { return Err("missing quote".to_owned()) };
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 'b')) => text.push('\u{8}'),
                    Some((_, 'f')) => text.push('\u{c}'),
                    Some((_, 'v')) => text.push('\u{b}'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                _ if character == quote => {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err("a quote is not closed".to_owned())
    }
}
