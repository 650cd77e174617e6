//! Field and label selectors as far as they decide a request's attributes: do they parse, and which object
//! does a field selector name.

/// The name that `metadata.name=…` asks for, if the selector has one. `Err` where it does not parse.
pub(super) fn field_selector_name(selector: &str) -> Result<Option<String>, ()> {
    let mut terms = split_terms(selector);
    terms.sort_unstable();
    let mut name = None;
    for term in terms.into_iter().filter(|term| !term.is_empty()) {
        let (field, equals, value) = split_term(term).ok_or(())?;
        let value = unescape(value)?;
        if field == "metadata.name" && equals && name.is_none() {
            name = Some(value);
        }
    }
    Ok(name)
}

/// Splits at commas that are not escaped.
fn split_terms(selector: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (i, c) in selector.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

/// Field, whether it must be equal, value.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.char_indices().find_map(|(i, _)| {
        let rest = &term[i..];
        ["!=", "==", "="].into_iter().find(|op| rest.starts_with(op)).map(|op| (i, op))
    });
    let (i, op) = at?;
    Some((&term[..i], op != "!=", &term[i + op.len()..]))
}

fn unescape(value: &str) -> Result<String, ()> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                _ => return Err(()),
            },
            ',' | '=' => return Err(()),
            c => out.push(c),
        }
    }
    Ok(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    Symbol(&'static str),
    Bad,
    End,
}

/// Whether a label selector parses and its keys and values are valid.
pub(super) fn label_selector_is_valid(selector: &str) -> bool {
    Labels { rest: selector }.selector().is_some()
}

struct Labels<'s> {
    rest: &'s str,
}

impl<'s> Labels<'s> {
    fn peek(&self) -> Token<'s> {
        Self { rest: self.rest }.next()
    }

    fn next(&mut self) -> Token<'s> {
        const SYMBOLS: [&str; 10] = ["==", "!=", "=", "!", ">", "<", "(", ")", ",", ""];
        let is_special = |c: char| "=!(),><".contains(c);
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
        self.rest = self.rest.trim_start_matches(is_blank);
        let Some(first) = self.rest.chars().next() else {
            return Token::End;
        };
        if is_special(first) {
            let Some(symbol) = SYMBOLS.into_iter().find(|s| self.rest.starts_with(s)) else {
                return Token::Bad;
            };
            self.rest = &self.rest[symbol.len()..];
            return Token::Symbol(symbol);
        }
        let end = self.rest.find(|c| is_special(c) || is_blank(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(word)
    }

    fn selector(mut self) -> Option<()> {
        if self.peek() == Token::End {
            return Some(());
        }
        loop {
            self.requirement()?;
            match self.next() {
                Token::End => return Some(()),
                Token::Symbol(",") => {}
                _ => return None,
            }
        }
    }

    fn requirement(&mut self) -> Option<()> {
        let negated = self.peek() == Token::Symbol("!");
        if negated {
            self.next();
        }
        match self.next() {
            Token::Word(key) if is_qualified_name(key) => {}
            _ => return None,
        }
        if negated || matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Some(());
        }
        match self.next() {
            Token::Word("in" | "notin") => self.values(),
            Token::Symbol("=" | "==" | "!=") => self.exact_value().filter(|v| is_label_value(v)).map(drop),
            Token::Symbol(">" | "<") => {
                let value = self.exact_value()?;
                (value.parse::<i64>().is_ok() && is_label_value(value)).then_some(())
            }
            _ => None,
        }
    }

    fn exact_value(&mut self) -> Option<&'s str> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Some("");
        }
        match self.next() {
            Token::Word(value) => Some(value),
            _ => None,
        }
    }

    /// `(a,b)`; empty items are allowed, an empty list is not.
    fn values(&mut self) -> Option<()> {
        if self.next() != Token::Symbol("(") || self.peek() == Token::Symbol(")") {
            return None;
        }
        loop {
            match self.next() {
                Token::Word(value) if is_label_value(value) => match self.peek() {
                    Token::Symbol(",") => {}
                    Token::Symbol(")") => break,
                    _ => return None,
                },
                Token::Symbol(",") => match self.peek() {
                    Token::Symbol(")") => break,
                    Token::Symbol(",") => {
                        self.next();
                    }
                    _ => {}
                },
                _ => return None,
            }
        }
        self.next();
        Some(())
    }
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name_part(value)
}

/// Starts and ends alphanumeric, `-`, `_` and `.` between, at most 63 bytes.
fn is_name_part(name: &str) -> bool {
    let bytes = name.as_bytes();
    name.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => crate::load::is_subdomain(prefix) && prefix.len() <= 253 && is_name_part(name),
        None => is_name_part(key),
    }
}
