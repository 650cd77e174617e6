//! Paths that an event has a place for: reading them takes no search.

use audit::{Event, Json};

/// Where the event knows a value.
pub(crate) type Accessor = for<'a, 'e> fn(&'a Event<'e>) -> Option<Json<'e>>;

/// A row of the table of known paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row(u8);

impl Row {
    /// The row of exactly `path`.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let at = KNOWN.iter().position(|(known, _)| *known == path)?;
        u8::try_from(at).ok().map(Self)
    }

    /// The row of the longest known path that `path` is or lies below.
    pub(crate) fn above(path: &str) -> Option<Self> {
        let covers =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let rows = KNOWN.iter().enumerate().filter(|(_, (known, _))| covers(known));
        let (at, _) = rows.max_by_key(|(_, (known, _))| known.len())?;
        u8::try_from(at).ok().map(Self)
    }

    pub(crate) fn path(self) -> &'static str {
        KNOWN[usize::from(self.0)].0
    }

    /// What of `path`, which lies in it, is left.
    pub(crate) fn rest(self, path: &str) -> &str {
        path[self.path().len()..].trim_start_matches('.')
    }

    /// The value in `event`.
    pub(crate) fn read<'e>(self, event: &Event<'e>) -> Option<Json<'e>> {
        KNOWN[usize::from(self.0)].1(event)
    }
}

const KNOWN: [(&str, Accessor); 41] = [
    ("kind", |e| e.kind),
    ("apiVersion", |e| e.api_version),
    ("level", |e| e.level),
    ("auditID", |e| e.audit_id),
    ("stage", |e| e.stage),
    ("requestURI", |e| e.request_uri),
    ("verb", |e| e.verb),
    ("user.username", |e| e.user.username),
    ("user.uid", |e| e.user.uid),
    ("user.groups", |e| e.user.groups),
    ("user.extra", |e| e.user.extra),
    ("impersonatedUser.username", |e| e.impersonated_user.and_then(|u| u.username)),
    ("impersonatedUser.uid", |e| e.impersonated_user.and_then(|u| u.uid)),
    ("impersonatedUser.groups", |e| e.impersonated_user.and_then(|u| u.groups)),
    ("impersonatedUser.extra", |e| e.impersonated_user.and_then(|u| u.extra)),
    ("authenticationMetadata", |e| e.authentication_metadata),
    ("sourceIPs", |e| e.source_ips),
    ("userAgent", |e| e.user_agent),
    ("objectRef.resource", |e| e.object_ref.and_then(|o| o.resource)),
    ("objectRef.subresource", |e| e.object_ref.and_then(|o| o.subresource)),
    ("objectRef.namespace", |e| e.object_ref.and_then(|o| o.namespace)),
    ("objectRef.name", |e| e.object_ref.and_then(|o| o.name)),
    ("objectRef.uid", |e| e.object_ref.and_then(|o| o.uid)),
    ("objectRef.apiGroup", |e| e.object_ref.and_then(|o| o.api_group)),
    ("objectRef.apiVersion", |e| e.object_ref.and_then(|o| o.api_version)),
    ("objectRef.resourceVersion", |e| e.object_ref.and_then(|o| o.resource_version)),
    ("responseStatus.code", |e| e.response_status.and_then(|s| s.code)),
    ("responseStatus.status", |e| e.response_status.and_then(|s| s.status)),
    ("responseStatus.reason", |e| e.response_status.and_then(|s| s.reason)),
    ("responseStatus.message", |e| e.response_status.and_then(|s| s.message)),
    ("responseStatus.details", |e| e.response_status.and_then(|s| s.details)),
    ("requestObject", |e| e.request_object),
    ("responseObject", |e| e.response_object),
    ("requestReceivedTimestamp", |e| e.request_received_timestamp),
    ("annotations", |e| e.annotations),
    // Whole objects of which the event keeps only the fields are found by their key.
    ("user", |e| e.json.get("user")),
    ("impersonatedUser", |e| e.json.get("impersonatedUser")),
    ("objectRef", |e| e.json.get("objectRef")),
    ("responseStatus", |e| e.json.get("responseStatus")),
    ("stageTimestamp", |e| e.stage_timestamp),
    ("timestamp", |e| e.json.get("timestamp")),
];
