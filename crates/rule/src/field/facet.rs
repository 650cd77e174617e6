//! Which part of an event decides a field. Most parts take few values over and over, so that what rules make of them
//! can be remembered.

use audit::Event;
use audit::Json;

use super::derived::audit_id_form;
use super::{Derived, Field, Part, Root, is_hidden};

/// The part of an event that alone decides the values of a field, and whether they are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Facet {
    /// Who, as whom, with which program.
    Subject,
    /// By which credential: what the authenticator says besides.
    Credential,
    /// What is done to which kind of object, and with what success.
    Action,
    /// The namespace.
    Namespace,
    /// The source addresses.
    Address,
    /// The request URI, of which requests that repeat themselves have the same.
    Uri,
    /// What the API server noted; requests that are allowed for the same reason have the same.
    Annotations,
    /// That there is no request body.
    Request,
    /// That there is no response body.
    Response,
    /// That there is neither.
    Bodies,
    /// What differs from event to event, or several parts at once.
    Rest,
}

impl Facet {
    /// Those whose fields may be decided once for many events.
    pub(crate) const REMEMBERED: [Facet; 10] = [
        Self::Subject,
        Self::Credential,
        Self::Action,
        Self::Namespace,
        Self::Address,
        Self::Uri,
        Self::Annotations,
        Self::Request,
        Self::Response,
        Self::Bodies,
    ];

    /// What decides a field that is made of one decided by `self` and one decided by `other`.
    pub(crate) fn and(self, other: Self) -> Self {
        let is_body = |facet| matches!(facet, Self::Request | Self::Response | Self::Bodies);
        match (self, other) {
            _ if self == other => self,
            _ if is_body(self) && is_body(other) => Self::Bodies,
            _ => Self::Rest,
        }
    }

    /// Whether it is known for every event.
    pub(crate) fn is_always_known(self) -> bool {
        !matches!(self, Self::Request | Self::Response | Self::Bodies | Self::Rest)
    }

    /// What decides a path from the top of the event.
    pub(crate) fn of_path(path: &str) -> Self {
        match path {
            "user.username" | "user.groups" | "userAgent" => Self::Subject,
            "impersonatedUser.username" | "impersonatedUser.groups" => Self::Subject,
            "verb" | "stage" | "level" => Self::Action,
            "objectRef.resource" | "objectRef.subresource" | "objectRef.apiGroup" => Self::Action,
            "objectRef.apiVersion" => Self::Action,
            "responseStatus.code" | "responseStatus.status" | "responseStatus.reason" => Self::Action,
            "objectRef.namespace" => Self::Namespace,
            "sourceIPs" => Self::Address,
            "requestURI" => Self::Uri,
            _ if path.starts_with("user.extra.") => Self::Credential,
            _ => match path.split('.').next() {
                Some("annotations") => Self::Annotations,
                Some("requestObject") => Self::Request,
                Some("responseObject") => Self::Response,
                _ => Self::Rest,
            },
        }
    }

    /// Writes what decides the fields of this facet, such that equal bytes mean equal values; `false` if they must be
    /// read from each event.
    pub(crate) fn write_key(self, event: &Event<'_>, key: &mut Vec<u8>) -> bool {
        match self {
            Self::Subject => write_subject(event, key),
            Self::Action => write_action(event, key),
            Self::Namespace => write(event.object_ref.and_then(|object| object.namespace), key),
            Self::Address => write(event.source_ips, key),
            Self::Uri => {
                key.push(is_hidden(event, Part::Query).into());
                write(event.request_uri, key);
            }
            Self::Credential => {
                key.push(is_hidden(event, Part::Identity).into());
                write(event.user.extra, key);
            }
            Self::Annotations => write(event.annotations, key),
            Self::Request if event.request_object.is_some() => return false,
            Self::Response if event.response_object.is_some() => return false,
            Self::Bodies if event.request_object.is_some() || event.response_object.is_some() => return false,
            Self::Request => key.push(is_hidden(event, Part::Request).into()),
            Self::Response => key.push(is_hidden(event, Part::Response).into()),
            Self::Bodies => {
                key.push(is_hidden(event, Part::Request).into());
                key.push(is_hidden(event, Part::Response).into());
            }
            Self::Rest => return false,
        }
        true
    }
}

fn write_subject(event: &Event<'_>, key: &mut Vec<u8>) {
    write(event.user.username, key);
    write(event.user.groups, key);
    write(event.user_agent, key);
    key.push(event.impersonated_user.is_some().into());
    if let Some(other) = event.impersonated_user {
        write(other.username, key);
        write(other.groups, key);
    }
}

/// Also what decides the outcome, the form of the audit id, and whether this is the event by which a request is judged.
fn write_action(event: &Event<'_>, key: &mut Vec<u8>) {
    let flags = [event.user.username.is_none(), event.object_ref.is_some(), event.response_status.is_some()];
    key.extend(flags.map(u8::from));
    key.push(is_hidden(event, Part::Reason).into());
    // Its first letter tells the forms apart.
    key.extend(audit_id_form(event).bytes().next());
    key.push(0);
    write(event.verb, key);
    write(event.stage, key);
    write(event.level, key);
    if let Some(object) = event.object_ref {
        let parts = [object.resource, object.subresource, object.api_group, object.api_version];
        parts.into_iter().for_each(|part| write(part, key));
    }
    if let Some(status) = event.response_status {
        [status.code, status.status, status.reason].into_iter().for_each(|part| write(part, key));
    }
    if event.code().is_none() {
        let decision = event.annotations.and_then(|annotations| annotations.get("authorization.k8s.io/decision"));
        write(decision, key);
    }
}

/// Writes a value so that what is written after it cannot be taken for a part of it.
fn write(value: Option<Json<'_>>, key: &mut Vec<u8>) {
    let bytes = value.map_or(&[][..], Json::bytes);
    // No value is longer than four gigabytes, and none is written as nothing.
    key.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    key.extend_from_slice(bytes);
}

impl Field {
    /// The part of an event that decides it.
    pub(crate) fn facet(&self) -> Facet {
        match self {
            Self::Path(Root::Event, path) => Facet::of_path(path),
            Self::Path(Root::Pod | Root::PodContainers, _) => Facet::Request,
            Self::Derived(derived) => derived.facet(),
            Self::Falco(field) => field.facet(),
            Self::AnyOf(fields) => fields.iter().map(Self::facet).reduce(Facet::and).unwrap_or(Facet::Action),
            Self::Whole => Facet::Rest,
        }
    }
}

impl Derived {
    fn facet(&self) -> Facet {
        match self {
            Self::Outcome | Self::AuditIdForm => Facet::Action,
            Self::UserClass | Self::SystemComponent | Self::Identity | Self::AgentFamily => Facet::Subject,
            Self::SourcePeer | Self::SourceClaimed | Self::SourceFirst => Facet::Address,
            Self::CsrSubject | Self::RbacPairs => Facet::Request,
            Self::ExecCommand | Self::UriPath | Self::UriParam(_) | Self::DryRun => Facet::Uri,
            Self::Object | Self::Apply => Facet::Rest,
        }
    }
}
