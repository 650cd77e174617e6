//! GKE: Cloud Logging entries of the Kubernetes API, translated back to audit events.
//!
//! What the cloud leaves out stays out: groups, `extra` and the query of the URI are not in the entry. The command of an
//! exec is a label of GKE's, the impersonated user is Google's `authoritySelector`, every entry is of the last stage, and
//! the status is a gRPC code (<https://grpc.io/docs/guides/status-codes/>), mapped to the HTTP code the API server answers
//! with.

use std::borrow::Cow;

use crate::json::{Json, Writer};

/// Builds the audit event of a log entry; `None` if it is about another service.
pub(crate) fn translate(entry: Json<'_>) -> Option<Vec<u8>> {
    let payload = entry.get("protoPayload")?;
    let method = kubernetes_method(payload)?;
    let (call, verb) = method.strip_prefix("io.k8s.")?.rsplit_once('.')?;
    let object = ObjectPath::of(payload, call);

    let mut event = Writer::new();
    event.text("kind", "Event").text("apiVersion", "audit.k8s.io/v1").text("level", level(payload));
    event.maybe("auditID", audit_id(entry)).text("stage", "ResponseComplete");
    event.text("requestURI", &(object.uri() + &command(entry))).text("verb", verb);
    event.object("user", identity(principal(payload)));
    if let Some(other) = payload.path(&["authenticationInfo", "authoritySelector"]).filter(|other| !other.is_text("")) {
        event.object("impersonatedUser", identity(Some(other)));
    }
    if let Some(address) = caller_address(payload) {
        event.json("sourceIPs", &[b"[", address.bytes(), b"]"].concat());
    }
    event.maybe("userAgent", payload.path(&["requestMetadata", "callerSuppliedUserAgent"]));
    event.object("objectRef", object.writer());
    event.object("responseStatus", status(payload, verb));
    event.maybe("requestObject", payload.get("request")).maybe("responseObject", payload.get("response"));
    event.maybe("requestReceivedTimestamp", entry.get("timestamp")).maybe("stageTimestamp", entry.get("timestamp"));
    event.object("annotations", annotations(entry, payload));
    Some(event.finish())
}

/// `io.k8s.core.v1.pods.create`; deployments made by other services name it as the permission only.
fn kubernetes_method<'a>(payload: Json<'a>) -> Option<Cow<'a, str>> {
    let granted = payload.get("authorizationInfo").and_then(|info| info.elements().next());
    [payload.get("methodName"), granted.and_then(|info| info.get("permission"))]
        .into_iter()
        .flatten()
        .filter_map(Json::text)
        .find(|name| name.starts_with("io.k8s."))
}

fn level(payload: Json<'_>) -> &'static str {
    match (payload.get("request"), payload.get("response")) {
        (_, Some(_)) => "RequestResponse",
        (Some(_), None) => "Request",
        (None, None) => "Metadata",
    }
}

fn audit_id(entry: Json<'_>) -> Option<Json<'_>> {
    entry.path(&["operation", "id"]).or_else(|| entry.get("insertId"))
}

fn identity(name: Option<Json<'_>>) -> Writer {
    let mut user = Writer::new();
    user.maybe("username", name);
    user
}

/// The query of a request that runs a command.
fn command(entry: Json<'_>) -> String {
    let command = entry.get("labels").and_then(|labels| labels.get("command.gke.io/command")).and_then(Json::text);
    command.map_or_else(String::new, |command| format!("?command={}", percent_encoded(&command)))
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn principal(payload: Json<'_>) -> Option<Json<'_>> {
    let authentication = payload.get("authenticationInfo")?;
    authentication.get("principalEmail").or_else(|| authentication.get("principalSubject"))
}

fn caller_address(payload: Json<'_>) -> Option<Json<'_>> {
    let metadata = payload.get("requestMetadata")?;
    metadata.get("callerIp").or_else(|| metadata.get("callerIP"))
}

/// `core/v1/namespaces/web/pods/x/exec`, the entry's resource name, with the method's words where it says less.
#[derive(Default)]
struct ObjectPath {
    group: String,
    version: String,
    namespace: String,
    resource: String,
    name: String,
    subresource: String,
}

impl ObjectPath {
    fn of(payload: Json<'_>, call: &str) -> Self {
        let path = payload.get("resourceName").and_then(Json::text).unwrap_or_default();
        let mut parts = path.split('/');
        let mut object = Self { group: parts.next().unwrap_or_default().to_owned(), ..Self::default() };
        object.version = parts.next().unwrap_or_default().to_owned();
        let rest: Vec<&str> = parts.collect();
        let rest = match rest.as_slice() {
            ["namespaces", namespace, inside @ ..]
                if !inside.is_empty() && !matches!(inside[0], "status" | "finalize") =>
            {
                object.namespace = (*namespace).to_owned();
                inside
            }
            all => all,
        };
        let part = |i: usize| rest.get(i).copied().unwrap_or_default().to_owned();
        (object.resource, object.name, object.subresource) = (part(0), part(1), part(2));
        if object.resource.is_empty() {
            object.take_from_method(call);
        }
        if object.group == "core" {
            object.group.clear();
        }
        object
    }

    /// `core.v1.pods.exec`, `authorization.rbac.v1.roles`: the word after the version is the resource.
    fn take_from_method(&mut self, call: &str) {
        let words: Vec<&str> = call.split('.').collect();
        let is_version = |word: &&str| word.len() > 1 && word.starts_with('v') && word.as_bytes()[1].is_ascii_digit();
        let Some(version) = words.iter().position(is_version) else { return };
        let word = |i: usize| words.get(i).copied().unwrap_or_default().to_owned();
        (self.version, self.resource, self.subresource) = (word(version), word(version + 1), word(version + 2));
        if self.group.is_empty() {
            self.group = words[..version].first().copied().unwrap_or_default().to_owned();
        }
    }

    fn uri(&self) -> String {
        let mut uri = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        if !self.namespace.is_empty() {
            uri.push_str(&format!("/namespaces/{}", self.namespace));
        }
        for part in [&self.resource, &self.name, &self.subresource] {
            if !part.is_empty() {
                uri.push('/');
                uri.push_str(part);
            }
        }
        uri
    }

    fn writer(&self) -> Writer {
        let mut object = Writer::new();
        for (key, value) in [
            ("resource", &self.resource),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("apiGroup", &self.group),
            ("apiVersion", &self.version),
            ("subresource", &self.subresource),
        ] {
            if !value.is_empty() {
                object.text(key, value);
            }
        }
        object
    }
}

fn status(payload: Json<'_>, verb: &str) -> Writer {
    let grpc = payload.path(&["status", "code"]).and_then(Json::integer).unwrap_or(0);
    let http = match grpc {
        0 if verb == "create" => 201,
        0 => 200,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    };
    let mut status = Writer::new();
    status.json("code", http.to_string().as_bytes()).maybe("message", payload.path(&["status", "message"]));
    status
}

fn annotations(entry: Json<'_>, payload: Json<'_>) -> Writer {
    let mut annotations = Writer::new();
    let labels = entry.get("labels");
    for (key, value) in labels.into_iter().flat_map(Json::members) {
        annotations.json(&key.text().unwrap_or_default(), value.bytes());
    }
    let decided = labels.is_some_and(|labels| labels.get("authorization.k8s.io/decision").is_some());
    let granted = payload.get("authorizationInfo").and_then(|info| info.elements().next());
    match granted.and_then(|info| info.get("granted")).and_then(Json::bool) {
        Some(granted) if !decided => {
            annotations.text("authorization.k8s.io/decision", if granted { "allow" } else { "forbid" });
        }
        _ => {}
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn an_entry_becomes_the_event_it_came_from() {
        let entry = br#"{"insertId":"i1","operation":{"id":"op-1","first":true,"last":true},"labels":{"authorization.k8s.io/decision":"forbid"},"timestamp":"2024-02-13T12:45:06.073905Z","resource":{"labels":{"cluster_name":"c"}},"protoPayload":{"methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/web/pods/x/exec","authenticationInfo":{"principalEmail":"eve@example.com"},"requestMetadata":{"callerIp":"203.0.113.9","callerSuppliedUserAgent":"kubectl"},"status":{"code":7},"request":{}}}"#;
        let text = translate(Json::whole(entry).unwrap()).unwrap();
        let event = Event::parse(&text).unwrap();
        assert_eq!(
            (event.verb(), event.resource(), event.subresource()),
            ("create".into(), "pods".into(), "exec".into())
        );
        assert_eq!(
            (event.namespace(), event.name(), event.username()),
            ("web".into(), "x".into(), "eve@example.com".into())
        );
        assert_eq!((event.code(), event.decision().as_deref()), (Some(403), Some("forbid")));
        assert_eq!(
            (event.audit_id(), event.request_uri()),
            ("op-1".into(), "/api/v1/namespaces/web/pods/x/exec".into())
        );
        assert_eq!(event.source_ips().next().unwrap(), "203.0.113.9");
    }

    #[test]
    fn a_command_and_a_borrowed_identity_are_kept() {
        let entry = br#"{"labels":{"command.gke.io/command":"cat /etc/shadow & x"},"protoPayload":{"methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/web/pods/x/exec","authenticationInfo":{"principalEmail":"eve@example.com","authoritySelector":"system:admin"}}}"#;
        let text = translate(Json::whole(entry).unwrap()).unwrap();
        let event = Event::parse(&text).unwrap();
        assert_eq!(event.request_uri(), "/api/v1/namespaces/web/pods/x/exec?command=cat%20%2Fetc%2Fshadow%20%26%20x");
        assert!(event.impersonated_user.unwrap().username.unwrap().is_text("system:admin"));
        assert!(event.user.groups.is_none());
    }

    #[test]
    fn the_method_says_what_the_resource_name_does_not() {
        let entry = br#"{"protoPayload":{"methodName":"io.k8s.batch.v1.cronjobs.create"}}"#;
        let text = translate(Json::whole(entry).unwrap()).unwrap();
        let event = Event::parse(&text).unwrap();
        assert_eq!((event.resource(), event.api_group(), event.code()), ("cronjobs".into(), "batch".into(), Some(201)));
    }
}
