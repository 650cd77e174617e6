//! Sigma's names that are not in an audit event, and values that cannot be there.

use crate::condition::{Case, Condition, Pattern, Predicate, Test};
use crate::falco::FalcoField;
use crate::field::{Field, Root};
use crate::problem::{Fault, Place};

/// The field that one of Sigma's own names for Kubernetes stands for. Those about a pod reach every container list and
/// the templates of workloads.
pub(crate) fn pseudo_field(name: &str) -> Option<Field> {
    let field = match name {
        "apiGroup" | "resource" | "subresource" | "namespace" => Field::path(&format!("objectRef.{name}")),
        "username" => Field::path("user.username"),
        "hostPath" => Field::Path(Root::Pod, "volumes.hostPath".into()),
        "capabilities" => Field::Path(Root::PodContainers, "securityContext.capabilities.add".into()),
        "privileged" => Field::AnyOf(vec![
            Field::Path(Root::PodContainers, "securityContext.privileged".into()),
            Field::path("responseObject.spec.containers.securityContext.privileged"),
        ]),
        // What only Falco has a name for, in a rule that was imported.
        _ if name.starts_with("ka.") || name.starts_with("jevt.") || name.ends_with(')') => {
            Field::Falco(FalcoField::parse(name)?)
        }
        _ => return None,
    };
    Some(field)
}

/// A test rewritten to what it must have meant, with a report; `None` if it stands as it is.
pub(super) fn shim(predicate: &Predicate, place: Place) -> Option<(Condition, Fault)> {
    let Predicate { field: Field::Path(Root::Event, path), test: Test::Text(Case::Folded, Pattern::Exact(value)) } =
        predicate
    else {
        return None;
    };
    let (other, said) = match (&**path, &**value) {
        // The code is a number; `ALLOW` is what Google's log says of the decision.
        ("responseStatus.code", "allow") => {
            let field = Field::path("annotations.authorization.k8s.io/decision");
            let test = Test::Text(Case::Folded, Pattern::Exact("allow".into()));
            let said =
                "`responseStatus.code` is a number and never `ALLOW`: it is read as the authoriser's decision as well";
            (Condition::Test(Predicate { field, test }), said)
        }
        // The core group and a request without subresource have no such key at all.
        ("objectRef.apiGroup" | "objectRef.subresource", "") => {
            let exists = Condition::Test(Predicate { field: predicate.field.clone(), test: Test::Exists });
            (exists.negated(), "an empty value is left out of audit events: it is read as absent as well")
        }
        _ => return None,
    };
    Some((Condition::Any(vec![Condition::Test(predicate.clone()), other]), Fault::note(place, said)))
}
