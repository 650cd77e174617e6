//! One finding: what was noticed, with everything a reader needs to judge it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::severity::Severity;

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the three origins")]
pub enum Source {
    Builtin,
    Sigma,
    Falco,
}

impl Source {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Sigma => "sigma",
            Self::Falco => "falco",
        }
    }
}

/// The rule that made a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// Stable id.
    pub id: String,
    /// What it notices, in a few words.
    pub title: String,
    /// Where it comes from.
    pub source: Source,
    /// What it notices and why it matters, for someone who does not know Kubernetes.
    pub description: String,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "three steps")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What came of the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The API server did it.
    Allowed,
    /// The API server refused it (401, 403 or the authoriser's word).
    Denied,
    /// It was allowed but did not succeed.
    Failed,
}

impl Outcome {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// The namespace and name of a service account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named by the type")]
pub struct ServiceAccount {
    pub namespace: String,
    pub name: String,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    /// The authenticated user; empty if authentication failed.
    pub user: String,
    /// Whom the user acted as, if the API server allowed the impersonation.
    pub acting_as: Option<String>,
    /// The service account behind the user name, if it is one.
    pub service_account: Option<ServiceAccount>,
    /// Source addresses as logged; only the last was seen by the API server, the others are the client's claim.
    pub ips: Vec<String>,
    /// The client program, by its own word.
    pub agent: String,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the parts of an object reference")]
pub struct Object {
    pub api_group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// Path of a request outside the resource API.
    pub path: String,
}

/// An event that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Place in the log, or line number of a scanned file, from zero.
    pub index: u64,
    /// Audit id of the request.
    pub audit_id: String,
}

/// One condition that held, with the value that made it hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The field that was looked at.
    pub field: Arc<str>,
    /// What was asked of it.
    pub condition: Arc<str>,
    /// What it held, shortened.
    pub value: String,
}

/// An immutable statement with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// When it happened: the time of the last event of the evidence.
    pub time: Timestamp,
    /// The cluster.
    pub cluster: String,
    /// The rule.
    pub rule: Arc<RuleRef>,
    /// How grave.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// ATT&CK techniques.
    pub techniques: Arc<[String]>,
    /// Who. Findings about one actor share it.
    pub actor: Arc<Actor>,
    /// The verb of the request.
    pub verb: String,
    /// To what.
    pub object: Object,
    /// What came of it.
    pub outcome: Outcome,
    /// HTTP status of the answer.
    pub code: Option<i64>,
    /// The events it rests on.
    pub events: Vec<Evidence>,
    /// The conditions that held.
    pub why: Arc<[Because]>,
    /// One sentence that tells it.
    pub story: String,
    /// What would make it a false alarm.
    pub false_positives: Arc<[String]>,
    /// Commands that contain it.
    pub containment: String,
    /// Equal for findings that repeat each other: same rule, cluster, actor and object.
    pub fingerprint: String,
}

impl Actor {
    /// The actor as a reader names it.
    pub fn label(&self) -> String {
        let user = match (&self.service_account, self.user.as_str()) {
            (Some(account), _) => format!("service account {}/{}", account.namespace, account.name),
            (None, "") => "someone unauthenticated".to_owned(),
            (None, "system:anonymous") => "an anonymous caller".to_owned(),
            (None, user) => user.to_owned(),
        };
        match &self.acting_as {
            Some(other) => format!("{user} (acting as {other})"),
            None => user,
        }
    }

    /// The address that the API server saw: the last one.
    pub fn peer(&self) -> &str {
        self.ips.last().map_or("", String::as_str)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.resource.is_empty() {
            return f.write_str(&self.path);
        }
        f.write_str(&self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, "") => write!(f, " in {namespace}"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

/// Sixteen hexadecimal digits (FNV-1a, 64 bits) over the parts, which cannot run into each other.
pub fn fingerprint(parts: &[&str]) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xFF]));
    format!("{:016x}", bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_read_like_kubectl() {
        let object = |resource: &str, subresource: &str, namespace: &str, name: &str| Object {
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Object::default()
        };
        assert_eq!(object("pods", "exec", "web", "x").to_string(), "pods/exec web/x");
        assert_eq!(object("secrets", "", "web", "").to_string(), "secrets in web");
        assert_eq!(object("nodes", "", "", "n1").to_string(), "nodes n1");
        assert_eq!(Object { path: "/version".to_owned(), ..Object::default() }.to_string(), "/version");
    }

    #[test]
    fn fingerprints_keep_their_value_and_their_parts_apart() {
        assert_eq!(fingerprint(&["ab", "c"]), fingerprint(&["ab", "c"]));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&[]), "cbf29ce484222325");
    }
}
