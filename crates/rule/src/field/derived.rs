//! The fields `kw.…`: worked out from an event, so that a rule need not know every shape of a request.

use std::borrow::Cow;

use audit::{AgentFamily, Event, Json, Stage};

use super::{Part, Value, identity, pkcs10};

/// Most `kw.rbac.pairs` of one event; the rest are left out.
const PAIRS_MAX: usize = 4096;

/// A worked-out field. The names are those after `kw.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Derived {
    /// `outcome`: `allowed`, `denied` (401, 403, or forbidden) or `failed` (any other error); none before the response.
    Outcome,
    /// `user.class`: `human`, `serviceaccount`, `node`, `control-plane`, `anonymous` or `system`.
    UserClass,
    /// `user.systemComponent`: `true` if user, group and agent together are those of a known component of Kubernetes; none
    /// if only the groups could tell and they are not recorded.
    SystemComponent,
    /// `exec.command`: the decoded `command=` parameters, joined by blanks.
    ExecCommand,
    /// `uri.path`: the request URI without its query, decoded.
    UriPath,
    /// `uri.param.NAME`: the decoded values of a query parameter.
    UriParam(Box<str>),
    /// `dryRun`: `true` or `false`.
    DryRun,
    /// `sourceIP.peer`: the last source address, which is the connection's.
    SourcePeer,
    /// `sourceIP.claimed`: those before it, which the client wrote.
    SourceClaimed,
    /// `sourceIP.first`: the first.
    SourceFirst,
    /// `identity`: the impersonated user if there is one, else the user.
    Identity,
    /// `object`: `resource/subresource namespace/name`.
    Object,
    /// `agent.family`: the program the user agent names.
    AgentFamily,
    /// `apply`: `true` if it is a server-side apply.
    Apply,
    /// `csr.subject`: the subject of a certificate signing request, as `O=…,CN=…`.
    CsrSubject,
    /// `rbac.pairs`: `verb group/resource` for each verb, group and resource of each RBAC rule (`verb /resource` for
    /// the core group, `verb /path` for a URL).
    RbacPairs,
    /// `auditID.form`: `random` as the API server makes them, `long` beyond what its log lines show, or `chosen`.
    AuditIdForm,
}

/// Names after `kw.` of the fields without a parameter.
pub(crate) const NAMES: [(&str, Derived); 16] = [
    ("outcome", Derived::Outcome),
    ("user.class", Derived::UserClass),
    ("user.systemComponent", Derived::SystemComponent),
    ("exec.command", Derived::ExecCommand),
    ("uri.path", Derived::UriPath),
    ("dryRun", Derived::DryRun),
    ("sourceIP.peer", Derived::SourcePeer),
    ("sourceIP.claimed", Derived::SourceClaimed),
    ("sourceIP.first", Derived::SourceFirst),
    ("identity", Derived::Identity),
    ("object", Derived::Object),
    ("agent.family", Derived::AgentFamily),
    ("apply", Derived::Apply),
    ("csr.subject", Derived::CsrSubject),
    ("rbac.pairs", Derived::RbacPairs),
    ("auditID.form", Derived::AuditIdForm),
];

impl Derived {
    /// The field by its name after `kw.`.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(parameter) = name.strip_prefix("uri.param.") {
            return (!parameter.is_empty()).then(|| Self::UriParam(parameter.into()));
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, derived)| derived.clone())
    }

    /// The name after `kw.`.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::UriParam(name) => Cow::Owned(format!("uri.param.{name}")),
            other => NAMES.iter().find(|(_, derived)| derived == other).map_or("", |(name, _)| name).into(),
        }
    }

    /// The richest part of the event that it reads.
    pub fn part(&self) -> Part {
        match self {
            Self::Outcome => Part::ResponseStatus,
            Self::CsrSubject | Self::RbacPairs => Part::Request,
            Self::SystemComponent => Part::Identity,
            Self::ExecCommand | Self::UriParam(_) => Part::Query,
            _ => Part::Metadata,
        }
    }

    pub(crate) fn values<'a>(&self, event: &Event<'a>, found: &mut dyn FnMut(Value<'a>)) {
        let mut text = |text: Cow<'a, str>| {
            if !text.is_empty() {
                found(Value::Text(text));
            }
        };
        match self {
            Self::Outcome => text(outcome(event).unwrap_or("").into()),
            Self::UserClass => text(identity::class(event).into()),
            Self::SystemComponent => {
                identity::is_system_component(event).into_iter().for_each(|is| text(truth(is)));
            }
            Self::ExecCommand if may_have_parameter(event, "command") => {
                text(joined(parameters(&event.request_uri(), "command")));
            }
            Self::ExecCommand => {}
            Self::UriPath => text(uri_path(event)),
            Self::UriParam(name) if may_have_parameter(event, name) => {
                parameters(&event.request_uri(), name).for_each(|value| text(value.into()));
            }
            Self::UriParam(_) => {}
            Self::DryRun => text(truth(is_dry_run(event))),
            Self::SourcePeer => event.source_ips().last().into_iter().for_each(text),
            Self::SourceClaimed => claimed(event).for_each(text),
            Self::SourceFirst => event.source_ips().next().into_iter().for_each(text),
            Self::Identity => text(identity::effective(event)),
            Self::Object => text(object(event).into()),
            Self::AgentFamily => text(match event.user_agent() {
                Cow::Borrowed(agent) => AgentFamily::of(agent).name().into(),
                Cow::Owned(agent) => AgentFamily::of(&agent).name().to_owned().into(),
            }),
            Self::Apply => text(truth(is_apply(event))),
            Self::CsrSubject => text(pkcs10::subject_of(event).unwrap_or_default().into()),
            Self::RbacPairs => rbac_pairs(event, &mut |pair| text(pair.into())),
            Self::AuditIdForm => text(audit_id_form(event).into()),
        }
    }
}

/// Bytes after which the API server's own log lines cut an audit id. In events it stands whole.
const AUDIT_ID_BYTES_LOGGED: usize = 64;

/// The form of the audit id; nothing if there is none.
pub(crate) fn audit_id_form(event: &Event<'_>) -> &'static str {
    if event.audit_id.and_then(Json::inner).is_some_and(is_random) {
        return "random";
    }
    match event.audit_id() {
        id if id.is_empty() => "",
        id if id.len() > AUDIT_ID_BYTES_LOGGED => "long",
        _ => "chosen",
    }
}

/// A UUID of version 4 as Go writes it (RFC 9562, section 5.4).
fn is_random(id: &[u8]) -> bool {
    let Ok(id) = <&[u8; 36]>::try_from(id) else { return false };
    let dashes = [8, 13, 18, 23].iter().all(|at| id[*at] == b'-');
    let digits: u8 = id.iter().map(|byte| u8::from(matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).sum();
    dashes && digits == 32 && id[14] == b'4' && matches!(id[19], b'8' | b'9' | b'a' | b'b')
}

fn truth(holds: bool) -> Cow<'static, str> {
    Cow::Borrowed(if holds { "true" } else { "false" })
}

fn joined<'a>(parts: impl Iterator<Item = String>) -> Cow<'a, str> {
    Cow::Owned(parts.collect::<Vec<_>>().join(" "))
}

fn outcome(event: &Event<'_>) -> Option<&'static str> {
    let forbidden = || event.decision().is_some_and(|decision| decision == "forbid");
    match (event.code(), event.stage()) {
        (Some(401 | 403), _) => Some("denied"),
        (_, Some(Stage::Panic)) => Some("failed"),
        (Some(400..), _) => Some("failed"),
        (Some(_), _) => Some("allowed"),
        (None, _) if forbidden() => Some("denied"),
        (None, Some(Stage::ResponseStarted | Stage::ResponseComplete)) if event.decision().is_some() => Some("allowed"),
        (None, _) => None,
    }
}

fn uri_path<'a>(event: &Event<'a>) -> Cow<'a, str> {
    let path = |uri: &str| uri.find('?').unwrap_or(uri.len());
    let path = match event.request_uri() {
        Cow::Borrowed(uri) => Cow::Borrowed(&uri[..path(uri)]),
        Cow::Owned(uri) => Cow::Owned(uri[..path(&uri)].to_owned()),
    };
    if path.contains('%') { Cow::Owned(decode(&path, Plus::Stays)) } else { path }
}

/// Whether the text of the request URI could hold the parameter `name`: it stands there, or something is encoded.
fn may_have_parameter(event: &Event<'_>, name: &str) -> bool {
    let uri = event.request_uri.and_then(Json::inner).unwrap_or_default();
    let Some(question) = memchr::memchr(b'?', uri) else { return false };
    let query = &uri[question..];
    // `\u0026` is how the API server writes `&`; any other escape could be a letter of the name.
    let has_escape = || memchr::memchr_iter(b'\\', query).any(|at| !query[at..].starts_with(b"\\u0026"));
    memchr::memmem::find(query, name.as_bytes()).is_some()
        || memchr::memchr2(b'%', b'+', query).is_some()
        || has_escape()
}

/// Decoded values of the query parameter `name`.
pub(crate) fn parameters<'u>(uri: &'u str, name: &'u str) -> impl Iterator<Item = String> + 'u {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_it = key == name || (key.contains(['%', '+']) && decode(key, Plus::IsBlank) == name);
        is_it.then(|| decode(value, Plus::IsBlank))
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Plus {
    IsBlank,
    Stays,
}

/// Percent-decodes; what is no escape stays as it is, and what is not UTF-8 becomes U+FFFD.
fn decode(text: &str, plus: Plus) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) if plus == Plus::IsBlank => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

fn is_dry_run(event: &Event<'_>) -> bool {
    may_have_parameter(event, "dryRun") && parameters(&event.request_uri(), "dryRun").any(|value| value == "All")
}

/// A server-side apply is a patch that names its field manager and forces or not; clients send no other kind of patch
/// with `fieldManager` and an object that carries `apiVersion` and `kind`.
fn is_apply(event: &Event<'_>) -> bool {
    if event.verb() == "apply" {
        return true;
    }
    if event.verb() != "patch" {
        return false;
    }
    let uri = event.request_uri();
    let body_is_whole =
        event.request_object.is_none_or(|body| body.get("apiVersion").is_some() && body.get("kind").is_some());
    let manager = parameters(&uri, "fieldManager").next();
    let client_side =
        matches!(manager.as_deref(), Some("kubectl-client-side-apply" | "kubectl-edit" | "kubectl-patch"));
    manager.is_some() && !client_side && body_is_whole
}

fn claimed<'a>(event: &Event<'a>) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    let before_last = event.source_ips.into_iter().flat_map(Json::elements).count().saturating_sub(1);
    event.source_ips().take(before_last)
}

fn object(event: &Event<'_>) -> String {
    let (resource, subresource, namespace, name) =
        (event.resource(), event.subresource(), event.namespace(), event.name());
    let what = if subresource.is_empty() { resource.into_owned() } else { format!("{resource}/{subresource}") };
    match (namespace.is_empty(), name.is_empty()) {
        (true, true) => what,
        (true, false) => format!("{what} {name}"),
        (false, _) => format!("{what} {namespace}/{name}"),
    }
}

fn rbac_pairs(event: &Event<'_>, found: &mut dyn FnMut(String)) {
    let rules = event.request_object.and_then(|body| body.get("rules")).into_iter().flat_map(Json::elements);
    let texts = |rule: Json<'_>, key: &str| -> Vec<String> {
        rule.get(key).into_iter().flat_map(Json::elements).filter_map(|v| v.text().map(Cow::into_owned)).collect()
    };
    let mut left = PAIRS_MAX;
    for rule in rules {
        let (groups, resources) = (texts(rule, "apiGroups"), texts(rule, "resources"));
        let urls = texts(rule, "nonResourceURLs");
        for verb in texts(rule, "verbs") {
            let of_resources = groups.iter().flat_map(|g| resources.iter().map(move |r| format!("{g}/{r}")));
            for target in of_resources.chain(urls.iter().cloned()) {
                if left == 0 {
                    return;
                }
                left -= 1;
                found(format!("{verb} {target}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{FieldPath, field_values};

    fn check(event: &str, field: &str, want: &[&str]) {
        let event = Event::parse(event.as_bytes()).unwrap();
        assert_eq!(field_values(&event, &FieldPath::new(field)), want, "{field}");
    }

    #[test]
    fn parameters_are_decoded() {
        let uri = "/api/v1/namespaces/a/pods/b/exec?command=sh&command=-c&command=cat+%2Fetc%2Fshadow&stdin=true";
        assert_eq!(parameters(uri, "command").collect::<Vec<_>>(), ["sh", "-c", "cat /etc/shadow"]);
        check(
            &format!(r#"{{"auditID":"a","verb":"get","requestURI":"{uri}"}}"#),
            "kw.exec.command",
            &["sh -c cat /etc/shadow"],
        );
    }

    #[test]
    fn rbac_pairs_do_not_mix_rules() {
        let event = r#"{"auditID":"a","verb":"create","requestObject":{"rules":[
            {"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]},
            {"verbs":["*"],"apiGroups":["apps"],"resources":["deployments"]},{"verbs":["get"],"nonResourceURLs":["/metrics"]}]}}"#;
        check(event, "kw.rbac.pairs", &["get /pods", "list /pods", "* apps/deployments", "get /metrics"]);
    }

    #[test]
    fn audit_ids_have_a_form() {
        let check = |id: &str, form: &[&str]| {
            check(&format!(r#"{{"auditID":"{id}","verb":"get"}}"#), "kw.auditID.form", form);
        };
        check("0b3ee1f2-5c33-4d0f-9a6e-2f4f0c1f9a77", &["random"]);
        check("0B3EE1F2-5C33-4D0F-9A6E-2F4F0C1F9A77", &["chosen"]);
        check("0b3ee1f2-5c33-1d0f-9a6e-2f4f0c1f9a77", &["chosen"]);
        check("trace-1", &["chosen"]);
        check(&"0".repeat(65), &["long"]);
        check("", &[]);
    }

    #[test]
    fn addresses_are_told_apart() {
        let event = r#"{"auditID":"a","verb":"get","sourceIPs":["1.1.1.1","2.2.2.2","10.0.0.1"]}"#;
        check(event, "kw.sourceIP.peer", &["10.0.0.1"]);
        check(event, "kw.sourceIP.claimed", &["1.1.1.1", "2.2.2.2"]);
        check(event, "kw.sourceIP.first", &["1.1.1.1"]);
    }
}
