//! Search identifiers: maps and lists of field tests, and keywords.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::condition::{Case, Condition, Expression, Float, Order, Pattern, Piece, Predicate, Relation, Test};
use crate::field::{self, Field};
use crate::node::{Node, Value};
use crate::problem::{Fault, Place};

use super::modifier::{Comparison, Links, Modifiers, Rewriting};
use super::{Given, Regexes, mapping, text};

/// What the reading of selections needs and reports.
pub(super) struct Reading<'r> {
    pub(super) given: Given<'r>,
    /// Whether the rule is about Kubernetes audit events, so that field names can be checked.
    pub(super) audit: bool,
    pub(super) faults: &'r mut Vec<Fault>,
}

impl Reading<'_> {
    /// The condition that a search identifier stands for.
    pub(super) fn selection(&mut self, node: &Node) -> Result<Condition, Fault> {
        match &node.value {
            Value::Map(entries) if entries.is_empty() => Err(Fault::error(node.place, "empty selection")),
            Value::List(items) if items.is_empty() => Err(Fault::error(node.place, "empty selection")),
            Value::Map(entries) => {
                let tests: Result<Vec<_>, _> = entries.iter().map(|(key, value)| self.field_test(key, value)).collect();
                Ok(Condition::all(tests?))
            }
            Value::List(items) => {
                let tests: Result<Vec<_>, _> = items.iter().map(|item| self.alternative(item)).collect();
                Ok(Condition::any(tests?))
            }
            Value::Scalar { .. } => self.values(&Field::Whole, &keyword_modifiers(Links::Any), node),
        }
    }

    fn alternative(&mut self, item: &Node) -> Result<Condition, Fault> {
        match &item.value {
            Value::Map(_) => self.selection(item),
            Value::Scalar { .. } => self.values(&Field::Whole, &keyword_modifiers(Links::Any), item),
            Value::List(_) => Err(Fault::error(item.place, "a list in a list")),
        }
    }

    fn field_test(&mut self, key: &Node, value: &Node) -> Result<Condition, Fault> {
        let Some(text) = key.text() else { return Err(Fault::error(key.place, "field without a name")) };
        let mut parts = text.split('|');
        let name = parts.next().unwrap_or_default();
        let modifiers = Modifiers::parse(&parts.collect::<Vec<_>>(), key.place)?;
        if name.is_empty() {
            let keywords = Modifiers { comparison: keyword_comparison(modifiers.comparison), ..modifiers };
            return self.values(&Field::Whole, &keywords, value);
        }
        self.check_name(name, key.place);
        self.values(&Field::named(name), &modifiers, value)
    }

    fn check_name(&mut self, name: &str, place: Place) {
        if self.audit && mapping::pseudo_field(name).is_none() {
            self.faults.extend(field::check_path(name, place));
        }
    }

    fn values(&mut self, field: &Field, modifiers: &Modifiers, value: &Node) -> Result<Condition, Fault> {
        let condition = match &value.value {
            Value::Map(_) => return Err(Fault::error(value.place, "a field is compared with values, not with a map")),
            Value::List(items) if items.is_empty() => return Err(Fault::error(value.place, "empty list of values")),
            _ if modifiers.links == Links::Within => self.within(field, modifiers, value)?,
            Value::List(items) => {
                let tests: Result<Vec<_>, _> = items.iter().map(|item| self.value(field, modifiers, item)).collect();
                match modifiers.links {
                    Links::All => Condition::all(tests?),
                    Links::Any | Links::Within => Condition::any(tests?),
                }
            }
            Value::Scalar { .. } => self.value(field, modifiers, value)?,
        };
        Ok(if modifiers.negated { condition.negated() } else { condition })
    }

    /// The test of one value.
    fn value(&mut self, field: &Field, modifiers: &Modifiers, value: &Node) -> Result<Condition, Fault> {
        if !value.is_scalar() {
            return Err(Fault::error(value.place, format!("expected a value, found {}", value.kind())));
        }
        let of = |test: Test| Condition::Test(Predicate { field: field.clone(), test });
        let Some(text) = value.text() else {
            return match modifiers.comparison {
                Comparison::Equals => Ok(of(Test::Exists).negated()),
                _ => Err(Fault::error(value.place, "null can only be compared without a modifier")),
            };
        };
        if modifiers.refers {
            return self.reference(field, modifiers, text, value.place);
        }
        if let Some(part) = modifiers.time {
            let number = integer(text, value.place)?;
            return Ok(of(Test::Time(part, order(modifiers.comparison), number)));
        }
        match modifiers.comparison {
            Comparison::Exists => match value.bool() {
                Some(true) => Ok(of(Test::Exists)),
                Some(false) => Ok(of(Test::Exists).negated()),
                None => Err(Fault::error(value.place, "`exists` is true or false")),
            },
            Comparison::Number(order) => Ok(of(Test::Number(order, number(text, value.place)?))),
            _ => self.texts(field, modifiers, text, value.place),
        }
    }

    fn reference(
        &mut self,
        field: &Field,
        modifiers: &Modifiers,
        name: &str,
        place: Place,
    ) -> Result<Condition, Fault> {
        self.check_name(name, place);
        let relation = match modifiers.comparison {
            Comparison::Contains => Relation::Contains,
            Comparison::StartsWith => Relation::StartsWith,
            Comparison::EndsWith => Relation::EndsWith,
            other => Relation::Order(order(other)),
        };
        let test = Test::Compare(relation, modifiers.case, Box::new(Field::named(name)));
        Ok(Condition::Test(Predicate { field: field.clone(), test }))
    }

    /// The tests of one text, which placeholders and encodings may turn into several.
    fn texts(&mut self, field: &Field, modifiers: &Modifiers, text: &str, place: Place) -> Result<Condition, Fault> {
        let expanded = if modifiers.expands {
            text::expand(text, self.given.placeholders).map_err(|name| {
                let fault = Fault::error(place, format!("placeholder `%{name}%` has no value"));
                fault.nearest(&name, self.given.placeholders.keys().map(String::as_str))
            })?
        } else {
            vec![text.to_owned()]
        };
        let mut tests = Vec::new();
        for text in expanded {
            for test in text_tests(modifiers, &text, place, self.given.regexes)? {
                tests.push(self.shimmed(Predicate { field: field.clone(), test }, place));
            }
        }
        Ok(Condition::any(tests))
    }

    /// The test that every value of the field is one of these.
    fn within(&self, field: &Field, modifiers: &Modifiers, value: &Node) -> Result<Condition, Fault> {
        let items = if value.is_scalar() { std::slice::from_ref(value) } else { value.items() };
        let mut tests = Vec::new();
        for item in items {
            let text = item.text().ok_or_else(|| Fault::error(item.place, "`within` takes texts"))?;
            tests.extend(text_tests(modifiers, text, item.place, self.given.regexes)?);
        }
        let exact = |test: &Test| match test {
            Test::Text(Case::Exact, Pattern::Exact(text)) => Some(text.clone()),
            _ => None,
        };
        let test = match tests.iter().map(exact).collect::<Option<Vec<_>>>() {
            Some(mut texts) => {
                texts.sort_unstable();
                texts.dedup();
                Test::AllWithin(texts)
            }
            None => Test::Every(Box::new(Test::AnyOf(tests))),
        };
        Ok(Condition::Test(Predicate { field: field.clone(), test }))
    }

    fn shimmed(&mut self, predicate: Predicate, place: Place) -> Condition {
        match mapping::shim(&predicate, place).filter(|_| self.audit) {
            Some((condition, fault)) => {
                self.faults.push(fault);
                condition
            }
            None => Condition::Test(predicate),
        }
    }
}

fn keyword_modifiers(links: Links) -> Modifiers {
    let mut modifiers =
        Modifiers::parse(&["contains"], Place::default()).unwrap_or_else(|_| unreachable!("a known modifier"));
    modifiers.links = links;
    modifiers
}

/// A keyword is looked for anywhere in a value.
fn keyword_comparison(comparison: Comparison) -> Comparison {
    if comparison == Comparison::Equals { Comparison::Contains } else { comparison }
}

fn order(comparison: Comparison) -> Order {
    match comparison {
        Comparison::Number(order) => order,
        _ => Order::Equal,
    }
}

fn integer(text: &str, place: Place) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::error(place, format!("`{text}` is no whole number")))
}

fn number(text: &str, place: Place) -> Result<Float, Fault> {
    text.parse().map(Float).map_err(|_| Fault::error(place, format!("`{text}` is no number")))
}

fn text_tests(modifiers: &Modifiers, text: &str, place: Place, regexes: Regexes) -> Result<Vec<Test>, Fault> {
    match modifiers.comparison {
        Comparison::Regex => Ok(vec![regex(text, &modifiers.flags, place, regexes)?]),
        Comparison::Cidr => Ok(vec![Test::Network(vec![network(text, place)?])]),
        _ => {
            let texts = rewritten(text::pieces(text), &modifiers.rewritings, place)?;
            Ok(texts.into_iter().map(|pieces| pattern_test(pieces, modifiers)).collect())
        }
    }
}

fn rewritten(pieces: Vec<Piece>, rewritings: &[Rewriting], place: Place) -> Result<Vec<Vec<Piece>>, Fault> {
    if rewritings.is_empty() {
        return Ok(vec![pieces]);
    }
    if rewritings == [Rewriting::Windash] && text::literal(&pieces).is_none() {
        return Ok(vec![pieces]);
    }
    let Some(literal) = text::literal(&pieces) else {
        return Err(Fault::error(place, "a value with wildcards cannot be encoded"));
    };
    let mut values = vec![literal.into_bytes()];
    for rewriting in rewritings {
        let rewrite = |value: Vec<u8>| -> Vec<Vec<u8>> {
            let as_text = String::from_utf8_lossy(&value);
            match rewriting {
                Rewriting::Base64 => vec![text::base64(&value).into_bytes()],
                Rewriting::Base64Offset => text::base64_offsets(&value).map(String::into_bytes).into(),
                Rewriting::Utf16(order) => vec![text::utf16(&as_text, *order)],
                Rewriting::Windash => text::windash(&as_text).into_iter().map(String::into_bytes).collect(),
            }
        };
        values = values.into_iter().flat_map(rewrite).collect();
    }
    Ok(values.into_iter().map(|value| vec![Piece::Literal(String::from_utf8_lossy(&value).into())]).collect())
}

fn pattern_test(mut pieces: Vec<Piece>, modifiers: &Modifiers) -> Test {
    // A lone `*` asks for a value of any kind, be it an object.
    if modifiers.comparison == Comparison::Equals && pieces == [Piece::Many] {
        return Test::Exists;
    }
    if matches!(modifiers.comparison, Comparison::Contains | Comparison::EndsWith) {
        pieces.insert(0, Piece::Many);
    }
    if matches!(modifiers.comparison, Comparison::Contains | Comparison::StartsWith) {
        pieces.push(Piece::Many);
    }
    let pattern = Pattern::of(pieces);
    match modifiers.case {
        Case::Folded => Test::Text(Case::Folded, pattern.lower()),
        Case::Exact => Test::Text(Case::Exact, pattern),
    }
}

fn regex(text: &str, flags: &str, place: Place, regexes: Regexes) -> Result<Test, Fault> {
    let text = if flags.is_empty() { text.to_owned() } else { format!("(?{flags}){text}") };
    if regexes == Regexes::Sound {
        return Ok(Test::Regex(Expression::deferred(&text)));
    }
    Expression::new(&text).map(Test::Regex).map_err(|error| {
        let what = match error {
            regex::Error::CompiledTooBig(_) => "regular expression is larger than the limit".to_owned(),
            other => format!("regular expression: {}", other.to_string().lines().last().unwrap_or_default().trim()),
        };
        Fault::error(place, what)
    })
}

fn network(text: &str, place: Place) -> Result<IpNet, Fault> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Fault::error(place, format!("`{text}` is no network such as `10.0.0.0/8`")))
}
