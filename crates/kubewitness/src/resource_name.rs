//! Names of resources as people type them: `deploy`, `deployment`, `deployments.apps`, `po/web-0`.

/// Plural, group of the API if it is not core, short names.
const KNOWN: [(&str, &str, &[&str]); 44] = [
    ("pods", "", &["po", "pod"]),
    ("services", "", &["svc", "service"]),
    ("configmaps", "", &["cm", "configmap"]),
    ("secrets", "", &["secret"]),
    ("serviceaccounts", "", &["sa", "serviceaccount"]),
    ("namespaces", "", &["ns", "namespace"]),
    ("nodes", "", &["no", "node"]),
    ("persistentvolumes", "", &["pv", "persistentvolume"]),
    ("persistentvolumeclaims", "", &["pvc", "persistentvolumeclaim"]),
    ("endpoints", "", &["ep", "endpoint"]),
    ("events", "", &["ev", "event"]),
    ("limitranges", "", &["limits", "limitrange"]),
    ("resourcequotas", "", &["quota", "resourcequota"]),
    ("replicationcontrollers", "", &["rc", "replicationcontroller"]),
    ("podtemplates", "", &["podtemplate"]),
    ("componentstatuses", "", &["cs", "componentstatus"]),
    ("deployments", "apps", &["deploy", "deployment"]),
    ("daemonsets", "apps", &["ds", "daemonset"]),
    ("statefulsets", "apps", &["sts", "statefulset"]),
    ("replicasets", "apps", &["rs", "replicaset"]),
    ("controllerrevisions", "apps", &["controllerrevision"]),
    ("jobs", "batch", &["job"]),
    ("cronjobs", "batch", &["cj", "cronjob"]),
    ("horizontalpodautoscalers", "autoscaling", &["hpa", "horizontalpodautoscaler"]),
    ("ingresses", "networking.k8s.io", &["ing", "ingress"]),
    ("ingressclasses", "networking.k8s.io", &["ingressclass"]),
    ("networkpolicies", "networking.k8s.io", &["netpol", "networkpolicy"]),
    ("endpointslices", "discovery.k8s.io", &["endpointslice"]),
    ("roles", "rbac.authorization.k8s.io", &["role"]),
    ("rolebindings", "rbac.authorization.k8s.io", &["rolebinding"]),
    ("clusterroles", "rbac.authorization.k8s.io", &["clusterrole"]),
    ("clusterrolebindings", "rbac.authorization.k8s.io", &["clusterrolebinding", "crb"]),
    ("poddisruptionbudgets", "policy", &["pdb", "poddisruptionbudget"]),
    ("priorityclasses", "scheduling.k8s.io", &["pc", "priorityclass"]),
    ("storageclasses", "storage.k8s.io", &["sc", "storageclass"]),
    ("volumeattachments", "storage.k8s.io", &["volumeattachment"]),
    ("leases", "coordination.k8s.io", &["lease"]),
    ("certificatesigningrequests", "certificates.k8s.io", &["csr", "certificatesigningrequest"]),
    ("customresourcedefinitions", "apiextensions.k8s.io", &["crd", "crds", "customresourcedefinition"]),
    ("apiservices", "apiregistration.k8s.io", &["apiservice"]),
    ("mutatingwebhookconfigurations", "admissionregistration.k8s.io", &["mutatingwebhookconfiguration"]),
    ("validatingwebhookconfigurations", "admissionregistration.k8s.io", &["validatingwebhookconfiguration"]),
    ("validatingadmissionpolicies", "admissionregistration.k8s.io", &["vap", "validatingadmissionpolicy"]),
    ("runtimeclasses", "node.k8s.io", &["runtimeclass"]),
];

/// An object or a kind of object, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectName {
    /// Plural, lower case.
    pub(crate) resource: String,
    /// API group, if one was named: `deployments.apps`.
    pub(crate) group: Option<String>,
    /// Name; `None` for every object of the kind.
    pub(crate) name: Option<String>,
}

impl ObjectName {
    /// Reads `deploy/web`, `deploy web`, `deployments.apps/web` or only a kind. `None` if there is no kind.
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let (kind, name) = match words {
            [one] => match one.split_once('/') {
                Some((kind, name)) => (kind, Some(name)),
                None => (*one, None),
            },
            [kind, name] => (*kind, Some(*name)),
            _ => return None,
        };
        let (kind, group) = match kind.split_once('.') {
            Some((kind, group)) => (kind, Some(without_version(group))),
            None => (kind, None),
        };
        let name = name.filter(|name| !name.is_empty() && *name != "*").map(str::to_owned);
        (!kind.is_empty()).then(|| Self { resource: plural(kind), group, name })
    }
}

/// `v1.apps` is `apps`.
fn without_version(group: &str) -> String {
    let is_version = |part: &str| part.starts_with('v') && part[1..].starts_with(|c: char| c.is_ascii_digit());
    match group.split_once('.') {
        Some((version, rest)) if is_version(version) => rest.to_owned(),
        _ => group.to_owned(),
    }
}

/// Plural of a kind or short name; by the rules of English if it is not known.
fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    if let Some((plural, ..)) =
        KNOWN.iter().find(|(plural, _, names)| *plural == kind || names.contains(&kind.as_str()))
    {
        return (*plural).to_owned();
    }
    let vowel_before_y = ["ay", "ey", "oy", "uy"].iter().any(|end| kind.ends_with(end));
    if ["ss", "sh", "ch", "x"].iter().any(|end| kind.ends_with(end)) {
        return format!("{kind}es");
    }
    match kind.strip_suffix('y') {
        Some(stem) if !vowel_before_y => format!("{stem}ies"),
        _ if kind.ends_with('s') || kind.contains(['*', '?']) => kind,
        _ => format!("{kind}s"),
    }
}

/// What to call one object of a resource in a sentence: `deployment` for `deployments`.
pub(crate) fn singular(resource: &str) -> String {
    let known = KNOWN.iter().find(|(plural, ..)| *plural == resource);
    match known.and_then(|(_, _, names)| names.iter().max_by_key(|name| name.len())) {
        Some(name) => (*name).to_owned(),
        None => resource.strip_suffix('s').unwrap_or(resource).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_as_people_type_them() {
        for (typed, resource) in [
            ("deploy", "deployments"),
            ("Deployment", "deployments"),
            ("deployments", "deployments"),
            ("netpol", "networkpolicies"),
            ("widget", "widgets"),
            ("gateway", "gateways"),
            ("clusterpolicy", "clusterpolicies"),
            ("ingress", "ingresses"),
            ("httpproxies", "httpproxies"),
        ] {
            assert_eq!(ObjectName::parse(&[typed]).unwrap().resource, resource, "{typed}");
        }
        let object = ObjectName::parse(&["deployments.v1.apps/web"]).unwrap();
        assert_eq!((object.group.as_deref(), object.name.as_deref()), (Some("apps"), Some("web")));
        assert_eq!(ObjectName::parse(&["po", "web-0"]), ObjectName::parse(&["pod/web-0"]));
        assert_eq!(ObjectName::parse(&["secrets/*"]).unwrap().name, None);
        assert_eq!(
            (singular("networkpolicies"), singular("pods"), singular("widgets")),
            ("networkpolicy".into(), "pod".into(), "widget".into())
        );
    }
}
