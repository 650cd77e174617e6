//! The condition of a rule: `selection and not 1 of filter_*`.

use std::collections::BTreeSet;

use crate::condition::{Condition, Truth};
use crate::problem::{Fault, Place};

/// Most parentheses and negations that may stand inside one another.
pub(super) const CONDITION_DEPTH_MAX: usize = 100;
/// Longest condition, in bytes.
pub(super) const CONDITION_BYTES_MAX: usize = 64 << 10;
/// Most tests of one condition after its identifiers are put in.
pub(super) const CONDITION_TESTS_MAX: usize = 100_000;

/// Reads `text`, in which `selections` may be named. `used` collects the names that were.
pub(super) fn parse(
    text: &str,
    place: Place,
    selections: &[(String, Condition)],
    used: &mut BTreeSet<String>,
) -> Result<Condition, Fault> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(Fault::error(place, format!("condition longer than the limit of {CONDITION_BYTES_MAX} bytes")));
    }
    if text.contains('|') {
        return Err(Fault::error(place, "aggregations in a condition are no longer Sigma: write a correlation"));
    }
    let tokens = tokens(text, place)?;
    let mut parser = Parser { tokens, at: 0, place, selections, used, depth: 0, tests: 0 };
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(Fault::error(place, format!("unexpected `{token}` in the condition"))),
    }
}

fn tokens(text: &str, place: Place) -> Result<Vec<String>, Fault> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        let alone = matches!(character, '(' | ')');
        if !alone && !character.is_whitespace() {
            if !character.is_alphanumeric() && !matches!(character, '_' | '-' | '*' | '.') {
                return Err(Fault::error(place, format!("unexpected `{character}` in the condition")));
            }
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if alone {
            tokens.push(character.to_string());
        }
    }
    if !word.is_empty() {
        tokens.push(word);
    }
    Ok(tokens)
}

struct Parser<'p> {
    tokens: Vec<String>,
    at: usize,
    place: Place,
    selections: &'p [(String, Condition)],
    used: &'p mut BTreeSet<String>,
    depth: usize,
    tests: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::error(self.place, what)
    }

    fn or(&mut self) -> Result<Condition, Fault> {
        let mut parts = vec![self.and()?];
        while self.takes("or") {
            parts.push(self.and()?);
        }
        Ok(Condition::any(parts))
    }

    fn and(&mut self) -> Result<Condition, Fault> {
        let mut parts = vec![self.not()?];
        while self.takes("and") {
            parts.push(self.not()?);
        }
        Ok(Condition::all(parts))
    }

    fn not(&mut self) -> Result<Condition, Fault> {
        if !self.takes("not") {
            return self.primary();
        }
        self.deeper()?;
        let inner = self.not()?.negated();
        self.depth -= 1;
        Ok(inner)
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            return Err(self.fault(format!("condition nested deeper than the limit of {CONDITION_DEPTH_MAX}")));
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<Condition, Fault> {
        if self.takes("(") {
            self.deeper()?;
            let inner = self.or()?;
            self.depth -= 1;
            return if self.takes(")") { Ok(inner) } else { Err(self.fault("missing `)` in the condition")) };
        }
        let quantified = self.tokens.get(self.at + 1).is_some_and(|token| token.eq_ignore_ascii_case("of"));
        match self.peek().map(str::to_owned) {
            Some(count) if quantified => {
                self.at += 2;
                self.quantified(&count)
            }
            Some(name) if !matches!(name.to_ascii_lowercase().as_str(), ")" | "and" | "or" | "of" | "them") => {
                self.at += 1;
                self.named(&name)
            }
            Some(token) => Err(self.fault(format!("expected a selection in the condition, found `{token}`"))),
            None => Err(self.fault("the condition ends where a selection is expected")),
        }
    }

    fn named(&mut self, name: &str) -> Result<Condition, Fault> {
        let Some((name, condition)) = self.selections.iter().find(|(known, _)| known == name) else {
            let fault = self.fault(format!("no selection is called `{name}`"));
            return Err(fault.nearest(name, self.selections.iter().map(|(known, _)| known.as_str())));
        };
        self.used.insert(name.clone());
        self.add_tests(condition)?;
        Ok(condition.clone())
    }

    fn add_tests(&mut self, condition: &Condition) -> Result<(), Fault> {
        condition.each_test(&mut |_, _| self.tests += 1);
        if self.tests > CONDITION_TESTS_MAX {
            return Err(self.fault(format!("condition of more than {CONDITION_TESTS_MAX} tests")));
        }
        Ok(())
    }

    fn quantified(&mut self, count: &str) -> Result<Condition, Fault> {
        let Some(pattern) = self.peek().map(str::to_owned) else {
            return Err(self.fault(format!("`{count} of` what?")));
        };
        self.at += 1;
        let them = pattern.eq_ignore_ascii_case("them");
        let hidden_too = pattern.starts_with('_');
        let chosen: Vec<_> = self
            .selections
            .iter()
            .filter(|(name, _)| if them { !name.starts_with('_') } else { matches_pattern(&pattern, name) })
            .filter(|(name, _)| hidden_too || !name.starts_with('_'))
            .cloned()
            .collect();
        if chosen.is_empty() {
            return Err(self.fault(format!("no selection fits `{pattern}`")));
        }
        for (name, condition) in &chosen {
            self.used.insert(name.clone());
            self.add_tests(condition)?;
        }
        let parts: Vec<Condition> = chosen.into_iter().map(|(_, condition)| condition).collect();
        match count.to_ascii_lowercase().as_str() {
            "all" => Ok(Condition::all(parts)),
            "any" | "1" => Ok(Condition::any(parts)),
            number => {
                let count = number
                    .parse()
                    .map_err(|_| self.fault(format!("`{number} of` is neither a number, any nor all")))?;
                at_least(count, &parts)
                    .ok_or_else(|| self.fault(format!("`{number} of {pattern}` is too large to write out")))
            }
        }
    }
}

/// At least `count` of `parts`, written out; `None` if that is too long.
fn at_least(count: usize, parts: &[Condition]) -> Option<Condition> {
    const WRITTEN_OUT_MAX: usize = 4096;
    let ways = (0..count).try_fold(1usize, |ways, i| ways.checked_mul(parts.len().checked_sub(i)?));
    match count {
        0 => return Some(Condition::Always(Truth::True)),
        _ if count > parts.len() => return Some(Condition::Always(Truth::False)),
        _ if ways.is_none_or(|ways| ways > WRITTEN_OUT_MAX) => return None,
        _ => {}
    }
    let mut chosen = Vec::new();
    choose(count, parts, &mut Vec::new(), &mut chosen);
    Some(Condition::any(chosen))
}

fn choose(count: usize, parts: &[Condition], taken: &mut Vec<Condition>, chosen: &mut Vec<Condition>) {
    if count == 0 {
        chosen.push(Condition::all(taken.clone()));
        return;
    }
    for (i, part) in parts.iter().enumerate() {
        taken.push(part.clone());
        choose(count - 1, &parts[i + 1..], taken, chosen);
        taken.pop();
    }
}

/// Whether `name` fits a pattern with `*` anywhere.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    crate::condition::Pattern::of(super::text::pieces(pattern)).fits(name)
}
