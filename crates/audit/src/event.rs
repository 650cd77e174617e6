//! One audit event: a place for every field of `audit.k8s.io/v1`, as it stands in the text.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::{Fault, Json, JsonKind, scan, scan_members, skip_blanks};
use crate::time::{Micros, parse_bytes};

/// Moment of a request at which an event was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the audit API")]
pub enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    /// All stages in the order in which they happen.
    pub const ALL: [Stage; 4] = [Self::RequestReceived, Self::ResponseStarted, Self::ResponseComplete, Self::Panic];

    /// The name in the audit API.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }

    /// Reads the exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// How much of a request its event holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the audit API")]
pub enum Level {
    #[default]
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    /// All levels, the poorest first.
    pub const ALL: [Level; 4] = [Self::None, Self::Metadata, Self::Request, Self::RequestResponse];

    /// The name in the audit API.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }

    /// Reads the exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An identity: who made the request, or whom it was made as.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the fields of authentication.k8s.io UserInfo")]
pub struct User<'a> {
    pub username: Option<Json<'a>>,
    pub uid: Option<Json<'a>>,
    /// Array of strings.
    pub groups: Option<Json<'a>>,
    /// Object of arrays of strings.
    pub extra: Option<Json<'a>>,
}

/// What the request was about; absent for requests outside the resource API.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the fields of the audit API's ObjectReference")]
pub struct ObjectRef<'a> {
    pub resource: Option<Json<'a>>,
    pub subresource: Option<Json<'a>>,
    pub namespace: Option<Json<'a>>,
    pub name: Option<Json<'a>>,
    pub uid: Option<Json<'a>>,
    pub api_group: Option<Json<'a>>,
    pub api_version: Option<Json<'a>>,
    pub resource_version: Option<Json<'a>>,
}

/// What came of the request.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the fields of meta.k8s.io Status")]
pub struct ResponseStatus<'a> {
    pub code: Option<Json<'a>>,
    pub status: Option<Json<'a>>,
    pub reason: Option<Json<'a>>,
    pub message: Option<Json<'a>>,
    pub details: Option<Json<'a>>,
}

/// One audit event. Every field is optional: hostile and old events lack some, and a missing field is not an empty one.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields of audit.k8s.io/v1 Event")]
pub struct Event<'a> {
    /// The whole object as it stands in the text.
    pub json: Json<'a>,
    pub kind: Option<Json<'a>>,
    pub api_version: Option<Json<'a>>,
    pub level: Option<Json<'a>>,
    pub audit_id: Option<Json<'a>>,
    pub stage: Option<Json<'a>>,
    pub request_uri: Option<Json<'a>>,
    pub verb: Option<Json<'a>>,
    pub user: User<'a>,
    pub impersonated_user: Option<User<'a>>,
    pub authentication_metadata: Option<Json<'a>>,
    /// Array of strings; the last is the peer.
    pub source_ips: Option<Json<'a>>,
    pub user_agent: Option<Json<'a>>,
    pub object_ref: Option<ObjectRef<'a>>,
    pub response_status: Option<ResponseStatus<'a>>,
    pub request_object: Option<Json<'a>>,
    pub response_object: Option<Json<'a>>,
    pub request_received_timestamp: Option<Json<'a>>,
    pub stage_timestamp: Option<Json<'a>>,
    /// Object of strings.
    pub annotations: Option<Json<'a>>,
}

/// Why a text is not an audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// It is not JSON.
    #[error(transparent)]
    Syntax(#[from] Fault),
    /// It is JSON, but not an object.
    #[error("expected an object")]
    NotAnObject,
    /// It is an object of another kind, or lacks the fields that make an audit event.
    #[error("an object without the fields of an audit event (auditID with stage or verb)")]
    OtherObject,
}

impl<'a> Event<'a> {
    /// Reads `text` as one event. The text is checked once; fields are found, not decoded.
    pub fn parse(text: &'a [u8]) -> Result<Self, NotAnEvent> {
        let start = skip_blanks(text, 0);
        if text.get(start) != Some(&b'{') {
            return Json::whole(text).map_err(NotAnEvent::Syntax).and(Err(NotAnEvent::NotAnObject));
        }
        let mut event = Self::empty(Json::checked(&[]));
        let end = scan_members(text, start, &mut |key, value| event.scan(text, key, value))?;
        let rest = skip_blanks(text, end);
        if rest < text.len() {
            return Err(Fault { at: rest, expected: "the end of the text" }.into());
        }
        event.json = Json::checked(&text[start..end]);
        if event.is_audit_event() { Ok(event) } else { Err(NotAnEvent::OtherObject) }
    }

    /// Finds the fields of an object that was read before.
    pub fn from_json(json: Json<'a>) -> Result<Self, NotAnEvent> {
        if json.kind() != JsonKind::Object {
            return Err(NotAnEvent::NotAnObject);
        }
        let mut event = Self::empty(json);
        json.members().for_each(|(key, value)| event.take(key.inner().unwrap_or_default(), value));
        if event.is_audit_event() { Ok(event) } else { Err(NotAnEvent::OtherObject) }
    }

    /// Checks the member whose value starts at `start` and puts it in its place; returns the value's end. Objects whose
    /// fields have places are walked as they are checked.
    pub(crate) fn scan(&mut self, text: &'a [u8], key: &[u8], start: usize) -> Result<usize, Fault> {
        if text.get(start) == Some(&b'{') {
            match key {
                b"user" => {
                    return scan_fields(text, start, User::take).map(|(end, user)| {
                        self.user = user;
                        end
                    });
                }
                b"objectRef" => {
                    return scan_fields(text, start, ObjectRef::take).map(|(end, object)| {
                        self.object_ref = Some(object);
                        end
                    });
                }
                b"responseStatus" => {
                    return scan_fields(text, start, ResponseStatus::take).map(|(end, status)| {
                        self.response_status = Some(status);
                        end
                    });
                }
                _ => {}
            }
        }
        let end = scan(text, start)?;
        self.take(key, Json::checked(&text[start..end]));
        Ok(end)
    }

    /// Puts a member in its place. Keys are compared as written: the API server never escapes them.
    fn take(&mut self, key: &[u8], value: Json<'a>) {
        match key {
            b"kind" => self.kind = Some(value),
            b"apiVersion" => self.api_version = Some(value),
            b"level" => self.level = Some(value),
            b"auditID" => self.audit_id = Some(value),
            b"stage" => self.stage = Some(value),
            b"requestURI" => self.request_uri = Some(value),
            b"verb" => self.verb = Some(value),
            b"user" => self.user = User::find_fields(value),
            b"impersonatedUser" => self.impersonated_user = present(value).map(User::find_fields),
            b"authenticationMetadata" => self.authentication_metadata = Some(value),
            b"sourceIPs" => self.source_ips = Some(value),
            b"userAgent" => self.user_agent = Some(value),
            b"objectRef" => self.object_ref = present(value).map(ObjectRef::find_fields),
            b"responseStatus" => self.response_status = present(value).map(ResponseStatus::find_fields),
            b"requestObject" => self.request_object = present(value),
            b"responseObject" => self.response_object = present(value),
            b"requestReceivedTimestamp" => self.request_received_timestamp = Some(value),
            b"stageTimestamp" => self.stage_timestamp = Some(value),
            // The first versions of the audit API had one time.
            b"timestamp" if self.stage_timestamp.is_none() => self.stage_timestamp = Some(value),
            b"annotations" => self.annotations = present(value),
            _ => {}
        }
    }

    pub(crate) fn empty(json: Json<'a>) -> Self {
        Self {
            json,
            kind: None,
            api_version: None,
            level: None,
            audit_id: None,
            stage: None,
            request_uri: None,
            verb: None,
            user: User::default(),
            impersonated_user: None,
            authentication_metadata: None,
            source_ips: None,
            user_agent: None,
            object_ref: None,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received_timestamp: None,
            stage_timestamp: None,
            annotations: None,
        }
    }

    /// What makes an object an audit event. `kind` is missing inside an `EventList` and in index documents, so an event
    /// is known by its fields as well; a core `Event` has the same kind but no verb and no audit id.
    pub(crate) fn is_audit_event(&self) -> bool {
        let (id, verb, stage) = (self.audit_id.is_some(), self.verb.is_some(), self.stage.is_some());
        match self.kind {
            Some(kind) if !kind.is_text("Event") => false,
            Some(_) => id || verb || text(self.api_version).starts_with("audit.k8s.io/"),
            None => id && (stage || verb || self.request_uri.is_some()) || verb && stage,
        }
    }

    /// The exact text of the event.
    pub fn text(&self) -> &'a [u8] {
        self.json.bytes()
    }

    /// Stage, if it is one of the four.
    pub fn stage(&self) -> Option<Stage> {
        named(self.stage?, Stage::ALL, Stage::name)
    }

    /// Level, if it is one of the four. OpenShift's ViaQ keeps it elsewhere; [`crate::normalise`] puts it here.
    pub fn level(&self) -> Option<Level> {
        named(self.level?, Level::ALL, Level::name)
    }

    /// Audit id; empty if absent. Chosen by the client: never a key.
    pub fn audit_id(&self) -> Cow<'a, str> {
        text(self.audit_id)
    }

    /// Verb; empty if absent.
    pub fn verb(&self) -> Cow<'a, str> {
        text(self.verb)
    }

    /// Name of the authenticated user; empty if there was none.
    pub fn username(&self) -> Cow<'a, str> {
        text(self.user.username)
    }

    /// Groups of the authenticated user.
    pub fn groups(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        texts(self.user.groups)
    }

    /// Request URI with its query, as sent; empty if absent.
    pub fn request_uri(&self) -> Cow<'a, str> {
        text(self.request_uri)
    }

    /// User agent; empty if absent.
    pub fn user_agent(&self) -> Cow<'a, str> {
        text(self.user_agent)
    }

    /// Source addresses as written; the last is the peer, the others are the client's claim.
    pub fn source_ips(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        texts(self.source_ips)
    }

    /// Resource (plural, lower case); empty for requests outside the resource API.
    pub fn resource(&self) -> Cow<'a, str> {
        text(self.object_ref.and_then(|object| object.resource))
    }

    /// Subresource; empty if there is none.
    pub fn subresource(&self) -> Cow<'a, str> {
        text(self.object_ref.and_then(|object| object.subresource))
    }

    /// Namespace; empty if there is none.
    pub fn namespace(&self) -> Cow<'a, str> {
        text(self.object_ref.and_then(|object| object.namespace))
    }

    /// Name of the object; empty if the request named none.
    pub fn name(&self) -> Cow<'a, str> {
        text(self.object_ref.and_then(|object| object.name))
    }

    /// API group; empty for core.
    pub fn api_group(&self) -> Cow<'a, str> {
        text(self.object_ref.and_then(|object| object.api_group))
    }

    /// HTTP status code of the answer.
    pub fn code(&self) -> Option<i64> {
        self.response_status?.code?.integer()
    }

    /// When the request was received.
    pub fn received(&self) -> Option<Micros> {
        time(self.request_received_timestamp?)
    }

    /// When the event was made.
    pub fn stage_time(&self) -> Option<Micros> {
        time(self.stage_timestamp?)
    }

    /// Time of the event: its stage, else its receipt.
    pub fn time(&self) -> Option<Micros> {
        self.stage_time().or_else(|| self.received())
    }

    /// Value of one annotation.
    pub fn annotation(&self, key: &str) -> Option<Cow<'a, str>> {
        self.annotations?.get(key)?.text()
    }

    /// `allow` or `forbid`, as the authoriser said; absent if it was not reached.
    pub fn decision(&self) -> Option<Cow<'a, str>> {
        self.annotation("authorization.k8s.io/decision")
    }

    /// The authoriser's reason.
    pub fn decision_reason(&self) -> Option<Cow<'a, str>> {
        self.annotation("authorization.k8s.io/reason")
    }
}

impl<'a> User<'a> {
    /// Finds the fields of a `UserInfo` object.
    pub fn find_fields(json: Json<'a>) -> Self {
        find_fields(json, Self::take)
    }

    fn take(&mut self, key: &[u8], value: Json<'a>) {
        match key {
            b"username" => self.username = present(value),
            b"uid" => self.uid = present(value),
            b"groups" => self.groups = present(value),
            b"extra" => self.extra = present(value),
            _ => {}
        }
    }
}

impl<'a> ObjectRef<'a> {
    fn find_fields(json: Json<'a>) -> Self {
        find_fields(json, Self::take)
    }

    fn take(&mut self, key: &[u8], value: Json<'a>) {
        match key {
            b"resource" => self.resource = present(value),
            b"subresource" => self.subresource = present(value),
            b"namespace" => self.namespace = present(value),
            b"name" => self.name = present(value),
            b"uid" => self.uid = present(value),
            b"apiGroup" => self.api_group = present(value),
            b"apiVersion" => self.api_version = present(value),
            b"resourceVersion" => self.resource_version = present(value),
            _ => {}
        }
    }
}

impl<'a> ResponseStatus<'a> {
    fn find_fields(json: Json<'a>) -> Self {
        find_fields(json, Self::take)
    }

    fn take(&mut self, key: &[u8], value: Json<'a>) {
        match key {
            b"code" => self.code = present(value),
            b"status" => self.status = present(value),
            b"reason" => self.reason = present(value),
            b"message" => self.message = present(value),
            b"details" => self.details = present(value),
            _ => {}
        }
    }
}

/// Walks an object that was checked before.
fn find_fields<'a, T: Default>(json: Json<'a>, mut take: impl FnMut(&mut T, &[u8], Json<'a>)) -> T {
    let mut fields = T::default();
    json.members().for_each(|(key, value)| take(&mut fields, key.inner().unwrap_or_default(), value));
    fields
}

/// Walks an object as it is checked; returns its end too.
fn scan_fields<'a, T: Default>(
    text: &'a [u8],
    start: usize,
    mut take: impl FnMut(&mut T, &[u8], Json<'a>),
) -> Result<(usize, T), Fault> {
    let mut fields = T::default();
    let end = scan_members(text, start, &mut |key, value| {
        let end = scan(text, value)?;
        take(&mut fields, key, Json::checked(&text[value..end]));
        Ok(end)
    })?;
    Ok((end, fields))
}

fn present(value: Json<'_>) -> Option<Json<'_>> {
    (!value.is_null()).then_some(value)
}

fn text(value: Option<Json<'_>>) -> Cow<'_, str> {
    value.and_then(Json::text).unwrap_or_default()
}

/// The one of `all` whose name a string is. Names are compared as written; only one with escapes is decoded.
fn named<T: Copy>(value: Json<'_>, all: [T; 4], name: fn(T) -> &'static str) -> Option<T> {
    let inner = value.inner()?;
    let find = |text: &[u8]| all.into_iter().find(|one| name(*one).as_bytes() == text);
    find(inner).or_else(|| find(value.text().filter(|_| inner.contains(&b'\\'))?.as_bytes()))
}

/// The time that a string is, which is decoded only if it holds escapes.
fn time(value: Json<'_>) -> Option<Micros> {
    let inner = value.inner()?;
    parse_bytes(inner).or_else(|| parse_bytes(value.text().filter(|_| inner.contains(&b'\\'))?.as_bytes()))
}

fn texts<'a>(value: Option<Json<'a>>) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    value.into_iter().flat_map(Json::elements).filter_map(Json::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_place() {
        let line = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods?x=1\u0026y=2","verb":"create","user":{"username":"alice","groups":["dev","system:authenticated"]},"sourceIPs":["10.0.0.9","192.0.2.1"],"userAgent":"kubectl/v1.36","objectRef":{"resource":"pods","namespace":"web","name":"x","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"a":[1]},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:06.000007Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}"#;
        let event = Event::parse(line).unwrap();
        assert_eq!(event.request_uri(), "/api/v1/namespaces/web/pods?x=1&y=2");
        assert_eq!(
            (event.verb(), event.resource(), event.namespace(), event.name()),
            ("create".into(), "pods".into(), "web".into(), "x".into())
        );
        assert_eq!(event.groups().collect::<Vec<_>>(), ["dev", "system:authenticated"]);
        assert_eq!(event.source_ips().last().unwrap(), "192.0.2.1");
        assert_eq!(
            (event.stage(), event.level(), event.code()),
            (Some(Stage::ResponseComplete), Some(Level::Request), Some(201))
        );
        assert_eq!(event.decision().as_deref(), Some("allow"));
        assert_eq!(event.stage_time().unwrap() - event.received().unwrap(), 1_000_001);
    }

    #[test]
    fn other_objects_are_not_events() {
        assert_eq!(Event::parse(b"[]").unwrap_err(), NotAnEvent::NotAnObject);
        for text in [r#"{"kind":"Pod","auditID":"a","stage":"x"}"#, r#"{"kind":"Event","apiVersion":"v1"}"#, "{}"] {
            assert_eq!(Event::parse(text.as_bytes()).unwrap_err(), NotAnEvent::OtherObject, "{text}");
        }
        assert!(Event::parse(br#"{"auditID":"a","stage":"Panic"}"#).is_ok());
    }
}
