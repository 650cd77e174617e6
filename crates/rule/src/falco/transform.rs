//! Functions of fields: `tolower(ka.user.name)`.

use audit::Event;
use base64::Engine;

use super::field::Argument;
use crate::field::Value;

/// A function of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transformer {
    /// Lower case.
    ToLower,
    /// Upper case.
    ToUpper,
    /// The text that base64 holds; none if it is not base64.
    Base64,
    /// What stands after the last `/`.
    BaseName,
    /// Length of a text in bytes, or number of values of a list.
    Length,
    /// `join(separator, list…)`: the values with a separator between them.
    Join,
    /// The texts one after the other.
    Concat,
    /// `val(field)`: the field as it is, on the right of a comparison.
    Value,
    /// `getopt(words, letters)`: the options among words with their arguments.
    GetOpt,
}

impl Transformer {
    const ALL: [(&'static str, Self); 9] = [
        ("tolower", Self::ToLower),
        ("toupper", Self::ToUpper),
        ("b64", Self::Base64),
        ("basename", Self::BaseName),
        ("len", Self::Length),
        ("join", Self::Join),
        ("concat", Self::Concat),
        ("val", Self::Value),
        ("getopt", Self::GetOpt),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, transformer)| *transformer)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, transformer)| *transformer == self).map_or("", |(name, _)| name)
    }

    /// Whether each value of a list becomes one.
    pub(crate) fn keeps_lists(self) -> bool {
        matches!(self, Self::ToLower | Self::ToUpper | Self::Base64 | Self::BaseName | Self::Value | Self::GetOpt)
    }

    pub(crate) fn apply<'a>(self, arguments: &[Argument], event: &Event<'a>, found: &mut dyn FnMut(Value<'a>)) {
        let texts = |arguments: &[Argument]| -> Vec<String> {
            let mut texts = Vec::new();
            for argument in arguments {
                match argument {
                    Argument::Text(text) => texts.push(text.to_string()),
                    Argument::List(items) => texts.extend(items.iter().map(|item| item.to_string())),
                    Argument::Field(field) => {
                        field.values(event, &mut |value| texts.push(value.display().into_owned()));
                    }
                }
            }
            texts
        };
        let values = texts(arguments);
        let mut text = |text: String| found(Value::Text(text.into()));
        match self {
            Self::ToLower => values.iter().for_each(|value| text(value.to_lowercase())),
            Self::ToUpper => values.iter().for_each(|value| text(value.to_uppercase())),
            Self::Base64 => values.iter().filter_map(|value| decoded(value)).for_each(text),
            Self::BaseName => {
                values.iter().for_each(|value| text(value.rsplit('/').next().unwrap_or_default().to_owned()));
            }
            Self::Length => match arguments {
                [Argument::Field(field)] if field.is_list() => text(values.len().to_string()),
                _ => values.iter().for_each(|value| text(value.len().to_string())),
            },
            Self::Join => {
                if let [first, rest @ ..] = arguments {
                    text(texts(rest).join(&texts(std::slice::from_ref(first)).concat()));
                }
            }
            // One that is missing makes the whole missing.
            Self::Concat if values.len() < arguments.len() => {}
            Self::Concat => text(values.concat()),
            Self::Value => values.into_iter().for_each(text),
            Self::GetOpt => {
                let words = texts(&arguments[..arguments.len().min(1)]);
                let letters = texts(arguments.get(1..).unwrap_or_default()).concat();
                options(&words, &letters).into_iter().for_each(text);
            }
        }
    }
}

/// The options among `words` and their arguments, one after the other, as POSIX `getopt` reads them: a letter that a
/// colon follows in `letters` has an argument. An unknown letter gives `?`; a missing argument too, or `:` if `letters`
/// starts with a colon.
fn options(words: &[String], letters: &str) -> Vec<String> {
    let missing = if letters.starts_with(':') { ":" } else { "?" };
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty() && *cluster != "-") else {
            break;
        };
        for (at, letter) in cluster.char_indices() {
            let known = letters.find(letter).filter(|_| letter != ':');
            let takes_argument = known.is_some_and(|at| letters[at + letter.len_utf8()..].starts_with(':'));
            if known.is_none() {
                found.push("?".to_owned());
                continue;
            }
            if !takes_argument {
                found.push(letter.to_string());
                continue;
            }
            let rest = &cluster[at + letter.len_utf8()..];
            match if rest.is_empty() { words.next().cloned() } else { Some(rest.to_owned()) } {
                Some(argument) => found.extend([letter.to_string(), argument]),
                None => found.push(missing.to_owned()),
            }
            break;
        }
    }
    found
}

fn decoded(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_posix_reads_them() {
        for (words, letters, want) in [
            ("-n -t value", "nt:", "n t value"),
            ("-nt value", "nt:", "n t value"),
            ("-tvalue -n", "nt:", "t value n"),
            ("-x -n", "n", "? n"),
            ("-t", "t:", "?"),
            ("-t", ":t:", ":"),
            ("-a file -b", "ab", "a"),
            ("-a -- -b", "ab", "a"),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(options(&words, letters).join(" "), want, "{words:?}");
        }
    }
}
