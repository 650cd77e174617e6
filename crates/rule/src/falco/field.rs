//! Fields of Falco's plugins: the hundred `ka.*`, `jevt.*` with its other name `json.*`, and transformers of them.

use std::borrow::Cow;

use audit::{Event, Json};

use super::extract;
use super::grammar;
use super::pointer;
use super::transform::Transformer;
use crate::field::{Facet, Field, Part, Value};
use crate::set::Fidelity;

/// Longest function of fields that is read as the name of a field, in bytes.
const FUNCTION_BYTES_MAX: usize = 4096;

/// A field of a Falco condition or output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FalcoField {
    /// `ka.…`: a row of the table of the k8saudit plugin.
    Ka {
        /// Its row.
        row: u8,
        /// What stands in brackets.
        argument: Option<Box<str>>,
        /// Whether it is read with the plugin's defects.
        fidelity: Fidelity,
    },
    /// `jevt.value[/pointer]`.
    Pointer(Box<str>),
    /// `jevt.obj`: the event, laid out.
    Object,
    /// `jevt.rawtime`: time of the stage in nanoseconds since 1970.
    RawTime,
    /// `evt.time`: time of the stage.
    Time,
    /// A function of other fields.
    Transformed(Transformer, Vec<Argument>),
}

/// An argument of a transformer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// A field.
    Field(FalcoField),
    /// A text.
    Text(Box<str>),
    /// Several texts.
    List(Vec<Box<str>>),
}

/// Why a name is no field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAField {
    Unknown,
    NeedsArgument,
    TakesNoArgument,
    NoNumber,
}

impl FalcoField {
    /// The field that a rule writes as `name`, brackets included, or a function of fields: `tolower(ka.user.name)`.
    pub fn parse(name: &str) -> Option<Self> {
        if name.ends_with(')') {
            return (name.len() <= FUNCTION_BYTES_MAX).then(|| grammar::function(name)).flatten();
        }
        let (base, argument) = match name.split_once('[') {
            Some((base, rest)) => (base, Some(rest.strip_suffix(']')?)),
            None => (name, None),
        };
        Self::new(base, argument).ok()
    }

    pub(crate) fn new(base: &str, argument: Option<&str>) -> Result<Self, NotAField> {
        if let Some(rest) = base.strip_prefix("jevt.").or_else(|| base.strip_prefix("json.")) {
            return match (rest, argument) {
                ("value", Some(pointer)) => Ok(Self::Pointer(pointer.into())),
                ("value", None) => Err(NotAField::NeedsArgument),
                ("obj" | "rawtime", Some(_)) => Err(NotAField::TakesNoArgument),
                ("obj", None) => Ok(Self::Object),
                ("rawtime", None) => Ok(Self::RawTime),
                _ => Err(NotAField::Unknown),
            };
        }
        if matches!(base, "evt.time" | "evt.datetime" | "evt.time.iso8601") {
            return Ok(Self::Time);
        }
        if base == "evt.rawtime" {
            return Ok(Self::RawTime);
        }
        let (row, known) = extract::row(base).ok_or(NotAField::Unknown)?;
        match (known.takes, argument) {
            (extract::Takes::Nothing, Some(_)) => return Err(NotAField::TakesNoArgument),
            (extract::Takes::Key, None) => return Err(NotAField::NeedsArgument),
            (extract::Takes::Index, Some(text)) if text.parse::<usize>().is_err() => return Err(NotAField::NoNumber),
            _ => {}
        }
        Ok(Self::Ka { row, argument: argument.map(Into::into), fidelity: Fidelity::Native })
    }

    /// The same field, read with or without the plugin's defects.
    pub(crate) fn read_with(&mut self, wanted: Fidelity) {
        match self {
            Self::Ka { fidelity, .. } => *fidelity = wanted,
            Self::Transformed(_, arguments) => arguments.iter_mut().for_each(|argument| {
                if let Argument::Field(field) = argument {
                    field.read_with(wanted);
                }
            }),
            _ => {}
        }
    }

    /// The name as a rule writes it.
    pub fn name(&self) -> String {
        match self {
            Self::Ka { row, argument: None, .. } => extract::TABLE[usize::from(*row)].name().to_owned(),
            Self::Ka { row, argument: Some(argument), .. } => {
                format!("{}[{argument}]", extract::TABLE[usize::from(*row)].name())
            }
            Self::Pointer(pointer) => format!("jevt.value[{pointer}]"),
            Self::Object => "jevt.obj".to_owned(),
            Self::RawTime => "jevt.rawtime".to_owned(),
            Self::Time => "evt.time".to_owned(),
            Self::Transformed(transformer, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(Argument::written).collect();
                format!("{}({})", transformer.name(), arguments.join(", "))
            }
        }
    }

    /// Whether it has several values.
    pub fn is_list(&self) -> bool {
        match self {
            Self::Ka { row, argument, .. } => extract::TABLE[usize::from(*row)].list && argument.is_none(),
            Self::Transformed(transformer, arguments) => {
                *transformer == Transformer::GetOpt
                    || transformer.keeps_lists()
                        && arguments
                            .iter()
                            .any(|argument| matches!(argument, Argument::Field(field) if field.is_list()))
            }
            _ => false,
        }
    }

    /// The richest part of the event that it reads.
    pub fn part(&self) -> Part {
        match self {
            Self::Ka { row, .. } => extract::TABLE[usize::from(*row)].part(),
            Self::Pointer(pointer) => Field::path(&pointer.trim_start_matches('/').replace('/', ".")).part(),
            Self::Object | Self::RawTime | Self::Time => Part::Metadata,
            Self::Transformed(_, arguments) => {
                let parts = arguments.iter().filter_map(|argument| match argument {
                    Argument::Field(field) => Some(field.part()),
                    _ => None,
                });
                parts.max().unwrap_or(Part::Metadata)
            }
        }
    }

    /// The dotted path of the event that it is, and whether it has several values; `None` if it is more than a path.
    pub(crate) fn known_path(&self) -> Option<(String, bool)> {
        match self {
            Self::Pointer(pointer) if !pointer.contains(['~', '.']) => {
                Some((pointer.trim_start_matches('/').replace('/', "."), false))
            }
            Self::Time => Some(("stageTimestamp".to_owned(), false)),
            Self::Ka { row, argument: None, fidelity } => {
                let known = &extract::TABLE[usize::from(*row)];
                match known.extract(*fidelity) {
                    extract::Extract::Path(keys) => Some((keys.join("."), known.list)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The part of an event that decides it.
    pub(crate) fn facet(&self) -> Facet {
        match self {
            Self::Ka { row, fidelity, .. } => extract::TABLE[usize::from(*row)].extract(*fidelity).facet(),
            Self::Pointer(pointer) => match pointer.trim_start_matches('/') {
                path if path.contains(['~', '.']) => Facet::Rest,
                path => Facet::of_path(&path.replace('/', ".")),
            },
            Self::Object | Self::RawTime | Self::Time => Facet::Rest,
            Self::Transformed(_, arguments) => {
                let facets = arguments.iter().filter_map(|argument| match argument {
                    Argument::Field(field) => Some(field.facet()),
                    _ => None,
                });
                facets.reduce(Facet::and).unwrap_or(Facet::Action)
            }
        }
    }

    /// What the plugin gets wrong about it, if anything.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        match self {
            Self::Ka { row, .. } => extract::TABLE[usize::from(*row)].defect,
            Self::Transformed(_, arguments) => arguments.iter().find_map(|argument| match argument {
                Argument::Field(field) => field.defect(),
                _ => None,
            }),
            _ => None,
        }
    }

    pub(crate) fn values<'a>(&self, event: &Event<'a>, found: &mut dyn FnMut(Value<'a>)) {
        match self {
            Self::Ka { row, argument, fidelity } => {
                let extract = extract::TABLE[usize::from(*row)].extract(*fidelity);
                extract::values(extract, event, argument.as_deref(), found);
            }
            Self::Pointer(pointer) => {
                if let Some(json) = pointer::resolve(event.json, pointer).filter(|json| !json.is_null()) {
                    found(Value::Json(json));
                }
            }
            Self::Object => found(Value::Text(Cow::Owned(laid_out(event.json)))),
            Self::RawTime => {
                if let Some(micros) = event.stage_time() {
                    found(Value::Text(Cow::Owned(format!("{micros}000"))));
                }
            }
            Self::Time => event.stage_timestamp.into_iter().for_each(|time| found(Value::Json(time))),
            Self::Transformed(transformer, arguments) => transformer.apply(arguments, event, found),
        }
    }
}

impl Argument {
    fn written(&self) -> String {
        match self {
            Self::Field(field) => field.name(),
            Self::Text(text) => format!("\"{text}\""),
            Self::List(items) => {
                format!("({})", items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// JSON over several lines, two blanks a level.
fn laid_out(json: Json<'_>) -> String {
    let bytes = json.bytes();
    let (mut out, mut depth, mut quoted, mut escaped) = (Vec::with_capacity(bytes.len() * 2), 0usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        // Deep nesting is not worth its square in blanks.
        out.extend(std::iter::repeat_n(b' ', 2 * depth.min(100)));
    };
    for (i, &byte) in bytes.iter().enumerate() {
        if quoted {
            out.push(byte);
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        let next = bytes[i + 1..].iter().find(|b| !b.is_ascii_whitespace());
        let last = out.last().copied();
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                if !matches!(next, Some(b'}' | b']')) {
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(last, Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                quoted = byte == b'"';
                out.push(byte);
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
