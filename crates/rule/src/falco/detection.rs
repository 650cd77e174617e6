//! A Falco condition as a Sigma detection: selections and the condition that joins them.

use std::collections::BTreeMap;

use super::field::FalcoField;
use crate::condition::{Case, Condition, Order, Pattern, Piece, Predicate, Relation, Test, Truth};
use crate::field::Field;

/// The detection block of a rule.
#[derive(Debug, Default)]
pub(super) struct Detection {
    selections: Vec<(String, Selection)>,
    /// How they are joined.
    condition: String,
    /// What is not said exactly as in the original.
    pub(super) remarks: Vec<String>,
}

/// Field with its modifiers → values, as YAML writes them.
type Selection = Vec<(String, Vec<String>)>;

/// Writes a condition; `Err` says what cannot be said.
pub(super) fn of(condition: &Condition) -> Result<Detection, String> {
    let mut detection = Detection::default();
    let condition = match settled(condition) {
        Condition::Always(truth) => {
            let known = if truth == Truth::True { "matches every event" } else { "never matches" };
            return Err(format!("its condition {known}"));
        }
        other => other,
    };
    detection.condition = detection.expression(&condition, Depth::Top)?;
    Ok(detection)
}

/// The condition without parts that hold always or never.
fn settled(condition: &Condition) -> Condition {
    let each = |parts: &[Condition]| parts.iter().map(settled).collect::<Vec<_>>();
    let is = |truth| move |part: &Condition| *part == Condition::Always(truth);
    match condition {
        Condition::All(parts) => {
            let mut parts = each(parts);
            if parts.iter().any(is(Truth::False)) {
                return Condition::Always(Truth::False);
            }
            parts.retain(|part| !is(Truth::True)(part));
            let flat = |part| if let Condition::All(inner) = part { inner } else { vec![part] };
            let parts: Vec<Condition> = parts.into_iter().flat_map(flat).collect();
            if parts.is_empty() { Condition::Always(Truth::True) } else { Condition::all(parts) }
        }
        Condition::Any(parts) => {
            let mut parts = each(parts);
            if parts.iter().any(is(Truth::True)) {
                return Condition::Always(Truth::True);
            }
            parts.retain(|part| !is(Truth::False)(part));
            if parts.is_empty() { Condition::Always(Truth::False) } else { Condition::any(parts) }
        }
        Condition::Not(inner) => settled(inner).negated(),
        Condition::Test(predicate) => same_text(predicate).unwrap_or_else(|| condition.clone()),
        Condition::Always(_) => condition.clone(),
    }
}

/// `=` and `!=` of a single value, in the words of Sigma. A field without a value passes neither.
fn same_text(predicate: &Predicate) -> Option<Condition> {
    let Test::TextOrder(order @ (Order::Equal | Order::NotEqual), text) = &predicate.test else { return None };
    let Field::Falco(field) = &predicate.field else { return None };
    if field.is_list() {
        return None;
    }
    let of = |test| Condition::Test(Predicate { field: predicate.field.clone(), test });
    let same = of(Test::Text(Case::Exact, Pattern::Exact(text.clone())));
    Some(match order {
        Order::Equal => same,
        _ => Condition::All(vec![of(Test::Exists), same.negated()]),
    })
}

/// Whether an expression stands alone or inside another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Top,
    Inner,
}

impl Detection {
    fn expression(&mut self, condition: &Condition, depth: Depth) -> Result<String, String> {
        let (word, mut parts) = match condition {
            Condition::Always(_) => return Err("it holds always or never".to_owned()),
            Condition::Not(inner) => return Ok(format!("not {}", self.expression(inner, Depth::Inner)?)),
            Condition::Test(_) => return self.named(condition),
            Condition::Any(_) if self.entry(condition)?.is_some() => return self.named(condition),
            Condition::Any(parts) => (" or ", self.any(parts)?),
            Condition::All(parts) => (" and ", self.all(parts)?),
        };
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let joined = parts.join(word);
        Ok(if depth == Depth::Top { joined } else { format!("({joined})") })
    }

    fn named(&mut self, condition: &Condition) -> Result<String, String> {
        let entry = self.entry(condition)?.ok_or("a test has no form in Sigma")?;
        Ok(self.name(vec![entry]))
    }

    /// Tests of different fields stand in one selection; one field twice needs two.
    fn all(&mut self, parts: &[Condition]) -> Result<Vec<String>, String> {
        let (mut selections, mut rest): (Vec<Selection>, Vec<&Condition>) = (Vec::new(), Vec::new());
        for part in parts {
            let Some((key, values)) = self.entry(part)? else {
                rest.push(part);
                continue;
            };
            match selections.iter_mut().find(|selection| selection.iter().all(|(other, _)| *other != key)) {
                Some(selection) => selection.push((key, values)),
                None => selections.push(vec![(key, values)]),
            }
        }
        let mut names: Vec<String> = selections.into_iter().map(|selection| self.name(selection)).collect();
        for part in rest {
            names.push(self.expression(part, Depth::Inner)?);
        }
        Ok(names)
    }

    /// Tests of one field stand in one list.
    fn any(&mut self, parts: &[Condition]) -> Result<Vec<String>, String> {
        let (mut lists, mut rest): (Selection, Vec<&Condition>) = (Vec::new(), Vec::new());
        for part in parts {
            match self.entry(part)? {
                None => rest.push(part),
                Some((key, values)) if !key.contains("|within") => {
                    match lists.iter_mut().find(|(other, _)| *other == key) {
                        Some((_, known)) => known.extend(values),
                        None => lists.push((key, values)),
                    }
                }
                Some(entry) => lists.push(entry),
            }
        }
        let mut names: Vec<String> = lists.into_iter().map(|entry| self.name(vec![entry])).collect();
        for part in rest {
            names.push(self.expression(part, Depth::Inner)?);
        }
        Ok(names)
    }

    /// The field and the values of a test, or of several tests of one field.
    fn entry(&mut self, condition: &Condition) -> Result<Option<(String, Vec<String>)>, String> {
        match condition {
            Condition::Test(predicate) => self.test(predicate).map(Some),
            Condition::Any(parts) => {
                let mut entries = BTreeMap::<String, Vec<String>>::new();
                for part in parts {
                    let Condition::Test(predicate) = part else { return Ok(None) };
                    let (key, values) = self.test(predicate)?;
                    entries.entry(key).or_default().extend(values);
                }
                let alike = entries.len() == 1 && entries.keys().all(|key| !key.contains("|within"));
                Ok(if alike { entries.pop_first() } else { None })
            }
            _ => Ok(None),
        }
    }

    fn test(&mut self, predicate: &Predicate) -> Result<(String, Vec<String>), String> {
        let field = self.field(&predicate.field)?;
        let key = |modifiers: &str| format!("{field}{modifiers}");
        Ok(match &predicate.test {
            Test::Exists => (key("|exists"), vec!["true".to_owned()]),
            Test::Text(case, pattern) => {
                let (modifier, text) = written(pattern);
                let cased = if *case == Case::Exact { "|cased" } else { "" };
                (key(&format!("{modifier}{cased}")), vec![quoted(&text)])
            }
            Test::AllWithin(texts) => (key("|within|cased"), texts.iter().map(|text| quoted(&escaped(text))).collect()),
            Test::Regex(expression) => (key("|re"), vec![quoted(expression.text())]),
            Test::UnderPath(paths) => (key("|re"), vec![quoted(&under(paths))]),
            Test::TextOrder(order, text) => {
                let number: f64 = text.parse().map_err(|_| format!("`{field}` is compared with `{text}` as text"))?;
                self.remark(format!("`{field}` is compared as a number, not letter by letter"));
                (key(&format!("|{}", order_name(*order)?)), vec![number.to_string()])
            }
            Test::Compare(relation, case, other) => {
                let relation = match relation {
                    Relation::Order(Order::Equal) => String::new(),
                    Relation::Order(order) => format!("|{}", order_name(*order)?),
                    Relation::Contains => "|contains".to_owned(),
                    Relation::StartsWith => "|startswith".to_owned(),
                    Relation::EndsWith => "|endswith".to_owned(),
                };
                let cased = if *case == Case::Exact { "|cased" } else { "" };
                (key(&format!("|fieldref{relation}{cased}")), vec![quoted(&self.field(other)?)])
            }
            _ => return Err(format!("a test of `{field}` has no form in Sigma")),
        })
    }

    fn field(&mut self, field: &Field) -> Result<String, String> {
        let Field::Falco(falco) = field else { return Ok(field.name()) };
        if let Some((path, _)) = falco.known_path() {
            return Ok(path);
        }
        let name = falco.name();
        let can_be_written = !name.contains('|') && FalcoField::parse(&name).as_ref() == Some(falco);
        if can_be_written { Ok(name) } else { Err(format!("`{name}` has no name in Sigma")) }
    }

    fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// The name of a selection; one that is there already is used again.
    fn name(&mut self, selection: Selection) -> String {
        if let Some((name, _)) = self.selections.iter().find(|(_, known)| *known == selection) {
            return name.clone();
        }
        let field = selection.first().map_or("", |(key, _)| key.split('|').next().unwrap_or_default());
        let last = field.rsplit(['.', '/']).next().unwrap_or_default();
        let last: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
        let base = format!("selection_{}", last.to_ascii_lowercase());
        let is_taken = |name: &String| self.selections.iter().any(|(taken, _)| taken == name);
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(base);
        self.selections.push((name.clone(), selection));
        name
    }

    /// The block below `detection:`, indented by two blanks.
    pub(super) fn to_yaml(&self) -> String {
        let mut out = String::new();
        for (name, selection) in &self.selections {
            out.push_str(&format!("  {name}:\n"));
            for (key, values) in selection {
                match values.as_slice() {
                    [value] => out.push_str(&format!("    {}: {value}\n", key_text(key))),
                    values => {
                        out.push_str(&format!("    {}:\n", key_text(key)));
                        values.iter().for_each(|value| out.push_str(&format!("      - {value}\n")));
                    }
                }
            }
        }
        out.push_str(&format!("  condition: {}\n", self.condition));
        out
    }
}

fn order_name(order: Order) -> Result<&'static str, String> {
    Ok(match order {
        Order::Less => "lt",
        Order::LessOrEqual => "lte",
        Order::Greater => "gt",
        Order::GreaterOrEqual => "gte",
        Order::Equal | Order::NotEqual => return Err("a comparison has no form in Sigma".to_owned()),
    })
}

/// The modifier and the text of a pattern.
fn written(pattern: &Pattern) -> (&'static str, String) {
    match pattern {
        Pattern::Exact(text) => ("", escaped(text)),
        Pattern::Prefix(text) => ("|startswith", escaped(text)),
        Pattern::Suffix(text) => ("|endswith", escaped(text)),
        Pattern::Contains(text) => ("|contains", escaped(text)),
        Pattern::Wild(pieces) => {
            let piece = |piece: &Piece| match piece {
                Piece::Literal(text) => escaped(text),
                Piece::Many => "*".to_owned(),
                Piece::One => "?".to_owned(),
            };
            ("", pieces.iter().map(piece).collect())
        }
    }
}

/// A text in which nothing is a wildcard.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A regular expression for one of the paths and everything below it.
fn under(paths: &[Box<str>]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| regex::escape(path.trim_end_matches('/'))).collect();
    format!("^(?:{})(?:/|$)", paths.join("|"))
}

fn key_text(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '|' | '-' | '/');
    if key.chars().all(plain) { key.to_owned() } else { quoted(key) }
}

/// A text as YAML writes it in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    audit::quote(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
