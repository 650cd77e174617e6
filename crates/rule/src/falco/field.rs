//! Fields of Falco's plugins.

use audit::Event;

use super::pointer;
use crate::field::{Part, Value};

/// A field of a Falco condition or output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FalcoField {
    /// `jevt.value[/pointer]`.
    Pointer(Box<str>),
}

impl FalcoField {
    /// The field that a rule writes as `name`.
    pub fn parse(name: &str) -> Option<Self> {
        let pointer = ["jevt.value[", "json.value["].iter().find_map(|start| name.strip_prefix(start))?;
        pointer.strip_suffix(']').map(|pointer| Self::Pointer(pointer.into()))
    }

    /// The name as a rule writes it.
    pub fn name(&self) -> String {
        match self {
            Self::Pointer(pointer) => format!("jevt.value[{pointer}]"),
        }
    }

    /// The richest part of the event that it reads.
    pub fn part(&self) -> Part {
        match self {
            Self::Pointer(pointer) => {
                crate::field::Field::path(&pointer.trim_start_matches('/').replace('/', ".")).part()
            }
        }
    }

    pub(crate) fn values<'a>(&self, event: &Event<'a>, found: &mut dyn FnMut(Value<'a>)) {
        match self {
            Self::Pointer(pointer) => {
                if let Some(json) = pointer::resolve(event.json, pointer).filter(|json| !json.is_null()) {
                    found(Value::Json(json));
                }
            }
        }
    }
}
