//! Output templates: `Shell in %ka.target.name (user=%ka.user.name)`.

use audit::Event;

use super::field::{FalcoField, NotAField};
use super::lex::Lexer;
use super::transform::Transformer;
use crate::problem::{Fault, Place};
use crate::rule::{Output, OutputPart};

/// Reads a template. A field that does not exist is an error.
pub(super) fn parse(text: &str, place: Place) -> Result<Output, Fault> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while let Some((before, after)) = rest.split_once('%') {
        push_text(&mut parts, before);
        if let Some(after) = after.strip_prefix('%') {
            push_text(&mut parts, "%");
            rest = after;
            continue;
        }
        let mut lexer = Lexer::new(after);
        match field(&mut lexer, after) {
            Ok(Some(field)) => {
                parts.push(OutputPart::Field(field));
                rest = lexer.rest();
            }
            Ok(None) => {
                push_text(&mut parts, "%");
                rest = after;
            }
            Err(what) => return Err(Fault::error(place, what)),
        }
    }
    push_text(&mut parts, rest);
    Ok(Output(parts))
}

fn push_text(parts: &mut Vec<OutputPart>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(OutputPart::Text(before)) => before.push_str(text),
        _ => parts.push(OutputPart::Text(text.to_owned())),
    }
}

/// The field that `after` starts with; `None` if it starts with no name.
fn field<'t>(lexer: &mut Lexer<'t>, after: &'t str) -> Result<Option<FalcoField>, String> {
    if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let Some(name) = lexer.identifier() else { return Ok(None) };
    if let Some(transformer) = Transformer::parse(name).filter(|_| lexer.rest().starts_with('(')) {
        lexer.takes("(");
        let inner_text = lexer.rest();
        let inner = field(lexer, inner_text)?.ok_or("expected a field in the output")?;
        if !lexer.takes(")") {
            return Err("missing `)` in the output".to_owned());
        }
        return Ok(Some(FalcoField::Transformed(transformer, vec![super::field::Argument::Field(inner)])));
    }
    // A full stop that ends a sentence is not part of the name.
    let trimmed = name.trim_end_matches('.');
    if trimmed.len() < name.len() {
        *lexer = Lexer::new(&after[trimmed.len()..]);
    }
    if !trimmed.contains('.') {
        return Err(format!("unknown field `%{trimmed}` in the output (write `%%` for a percent sign)"));
    }
    let argument = lexer.bracket()?;
    match FalcoField::new(trimmed, argument.as_deref()) {
        Ok(field) => Ok(Some(field)),
        Err(NotAField::NeedsArgument) => Err(format!("`%{trimmed}` in the output needs something in brackets")),
        Err(_) => Err(format!("unknown field `%{trimmed}` in the output")),
    }
}

impl Output {
    /// The output for `event`. A missing value is `<NA>`; several stand in parentheses.
    pub fn render(&self, event: &Event<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                OutputPart::Text(plain) => text.push_str(plain),
                OutputPart::Field(field) => text.push_str(&shown(field, event).unwrap_or_else(|| "<NA>".to_owned())),
            }
        }
        text
    }

    /// Each field with its value; `None` if it is missing.
    pub fn fields(&self, event: &Event<'_>) -> Vec<(String, Option<String>)> {
        let fields = self.0.iter().filter_map(|part| match part {
            OutputPart::Field(field) => Some(field),
            OutputPart::Text(_) => None,
        });
        fields.map(|field| (field.name(), shown(field, event))).collect()
    }

    pub(crate) fn each_field(&mut self, visit: &mut dyn FnMut(&mut FalcoField)) {
        for part in &mut self.0 {
            if let OutputPart::Field(field) = part {
                visit(field);
            }
        }
    }
}

fn shown(field: &FalcoField, event: &Event<'_>) -> Option<String> {
    let mut values = Vec::new();
    field.values(event, &mut |value| values.push(value.display().into_owned()));
    match (field.is_list(), values.as_slice()) {
        (_, []) => None,
        (true, several) => Some(format!("({})", several.join(","))),
        (false, [first, ..]) => Some(first.clone()),
    }
}
