//! Fields of conditions, by the names that Sigma and Falco give them.

use rule::{Condition, Field, Predicate, Root, Test};

/// The values of a field one of which every match has.
pub(super) fn values(condition: &Condition, name: &str) -> Vec<String> {
    let exact = |condition: &Condition| match condition {
        Condition::Test(Predicate { field, test: Test::Text(_, rule::Pattern::Exact(text)) }) if is(field, name) => {
            Some(text.to_string())
        }
        _ => None,
    };
    match condition {
        Condition::All(parts) => {
            parts.iter().map(|part| values(part, name)).find(|found| !found.is_empty()).unwrap_or_default()
        }
        Condition::Any(parts) => parts.iter().map(exact).collect::<Option<Vec<_>>>().unwrap_or_default(),
        single => exact(single).into_iter().collect(),
    }
}

/// Whether a field is this path of the event, by its own name or by Falco's.
pub(super) fn is(field: &Field, path: &str) -> bool {
    match field {
        Field::Path(Root::Event, own) => **own == *path,
        Field::Falco(falco) => FALCO_NAMES.contains(&(falco.name().as_str(), path)),
        _ => false,
    }
}

const FALCO_NAMES: [(&str, &str); 10] = [
    ("ka.verb", "verb"),
    ("ka.target.resource", "objectRef.resource"),
    ("ka.target.subresource", "objectRef.subresource"),
    ("ka.target.namespace", "objectRef.namespace"),
    ("ka.user.name", "user.username"),
    ("ka.user.groups", "user.groups"),
    ("jevt.value[/verb]", "verb"),
    ("jevt.value[/objectRef/resource]", "objectRef.resource"),
    ("jevt.value[/objectRef/subresource]", "objectRef.subresource"),
    ("jevt.value[/user/username]", "user.username"),
];
