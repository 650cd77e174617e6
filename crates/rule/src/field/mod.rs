//! Fields of an event: how they are named, where their values come from, what can hide them.

mod accessor;
mod derived;
mod facet;
mod identity;
mod known;
mod pkcs10;
mod pod;
mod walk;

use std::borrow::Cow;

use audit::{Event, Json};

pub(crate) use accessor::Row;
pub use derived::Derived;
pub(crate) use derived::audit_id_form;
pub(crate) use facet::Facet;
pub(crate) use known::check_path;
pub(crate) use pod::{CONTAINER_LISTS, patched_specs, spec as pod_spec};
pub(crate) use walk::{ARRAY_DEPTH_MAX, walk_values};

use crate::falco::FalcoField;

/// What a condition asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// A dotted path into the event, or into what a root names. Arrays are walked: any element counts.
    Path(Root, Box<str>),
    /// A field that is worked out (`kw.outcome`).
    Derived(Derived),
    /// A field of Falco's k8saudit or json plugin.
    Falco(FalcoField),
    /// Values of any of these.
    AnyOf(Vec<Field>),
    /// The whole text of the event, for keyword searches.
    Whole,
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// The event.
    Event,
    /// The pod spec of a Pod or of a workload's template: `kw.pod`.
    Pod,
    /// Every container, init container and ephemeral container of it: `kw.pod.containers`.
    PodContainers,
}

/// The part of an event that a field needs, which may not be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Recorded at every level.
    Metadata,
    /// Of an identity all but its name: groups, `uid`, `extra`, and impersonation. What travels through a cloud's own log
    /// (GKE) or a flattened index keeps the name alone.
    Identity,
    /// The query of the request URI. A cloud's own log (GKE) names the object instead of the URI.
    Query,
    /// `responseStatus`: not before the response.
    ResponseStatus,
    /// `responseStatus.reason`, which a request that succeeds has none of. A cloud's own log (GKE) has a code alone.
    Reason,
    /// `requestObject`: from level `Request`.
    Request,
    /// `responseObject`: only at level `RequestResponse`.
    Response,
}

impl Part {
    /// How many parts there are.
    pub(crate) const COUNT: usize = Self::Response as usize + 1;

    /// The part that holds what `path`, from the top of the event, names.
    pub(crate) fn of_path(path: &str) -> Self {
        let mut keys = path.split('.');
        match (keys.next().unwrap_or_default(), keys.next()) {
            ("requestObject", _) => Self::Request,
            ("responseObject", _) => Self::Response,
            ("responseStatus", Some("reason")) => Self::Reason,
            ("responseStatus", _) => Self::ResponseStatus,
            ("user", Some("groups" | "uid" | "extra")) => Self::Identity,
            ("impersonatedUser" | "authenticationMetadata", _) => Self::Identity,
            _ => Self::Metadata,
        }
    }
}

/// One value of a field.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// As it stands in the event.
    Json(Json<'a>),
    /// Worked out.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// The value as it is compared: strings decoded, anything else its JSON text.
    pub fn display(&self) -> Cow<'a, str> {
        match self {
            Self::Json(json) => json.display(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A field by its name, for reading values outside a rule (group-by, templates).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    name: Box<str>,
    field: Field,
    /// Where the event has a place for it or for what it lies in, and the path from there.
    row: Option<(Row, Box<str>)>,
    facet: Facet,
}

impl FieldPath {
    /// The field called `name`: a path of the event, a Sigma pseudo-field, `kw.…`, `ka.…` or `jevt.…`.
    pub fn new(name: &str) -> Self {
        let field = match FalcoField::parse(name) {
            Some(field) => Field::Falco(field),
            None => Field::named(name),
        };
        let row = match &field {
            Field::Path(Root::Event, path) => Row::above(path).map(|row| (row, row.rest(path).into())),
            _ => None,
        };
        Self { name: name.into(), facet: field.facet(), field, row }
    }

    /// The name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn facet(&self) -> Facet {
        self.facet
    }

    /// The field it names.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Calls `found` with every value in `event`, as text. Null counts as none.
    pub fn each_value<'a>(&self, event: &Event<'a>, found: &mut dyn FnMut(Cow<'a, str>)) {
        let mut show = |value: Value<'a>| found(value.display());
        match &self.row {
            Some((row, rest)) => row.read(event).into_iter().for_each(|json| walk::walk(json, rest, &mut show)),
            None => walk_values(event, &self.field, &mut show),
        }
    }
}

/// Every value of `path` in `event`, as text; empty if it has none. Null counts as none.
pub fn field_values<'a>(event: &Event<'a>, path: &FieldPath) -> Vec<Cow<'a, str>> {
    let mut values = Vec::new();
    path.each_value(event, &mut |value| values.push(value));
    values
}

impl Field {
    /// The field that a Sigma rule calls `name`, pseudo-fields included.
    pub fn named(name: &str) -> Self {
        if let Some(field) = crate::sigma::pseudo_field(name) {
            return field;
        }
        match name.strip_prefix("kw.") {
            Some(rest) => Self::kw(rest).unwrap_or_else(|| Self::path(name)),
            None => Self::path(name),
        }
    }

    /// A path from the top of the event.
    pub fn path(path: &str) -> Self {
        Self::Path(Root::Event, path.into())
    }

    /// The field `kw.…` whose name after `kw.` is `rest`.
    pub(crate) fn kw(rest: &str) -> Option<Self> {
        let under = |root: &str| rest.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('.'));
        let path = |rest: &str| rest.trim_start_matches('.').into();
        if let Some(rest) = under("pod.containers") {
            return Some(Self::Path(Root::PodContainers, path(rest)));
        }
        if let Some(rest) = under("pod") {
            return Some(Self::Path(Root::Pod, path(rest)));
        }
        Derived::parse(rest).map(Self::Derived)
    }

    /// The name as a rule writes it.
    pub fn name(&self) -> String {
        match self {
            Self::Path(Root::Event, path) => path.to_string(),
            Self::Path(Root::Pod, path) => dotted("kw.pod", path),
            Self::Path(Root::PodContainers, path) => dotted("kw.pod.containers", path),
            Self::Derived(derived) => format!("kw.{}", derived.name()),
            Self::Falco(field) => field.name(),
            Self::AnyOf(fields) => fields.iter().map(Self::name).collect::<Vec<_>>().join(" | "),
            Self::Whole => "(any field)".to_owned(),
        }
    }

    /// The richest part of the event that it reads.
    pub fn part(&self) -> Part {
        match self {
            Self::Path(Root::Event, path) => Part::of_path(path),
            Self::Path(Root::Pod | Root::PodContainers, _) => Part::Request,
            Self::Derived(derived) => derived.part(),
            Self::Falco(field) => field.part(),
            // One of them is enough, so the poorest decides.
            Self::AnyOf(fields) => fields.iter().map(Self::part).min().unwrap_or(Part::Metadata),
            Self::Whole => Part::Metadata,
        }
    }
}

pub(crate) fn dotted(root: &str, path: &str) -> String {
    if path.is_empty() { root.to_owned() } else { format!("{root}.{path}") }
}

/// Whether `event` could not hold `part` even if the request had it: then an absent value means "not recorded".
pub fn is_hidden(event: &Event<'_>, part: Part) -> bool {
    use audit::{Level, Stage};
    // An index that kept no level may have kept no body either.
    let below = |least: Level| event.level().is_none_or(|level| level < least);
    let early = |last: Stage| event.stage().is_some_and(|stage| stage <= last);
    let truncated = || event.annotation("audit.k8s.io/truncated").as_deref() == Some("true");
    match part {
        Part::Metadata => false,
        Part::Identity => identity::is_name_alone(event),
        Part::Query => {
            let uri = event.request_uri.and_then(Json::inner).unwrap_or_default();
            identity::is_name_alone(event) && !uri.contains(&b'?')
        }
        Part::ResponseStatus => event.response_status.is_none() && early(Stage::RequestReceived),
        Part::Reason => {
            is_hidden(event, Part::ResponseStatus)
                || identity::is_name_alone(event) && event.code().is_none_or(|code| code >= 400)
        }
        Part::Request => {
            event.request_object.is_none()
                && has_request_body(&event.verb())
                && (below(Level::Request) || early(Stage::RequestReceived) || truncated())
        }
        Part::Response => {
            event.response_object.is_none()
                && (below(Level::RequestResponse) || early(Stage::ResponseStarted) || truncated())
        }
    }
}

/// Reads have no body, so for them a missing one hides nothing.
fn has_request_body(verb: &str) -> bool {
    !matches!(verb, "get" | "list" | "watch" | "head" | "options")
}
