//! Paths into the event's own JSON, such as `requestObject.spec.containers[*].image`.

use std::fmt;

use audit::{Event, Json, JsonKind};

/// Lists inside lists that a path looks into; deeper ones are not seen.
pub const LIST_DEPTH_MAX: usize = 8;

/// Where values stand in the event. A list on the way means any of its elements, with or without `[*]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// The member of the event at which it starts.
    pub root: Root,
    /// The way from there.
    pub steps: Vec<Step>,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member of an object; of any object if they stand in a list. Keys are case-sensitive.
    Key(String),
    /// One element of a list, from zero.
    Index(u32),
    /// `[*]` or `*`: any element of a list, any member of an object.
    Any,
}

/// Member of the event at which a [`Path`] starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "members of the event, named in `TABLE`")]
pub enum Root {
    /// The whole event, for members without a name of their own.
    Event,
    RequestObject,
    ResponseObject,
    Annotations,
    User,
    ImpersonatedUser,
    ObjectRef,
    ResponseStatus,
    AuthenticationMetadata,
}

/// Canonical name, other name, root.
const TABLE: [(&str, &str, Root); 9] = [
    ("event", "raw", Root::Event),
    ("requestObject", "request", Root::RequestObject),
    ("responseObject", "response", Root::ResponseObject),
    ("annotations", "annotation", Root::Annotations),
    ("user", "user", Root::User),
    ("impersonatedUser", "impersonatedUser", Root::ImpersonatedUser),
    ("objectRef", "objectRef", Root::ObjectRef),
    ("responseStatus", "responseStatus", Root::ResponseStatus),
    ("authenticationMetadata", "authenticationMetadata", Root::AuthenticationMetadata),
];

impl Root {
    /// The root of a name, as in `request.spec`.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|(canonical, other, _)| canonical.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(name))
            .map(|(_, _, root)| *root)
    }

    /// Canonical name: the member of the event.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].0
    }

    /// Every root with its other name.
    pub fn all() -> impl Iterator<Item = (Root, &'static str)> {
        TABLE.iter().map(|(_, other, root)| (*root, *other))
    }

    fn value<'a>(self, event: &Event<'a>) -> Option<Json<'a>> {
        match self {
            Self::Event => Some(event.json),
            Self::RequestObject => event.request_object,
            Self::ResponseObject => event.response_object,
            Self::Annotations => event.annotations,
            Self::AuthenticationMetadata => event.authentication_metadata,
            Self::User | Self::ImpersonatedUser | Self::ObjectRef | Self::ResponseStatus => event.json.get(self.name()),
        }
    }
}

impl Path {
    /// Whether any value at the end of the path satisfies `test`. `null` and the empty text count as absent and are
    /// not shown to it; lists are shown element by element.
    pub fn any<'a>(&self, event: &Event<'a>, mut test: impl FnMut(Json<'a>) -> bool) -> bool {
        self.root.value(event).is_some_and(|root| walk(root, &self.steps, 0, &mut test))
    }

    /// The same from a value that was found before: a body kept in a column of its own.
    pub fn any_below<'a>(&self, root: Json<'a>, mut test: impl FnMut(Json<'a>) -> bool) -> bool {
        walk(root, &self.steps, 0, &mut test)
    }
}

/// Recursion is bounded by the number of steps plus [`LIST_DEPTH_MAX`].
fn walk<'a>(value: Json<'a>, steps: &[Step], lists: usize, test: &mut impl FnMut(Json<'a>) -> bool) -> bool {
    let is_list = value.kind() == JsonKind::Array;
    let Some((step, rest)) = steps.split_first() else {
        return if is_list { each(value, steps, lists, test) } else { is_present(value) && test(value) };
    };
    match step {
        Step::Index(index) => value.elements().nth(*index as usize).is_some_and(|value| walk(value, rest, lists, test)),
        Step::Any if is_list => value.elements().any(|value| walk(value, rest, lists, test)),
        Step::Any => value.members().any(|(_, value)| walk(value, rest, lists, test)),
        Step::Key(_) if is_list => each(value, steps, lists, test),
        Step::Key(key) => value.get(key).is_some_and(|value| walk(value, rest, lists, test)),
    }
}

fn each<'a>(list: Json<'a>, steps: &[Step], lists: usize, test: &mut impl FnMut(Json<'a>) -> bool) -> bool {
    lists < LIST_DEPTH_MAX && list.elements().any(|value| walk(value, steps, lists + 1, test))
}

fn is_present(value: Json<'_>) -> bool {
    !value.is_null() && value.bytes() != b"\"\""
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        for step in &self.steps {
            match step {
                Step::Any => f.write_str("[*]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain_key(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, ".\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))?,
            }
        }
        Ok(())
    }
}

fn is_plain_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(is_key_byte)
}

/// What a key may hold without quotes.
pub(crate) fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'$' | b'@')
}
