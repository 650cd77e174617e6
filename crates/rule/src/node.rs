//! The values of a YAML document, each with its place.

use std::borrow::Cow;

use crate::problem::Place;

/// One YAML value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Text as written; `plain` if it stood without quotes or tag.
    Scalar {
        text: Cow<'static, str>,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key))
    }

    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar; `None` for null, lists and maps.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.value, Value::Scalar { .. })
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The texts of a list of scalars, or of one scalar.
    pub(crate) fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::List(items) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            Value::Scalar { .. } => self.text().map(str::to_owned).into_iter().collect(),
            Value::Map(_) => Vec::new(),
        }
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Scalar { .. } if self.is_null() => "null",
            Value::Scalar { .. } => "a scalar",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Values in it, itself and keys included.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Map(entries) => entries.iter().map(|(key, value)| key.count() + value.count()).sum(),
        }
    }

    /// The value as JSON, plain scalars typed as YAML 1.2 types them.
    pub(crate) fn to_json(&self) -> String {
        let mut json = Vec::new();
        self.write_json(&mut json);
        String::from_utf8(json).unwrap_or_default()
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let comma = |at: usize, out: &mut Vec<u8>| out.extend((at > 0).then_some(b','));
        match &self.value {
            Value::Scalar { text, plain } => write_scalar(text, *plain, self.is_null(), out),
            Value::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    comma(at, out);
                    item.write_json(out);
                }
                out.push(b']');
            }
            Value::Map(entries) => {
                out.push(b'{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    comma(at, out);
                    quote(key.text().unwrap_or_default(), out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_scalar(text: &str, plain: bool, null: bool, out: &mut Vec<u8>) {
    let literal = plain
        && (matches!(text, "true" | "false")
            || text.parse::<i64>().is_ok_and(|n| n.to_string() == text)
            || is_decimal(text));
    match (null, literal) {
        (true, _) => out.extend_from_slice(b"null"),
        (false, true) => out.extend_from_slice(text.as_bytes()),
        (false, false) => quote(text, out),
    }
}

/// Whether it is a JSON number with a fraction.
fn is_decimal(text: &str) -> bool {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Some((whole, fraction)) = mantissa.split_once('.') else { return false };
    are_digits(whole.strip_prefix('-').unwrap_or(whole))
        && are_digits(fraction)
        && are_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

/// Writes a JSON string. The build script shares this file, which is why nothing here comes from another crate.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..=0x1f => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_typed_and_texts_are_quoted() {
        let json = |text: &'static str, plain| {
            let place = Place { line: 1, column: 1 };
            Node { place, value: Value::Scalar { text: text.into(), plain } }.to_json()
        };
        for number in ["1", "-7", "1.5", "-0.25", "2.5e-3", "true", "null"] {
            assert_eq!(json(number, true), number);
        }
        for text in ["1.", ".5", "1.5e", "1.x", "007", "+1", "1e5", "v1.2"] {
            assert_eq!(json(text, true), format!("\"{text}\""));
        }
        assert_eq!(json("1.5", false), "\"1.5\"");
        assert_eq!(json("a\"b\\c\nd\u{1}é", true), r#""a\"b\\c\u000ad\u0001é""#);
    }
}
