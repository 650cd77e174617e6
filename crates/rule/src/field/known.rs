//! The names an audit event can have, so that a wrong one is noticed when a rule is loaded.

use super::derived;
use crate::problem::{Fault, Place};

/// Top-level fields of an audit event, with the fields below those that have a fixed shape.
const FIELDS: [(&str, &[&str]); 21] = [
    ("kind", &[]),
    ("apiVersion", &[]),
    ("metadata", ANY),
    ("level", &[]),
    ("auditID", &[]),
    ("stage", &[]),
    ("requestURI", &[]),
    ("verb", &[]),
    ("user", USER),
    ("impersonatedUser", USER),
    ("authenticationMetadata", &["impersonationConstraint"]),
    ("sourceIPs", ANY),
    ("userAgent", &[]),
    (
        "objectRef",
        &["resource", "subresource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion"],
    ),
    ("responseStatus", &["metadata", "status", "message", "reason", "details", "code"]),
    ("requestObject", ANY),
    ("responseObject", ANY),
    ("requestReceivedTimestamp", &[]),
    ("stageTimestamp", &[]),
    ("annotations", ANY),
    ("timestamp", &[]),
];

const USER: &[&str] = &["username", "uid", "groups", "extra"];
/// Anything may stand below.
const ANY: &[&str] = &["*"];

const KW_PATHS: [&str; 3] = ["pod", "pod.containers", "uri.param."];

/// Says what is wrong with a Sigma field name of an audit rule, and what was probably meant.
pub(crate) fn check_path(name: &str, place: Place) -> Option<Fault> {
    if let Some(rest) = name.strip_prefix("kw.") {
        if super::Field::kw(rest).is_some() {
            return None;
        }
        let names = derived::NAMES.iter().map(|(name, _)| *name).chain(KW_PATHS);
        return Some(unknown(name, place).nearest(rest, names));
    }
    let mut keys = name.split('.');
    let top = keys.next().unwrap_or_default();
    let Some((_, below)) = FIELDS.iter().find(|(known, _)| *known == top) else {
        return Some(unknown(name, place).nearest(top, FIELDS.iter().map(|(known, _)| *known)));
    };
    match keys.next() {
        None => None,
        Some(_) if *below == ANY => None,
        Some(key) if below.contains(&key) => None,
        Some(key) => Some(unknown(name, place).nearest(key, below.iter().copied())),
    }
}

fn unknown(name: &str, place: Place) -> Fault {
    Fault::error(place, format!("no audit event has a field `{name}`: a test of it never holds"))
}
