//! The table of `ka.*` fields: where each takes its values from.

use audit::{Event, Json};

use crate::field::{Derived, Facet, Part, Row, Value};
use crate::set::Fidelity;

use super::pod;

/// One field of the k8saudit plugin.
#[derive(Debug)]
pub(crate) struct Ka {
    name: &'static str,
    /// Whether it has several values: then only `exists`, `in` and `intersects` may be asked.
    pub(crate) list: bool,
    pub(crate) takes: Takes,
    extract: Extract,
    /// How the plugin reads it, where that differs.
    parity: Option<Extract>,
    pub(crate) defect: Option<&'static str>,
}

/// What may stand in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// Optionally the place of one value.
    Index,
    /// Always a key.
    Key,
}

/// Where values come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extract {
    /// Keys from the top of the event; an array gives its elements.
    Path(&'static [&'static str]),
    Annotation(&'static str),
    /// A query parameter of the request URI, first value.
    UriParameter,
    /// Name in the response, for plain pods.
    TargetPod,
    /// Names of the binding's subjects of a kind, with the namespace before it or without.
    Subjects(&'static str, Naming),
    /// `"true"` whatever the event.
    True,
    /// A list in each RBAC rule.
    RuleLists(&'static str),
    /// Something of each container of a list in the pod spec.
    Containers(&'static str, pod::Of),
    /// Of the first container alone.
    FirstContainer(pod::Of),
    /// Whether any container is privileged.
    AnyPrivileged,
    /// Of the pod's volumes.
    Volumes(pod::Volume),
    /// Whether a volume of that host path is mounted; a trailing `*` stands for any ending.
    HasHostPath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Name,
    NamespaceAndName,
}

impl Ka {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn extract(&self, fidelity: Fidelity) -> Extract {
        match fidelity {
            Fidelity::Native => self.extract,
            Fidelity::Parity => self.parity.unwrap_or(self.extract),
        }
    }

    pub(crate) fn part(&self) -> Part {
        match self.extract {
            Extract::Path(keys) => Part::of_path(&keys.join(".")),
            Extract::TargetPod => Part::Response,
            Extract::UriParameter => Part::Query,
            Extract::Annotation(_) | Extract::True => Part::Metadata,
            _ => Part::Request,
        }
    }
}

impl Extract {
    /// The part of an event that decides what it gives. What looks for something in a body gives the same for all
    /// requests without one.
    pub(crate) fn facet(self) -> Facet {
        match self {
            Self::Path(keys) => Facet::of_path(&keys.join(".")),
            Self::Annotation(_) => Facet::Rest,
            Self::UriParameter => Facet::Uri,
            Self::TargetPod => Facet::Response,
            // The same whatever the event.
            Self::True => Facet::Action,
            Self::Subjects(..)
            | Self::RuleLists(_)
            | Self::Containers(..)
            | Self::FirstContainer(_)
            | Self::AnyPrivileged
            | Self::Volumes(_)
            | Self::HasHostPath => Facet::Request,
        }
    }
}

/// The row of the field `name`.
pub(crate) fn row(name: &str) -> Option<(u8, &'static Ka)> {
    let at = TABLE.iter().position(|known| known.name == name)?;
    Some((u8::try_from(at).ok()?, &TABLE[at]))
}

pub(crate) fn values<'a>(
    extract: Extract,
    event: &Event<'a>,
    argument: Option<&str>,
    found: &mut dyn FnMut(Value<'a>),
) {
    let index = argument.and_then(|argument| argument.parse::<usize>().ok());
    match extract {
        Extract::Path(keys) => {
            let Some(json) = lookup(event, keys).filter(|json| !json.is_null()) else { return };
            pod::elements(json, index, found);
        }
        Extract::Annotation(key) => {
            event.annotations.and_then(|a| a.get(key)).into_iter().for_each(|v| found(Value::Json(v)));
        }
        Extract::UriParameter => {
            let mut first = None;
            let parameter = Derived::UriParam(argument.unwrap_or_default().into());
            parameter.values(event, &mut |value| first = first.take().or(Some(value)));
            first.into_iter().for_each(found);
        }
        Extract::TargetPod => {
            let plain = event.resource() == "pods" && event.subresource().is_empty();
            let name = event.response_object.and_then(|body| body.path(&["metadata", "name"])).filter(|_| plain);
            name.into_iter().for_each(|name| found(Value::Json(name)));
        }
        Extract::Subjects(kind, naming) => subjects(event, kind, naming, found),
        Extract::True => found(Value::Text("true".into())),
        Extract::RuleLists(key) => {
            let rules = event.request_object.and_then(|body| body.get("rules")).into_iter().flat_map(Json::elements);
            for (_, rule) in rules.enumerate().filter(|(at, _)| index.is_none_or(|wanted| wanted == *at)) {
                rule.get(key).into_iter().flat_map(Json::elements).for_each(|value| found(Value::Json(value)));
            }
        }
        Extract::Containers(list, of) => pod::containers(event, list, of, index, found),
        Extract::FirstContainer(of) => pod::containers(event, "containers", of, Some(0), found),
        Extract::AnyPrivileged => {
            let mut privileged = None;
            pod::containers(event, "containers", pod::Of::Security("privileged"), None, &mut |value| {
                privileged = Some(privileged.unwrap_or(false) || value.display() == "true");
            });
            let spec = event.request_object.and_then(|body| body.path(&["spec", "containers"]));
            if spec.is_some() {
                found(Value::Text(privileged.unwrap_or(false).to_string().into()));
            }
        }
        Extract::Volumes(of) => pod::volumes(event, of, index, found),
        Extract::HasHostPath => {
            let wanted = argument.unwrap_or_default();
            let mut has = false;
            pod::volumes(event, pod::Volume::HostPath, None, &mut |value| {
                let path = value.display();
                has |= wanted.strip_suffix('*').map_or(path == wanted, |start| path.starts_with(start));
            });
            found(Value::Text(has.to_string().into()));
        }
    }
}

/// The value at `keys`, from the place that the event has for it or for what stands above.
fn lookup<'a>(event: &Event<'a>, keys: &[&str]) -> Option<Json<'a>> {
    match keys {
        ["requestObject", below @ ..] => event.request_object?.path(below),
        ["responseObject", below @ ..] => event.response_object?.path(below),
        _ => match Row::of(&keys.join(".")) {
            Some(row) => row.read(event),
            None => event.json.path(keys),
        },
    }
}

fn subjects<'a>(event: &Event<'a>, kind: &str, naming: Naming, found: &mut dyn FnMut(Value<'a>)) {
    let subjects = event.request_object.and_then(|body| body.get("subjects")).into_iter().flat_map(Json::elements);
    for subject in subjects.filter(|subject| subject.get("kind").is_some_and(|k| k.is_text(kind))) {
        let Some(name) = subject.get("name") else { continue };
        match naming {
            Naming::Name => found(Value::Json(name)),
            Naming::NamespaceAndName => {
                let namespace = subject.get("namespace").map(Json::display).unwrap_or_default();
                found(Value::Text(format!("{namespace}:{}", name.display()).into()));
            }
        }
    }
}

const fn ka(name: &'static str, extract: Extract) -> Ka {
    Ka { name, list: false, takes: Takes::Nothing, extract, parity: None, defect: None }
}

const fn list(name: &'static str, takes: Takes, extract: Extract) -> Ka {
    Ka { name, list: true, takes, extract, parity: None, defect: None }
}

const fn defective(known: Ka, parity: Extract, defect: &'static str) -> Ka {
    Ka { parity: Some(parity), defect: Some(defect), ..known }
}

const SOURCES_DEFECT: &str = "Falco reads it from requestObject.rules, where it never is: the field is always missing";
const EFFECTIVE_DEFECT: &str = "Falco looks outside securityContext: the value is always 0";
const CAPABILITIES_DEFECT: &str =
    "Falco gives one JSON array a container instead of its capabilities: a name never intersects";
const REPOSITORY_DEFECT: &str = "Falco cuts at the first colon: a registry with a port loses everything after its host";

macro_rules! path {
    ($($key:literal),+) => { Extract::Path(&[$($key),+]) };
}

/// The fields of one list of containers.
macro_rules! container_fields {
    ($prefix:literal, $list:literal) => {
        [
            list(
                concat!("ka.req.pod.", $prefix, ".name"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Key("name")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".image"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Key("image")),
            ),
            defective(
                list(
                    concat!("ka.req.pod.", $prefix, ".image.repository"),
                    Takes::Index,
                    Extract::Containers($list, pod::Of::Repository),
                ),
                Extract::Containers($list, pod::Of::RepositoryCutAtFirstColon),
                REPOSITORY_DEFECT,
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".command"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Joined("command")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".args"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Joined("args")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".privileged"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("privileged")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".allow_privilege_escalation"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("allowPrivilegeEscalation")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".read_only_fs"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("readOnlyRootFilesystem")),
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".run_as_user"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("runAsUser")),
            ),
            defective(
                list(
                    concat!("ka.req.pod.", $prefix, ".eff_run_as_user"),
                    Takes::Index,
                    Extract::Containers($list, pod::Of::Effective("runAsUser")),
                ),
                Extract::Containers($list, pod::Of::Zero),
                EFFECTIVE_DEFECT,
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".run_as_group"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("runAsGroup")),
            ),
            defective(
                list(
                    concat!("ka.req.pod.", $prefix, ".eff_run_as_group"),
                    Takes::Index,
                    Extract::Containers($list, pod::Of::Effective("runAsGroup")),
                ),
                Extract::Containers($list, pod::Of::Zero),
                EFFECTIVE_DEFECT,
            ),
            list(
                concat!("ka.req.pod.", $prefix, ".proc_mount"),
                Takes::Index,
                Extract::Containers($list, pod::Of::Security("procMount")),
            ),
            defective(
                list(
                    concat!("ka.req.pod.", $prefix, ".add_capabilities"),
                    Takes::Index,
                    Extract::Containers($list, pod::Of::Capabilities),
                ),
                Extract::Containers($list, pod::Of::CapabilitiesAsOne),
                CAPABILITIES_DEFECT,
            ),
        ]
    };
}

const PLAIN: [Ka; 58] = [
    ka("ka.auditid", path!("auditID")),
    ka("ka.stage", path!("stage")),
    ka("ka.auth.decision", Extract::Annotation("authorization.k8s.io/decision")),
    ka("ka.auth.reason", Extract::Annotation("authorization.k8s.io/reason")),
    ka("ka.auth.openshift.decision", Extract::Annotation("authentication.openshift.io/decision")),
    ka("ka.auth.openshift.username", Extract::Annotation("authentication.openshift.io/username")),
    ka(
        "ka.validations.admission.policy.failure",
        Extract::Annotation("validation.policy.admission.k8s.io/validation_failure"),
    ),
    ka("ka.security.pod.violations", Extract::Annotation("pod-security.kubernetes.io/audit-violations")),
    ka("ka.cluster.name", Extract::Annotation("cluster_name")),
    ka("ka.user.name", path!("user", "username")),
    list("ka.user.groups", Takes::Nothing, path!("user", "groups")),
    ka("ka.impuser.name", path!("impersonatedUser", "username")),
    ka("ka.verb", path!("verb")),
    ka("ka.uri", path!("requestURI")),
    Ka { takes: Takes::Key, ..ka("ka.uri.param", Extract::UriParameter) },
    ka("ka.target.name", path!("objectRef", "name")),
    ka("ka.target.namespace", path!("objectRef", "namespace")),
    ka("ka.target.resource", path!("objectRef", "resource")),
    ka("ka.target.subresource", path!("objectRef", "subresource")),
    ka("ka.target.pod.name", Extract::TargetPod),
    ka("ka.resp.name", path!("responseObject", "metadata", "name")),
    ka("ka.response.code", path!("responseStatus", "code")),
    ka("ka.response.reason", path!("responseStatus", "reason")),
    ka("ka.useragent", path!("userAgent")),
    defective(list("ka.sourceips", Takes::Index, path!("sourceIPs")), Extract::RuleLists("sourceIPs"), SOURCES_DEFECT),
    list("ka.req.binding.subjects", Takes::Nothing, path!("requestObject", "subjects")),
    list("ka.req.binding.subjects.user_names", Takes::Nothing, Extract::Subjects("User", Naming::Name)),
    list(
        "ka.req.binding.subjects.serviceaccount_names",
        Takes::Nothing,
        Extract::Subjects("ServiceAccount", Naming::Name),
    ),
    list(
        "ka.req.binding.subjects.serviceaccount_ns_names",
        Takes::Nothing,
        Extract::Subjects("ServiceAccount", Naming::NamespaceAndName),
    ),
    list("ka.req.binding.subjects.group_names", Takes::Nothing, Extract::Subjects("Group", Naming::Name)),
    ka("ka.req.binding.role", path!("requestObject", "roleRef", "name")),
    Ka { takes: Takes::Key, ..ka("ka.req.binding.subject.has_name", Extract::True) },
    ka("ka.req.configmap.name", path!("objectRef", "name")),
    ka("ka.req.configmap.obj", path!("requestObject", "data")),
    list("ka.req.role.rules", Takes::Nothing, path!("requestObject", "rules")),
    list("ka.req.role.rules.apiGroups", Takes::Index, Extract::RuleLists("apiGroups")),
    list("ka.req.role.rules.nonResourceURLs", Takes::Index, Extract::RuleLists("nonResourceURLs")),
    list("ka.req.role.rules.verbs", Takes::Index, Extract::RuleLists("verbs")),
    list("ka.req.role.rules.resources", Takes::Index, Extract::RuleLists("resources")),
    ka("ka.req.service.type", path!("requestObject", "spec", "type")),
    list("ka.req.service.ports", Takes::Index, path!("requestObject", "spec", "ports")),
    ka("ka.req.pod.host_ipc", path!("requestObject", "spec", "hostIPC")),
    ka("ka.req.pod.host_network", path!("requestObject", "spec", "hostNetwork")),
    ka("ka.req.pod.host_pid", path!("requestObject", "spec", "hostPID")),
    ka("ka.req.pod.run_as_user", path!("requestObject", "spec", "securityContext", "runAsUser")),
    ka("ka.req.pod.run_as_group", path!("requestObject", "spec", "securityContext", "runAsGroup")),
    ka("ka.req.pod.fs_group", path!("requestObject", "spec", "securityContext", "fsGroup")),
    list(
        "ka.req.pod.supplemental_groups",
        Takes::Nothing,
        path!("requestObject", "spec", "securityContext", "supplementalGroups"),
    ),
    list("ka.req.pod.volumes.hostpath", Takes::Index, Extract::Volumes(pod::Volume::HostPath)),
    list("ka.req.pod.volumes.flexvolume_driver", Takes::Index, Extract::Volumes(pod::Volume::FlexDriver)),
    list("ka.req.pod.volumes.volume_type", Takes::Index, Extract::Volumes(pod::Volume::Kind)),
    list("ka.req.pod.containers.host_port", Takes::Index, Extract::Containers("containers", pod::Of::HostPort)),
    list("ka.req.pod.initContainers.host_port", Takes::Index, Extract::Containers("initContainers", pod::Of::HostPort)),
    ka("ka.req.container.image", Extract::FirstContainer(pod::Of::Key("image"))),
    defective(
        ka("ka.req.container.image.repository", Extract::FirstContainer(pod::Of::Repository)),
        Extract::FirstContainer(pod::Of::RepositoryCutAtFirstColon),
        REPOSITORY_DEFECT,
    ),
    ka("ka.req.container.privileged", Extract::AnyPrivileged),
    ka("ka.req.container.host_network", path!("requestObject", "spec", "hostNetwork")),
    Ka { takes: Takes::Key, ..ka("ka.req.volume.hostpath", Extract::HasHostPath) },
];

/// Every field of the plugin.
pub(crate) static TABLE: std::sync::LazyLock<Vec<Ka>> = std::sync::LazyLock::new(|| {
    PLAIN
        .into_iter()
        .chain(container_fields!("containers", "containers"))
        .chain(container_fields!("initContainers", "initContainers"))
        .chain(container_fields!("ephemeralContainers", "ephemeralContainers"))
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_has_a_hundred_fields() {
        assert_eq!(TABLE.len(), 100);
        let names: std::collections::BTreeSet<_> = TABLE.iter().map(Ka::name).collect();
        assert_eq!(names.len(), 100);
    }
}
