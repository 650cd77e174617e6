//! Falco checks in the one condition language.

use super::field::FalcoField;
use super::grammar::{Check, Operand, Operator, Several, TextOperator};
use crate::condition::{Case, Condition, Expression, Order, Pattern, Piece, Predicate, Relation, Test, Truth};
use crate::field::Field;

/// The condition that a check stands for; `Err` says what is wrong with its operand.
pub(super) fn check(check: &Check) -> Result<Condition, String> {
    let of = |test: Test| Condition::Test(Predicate { field: Field::Falco(check.field.clone()), test });
    match (check.operator, &check.operand) {
        // These two are how rule sets write "always" and "never": the time need not be worked out for them.
        (Operator::Exists, _) if check.field == FalcoField::RawTime => {
            Ok(Condition::Test(Predicate { field: Field::Falco(FalcoField::Time), test: Test::Exists }))
        }
        (Operator::Text(TextOperator::Equals, _), Operand::Text(zero))
            if check.field == FalcoField::RawTime && zero == "0" =>
        {
            Ok(Condition::Always(Truth::False))
        }
        (Operator::Exists, _) => Ok(of(Test::Exists)),
        (_, Operand::List(items)) if items.is_empty() => Ok(Condition::Always(Truth::False)),
        (operator, Operand::Field(other)) => {
            let relation = relation(operator).ok_or("this operator cannot compare with a field")?;
            Ok(of(Test::Compare(relation, Case::Exact, Box::new(Field::Falco(other.clone())))))
        }
        (Operator::Order(order), Operand::Text(text)) => Ok(of(Test::TextOrder(order, text.as_str().into()))),
        (Operator::In, Operand::List(items)) if check.field.is_list() => Ok(of(Test::AllWithin(sorted(items)))),
        (Operator::In | Operator::Intersects, Operand::List(items)) => {
            let tests = sorted(items).into_iter().map(|item| of(Test::Text(Case::Exact, Pattern::Exact(item))));
            Ok(Condition::any(tests.collect()))
        }
        (Operator::PathMatch, Operand::List(items)) => path_match(&check.field, items),
        (Operator::Text(operator, _), Operand::Text(text)) => Ok(of(text_test(operator, text)?)),
        (Operator::Text(operator, several), Operand::List(items)) => {
            let tests: Result<Vec<_>, _> = items.iter().map(|item| text_test(operator, item).map(of)).collect();
            combined(several, tests?)
        }
        _ => Err("the operator does not fit its operand".to_owned()),
    }
}

fn sorted(items: &[String]) -> Vec<Box<str>> {
    let set: std::collections::BTreeSet<&str> = items.iter().map(String::as_str).collect();
    set.into_iter().map(Into::into).collect()
}

fn relation(operator: Operator) -> Option<Relation> {
    Some(match operator {
        Operator::Order(order) => Relation::Order(order),
        Operator::Text(TextOperator::Equals, Several::Any) | Operator::In | Operator::Intersects => {
            Relation::Order(Order::Equal)
        }
        Operator::Text(TextOperator::Contains, Several::Any) => Relation::Contains,
        Operator::Text(TextOperator::StartsWith, Several::Any) => Relation::StartsWith,
        Operator::Text(TextOperator::EndsWith, Several::Any) => Relation::EndsWith,
        _ => return None,
    })
}

fn combined(several: Several, tests: Vec<Condition>) -> Result<Condition, String> {
    /// Each of these is written beside the negation of every other.
    const ONE_OF_MAX: usize = 32;
    match several {
        Several::Any => Ok(Condition::any(tests)),
        Several::All => Ok(Condition::all(tests)),
        Several::One if tests.len() > ONE_OF_MAX => Err(format!("`oneof` with more than {ONE_OF_MAX} values")),
        Several::One => {
            let alone = |at: usize| {
                let each = tests
                    .iter()
                    .enumerate()
                    .map(|(i, test)| if i == at { test.clone() } else { test.clone().negated() });
                Condition::all(each.collect())
            };
            Ok(Condition::any((0..tests.len()).map(alone).collect()))
        }
    }
}

fn text_test(operator: TextOperator, text: &str) -> Result<Test, String> {
    let exact = |pattern: Pattern| Test::Text(Case::Exact, pattern);
    Ok(match operator {
        TextOperator::Equals => exact(Pattern::Exact(text.into())),
        TextOperator::Contains => exact(Pattern::Contains(text.into())),
        TextOperator::IContains => Test::Text(Case::Folded, Pattern::Contains(text.to_lowercase().into())),
        TextOperator::StartsWith => exact(Pattern::Prefix(text.into())),
        TextOperator::EndsWith => exact(Pattern::Suffix(text.into())),
        TextOperator::BContains => exact(Pattern::Contains(hex(text)?.into())),
        TextOperator::BStartsWith => exact(Pattern::Prefix(hex(text)?.into())),
        TextOperator::Glob => glob(text, Case::Exact)?,
        TextOperator::IGlob => glob(text, Case::Folded)?,
        // Anchored at both ends, as RE2's full match.
        TextOperator::Regex => Test::Regex(regex(&format!("^(?:{text})$"))?),
    })
}

fn regex(text: &str) -> Result<Expression, String> {
    Expression::new(text).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "regular expression is larger than the limit".to_owned(),
        other => format!("regular expression: {}", other.to_string().lines().last().unwrap_or_default().trim()),
    })
}

/// Bytes written in hexadecimal. Values are text, so bytes that are no UTF-8 are an error.
fn hex(text: &str) -> Result<String, String> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| format!("`{text}` is not hexadecimal"))?;
    let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8(bytes).map_err(|_| "the bytes are no UTF-8, which no value of an audit event is".to_owned())
}

fn glob(text: &str, case: Case) -> Result<Test, String> {
    if text.contains('[') {
        let flags = if case == Case::Folded { "(?is)" } else { "(?s)" };
        return Ok(Test::Regex(regex(&format!("{flags}^{}$", glob_regex(text)))?));
    }
    let pattern = Pattern::of(glob_pieces(text));
    Ok(Test::Text(case, if case == Case::Folded { pattern.lower() } else { pattern }))
}

fn glob_pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        pieces.push(match character {
            '*' => Piece::Many,
            '?' => Piece::One,
            '\\' => Piece::Literal(characters.next().unwrap_or('\\').to_string().into()),
            other => Piece::Literal(other.to_string().into()),
        });
    }
    pieces
}

/// A glob with bracket expressions as a regular expression without anchors.
fn glob_regex(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                out.push('[');
                if characters.next_if(|c| matches!(c, '!' | '^')).is_some() {
                    out.push('^');
                }
                if characters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
                for inside in characters.by_ref() {
                    match inside {
                        ']' => break,
                        '[' | '\\' | '&' | '~' | '^' => out.extend(['\\', inside]),
                        other => out.push(other),
                    }
                }
                out.push(']');
            }
            '\\' => out.push_str(&regex::escape(&characters.next().unwrap_or('\\').to_string())),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out
}

/// A path is matched if one of `items` is it or a directory above it.
fn path_match(field: &FalcoField, items: &[String]) -> Result<Condition, String> {
    let of = |test: Test| Condition::Test(Predicate { field: Field::Falco(field.clone()), test });
    let (globs, plain): (Vec<String>, Vec<String>) =
        items.iter().cloned().partition(|item| item.contains(['*', '?', '[']));
    let mut tests = Vec::new();
    if !plain.is_empty() {
        tests.push(of(Test::UnderPath(sorted(&plain))));
    }
    for glob in globs {
        let text = format!("(?s)^{}(?:/.*)?$", glob_regex(glob.trim_end_matches('/')));
        tests.push(of(Test::Regex(regex(&text)?)));
    }
    Ok(Condition::any(tests))
}
