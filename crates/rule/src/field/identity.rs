//! Who speaks: classes of users, and the components of Kubernetes themselves.

use std::borrow::Cow;

use audit::{Event, Json};

/// Whether of an authenticated user the name alone is recorded: the API server always gives a group as well.
pub(super) fn is_name_alone(event: &Event<'_>) -> bool {
    event.user.groups.is_none() && !event.username().is_empty()
}

/// Class of the authenticated user. Where the name alone is recorded, it is believed.
pub(crate) fn class(event: &Event<'_>) -> &'static str {
    let user = event.username();
    let in_group = |group: &str| is_in_group(event, group);
    match &*user {
        "" | "system:anonymous" => "anonymous",
        _ if in_group("system:unauthenticated") => "anonymous",
        name if name.starts_with("system:node:") && (in_group("system:nodes") || is_name_alone(event)) => "node",
        name if name.starts_with("system:serviceaccount:") => "serviceaccount",
        "system:kube-controller-manager"
        | "system:kube-scheduler"
        | "system:apiserver"
        | "system:kube-proxy"
        | "system:cloud-controller-manager"
        | "system:kube-aggregator" => "control-plane",
        name if name.starts_with("system:") => "system",
        _ => "human",
    }
}

fn is_in_group(event: &Event<'_>, group: &str) -> bool {
    event.user.groups.into_iter().flat_map(Json::elements).any(|g| g.is_text(group))
}

/// The impersonated user if there is one, else the user.
pub(crate) fn effective<'a>(event: &Event<'a>) -> Cow<'a, str> {
    let impersonated = event.impersonated_user.and_then(|user| user.username).and_then(Json::text);
    impersonated.unwrap_or_else(|| event.username())
}

/// A component of Kubernetes: its user, a group that the user must have, and the programs it speaks through.
struct Component {
    user: &'static str,
    group: &'static str,
    agents: &'static [&'static str],
}

const fn component(user: &'static str, group: &'static str, agents: &'static [&'static str]) -> Component {
    Component { user, group, agents }
}

const KUBE_SYSTEM: &str = "system:serviceaccounts:kube-system";

const COMPONENTS: [Component; 17] = [
    component("system:apiserver", "system:masters", &["kube-apiserver"]),
    component("system:kube-controller-manager", "system:authenticated", &["kube-controller-manager"]),
    component("system:cloud-controller-manager", "system:authenticated", &["cloud-controller-manager"]),
    component("system:kube-scheduler", "system:authenticated", &["kube-scheduler"]),
    component("system:kube-proxy", "system:authenticated", &["kube-proxy"]),
    component("system:kube-aggregator", "system:authenticated", &["kube-aggregator", "kube-apiserver"]),
    component("system:serviceaccount:kube-system:kube-proxy", KUBE_SYSTEM, &["kube-proxy"]),
    component("system:serviceaccount:kube-system:coredns", KUBE_SYSTEM, &["coredns", "Go-http-client"]),
    component("system:serviceaccount:kube-system:metrics-server", KUBE_SYSTEM, &["metrics-server"]),
    component("system:serviceaccount:kube-system:cluster-autoscaler", KUBE_SYSTEM, &["cluster-autoscaler"]),
    component("system:serviceaccount:kube-system:konnectivity-agent", KUBE_SYSTEM, &["proxy-agent"]),
    component("system:serviceaccount:kube-system:cloud-controller-manager", KUBE_SYSTEM, &["cloud-controller-manager"]),
    component("system:serviceaccount:kube-system:calico-node", KUBE_SYSTEM, &["calico-node"]),
    component("system:serviceaccount:kube-system:calico-kube-controllers", KUBE_SYSTEM, &["kube-controllers"]),
    component("system:serviceaccount:kube-system:cilium", KUBE_SYSTEM, &["cilium-agent"]),
    component(
        "system:serviceaccount:kube-system:cilium-operator",
        KUBE_SYSTEM,
        &["cilium-operator", "cilium-operator-generic"],
    ),
    component("system:serviceaccount:kube-system:node-problem-detector", KUBE_SYSTEM, &["node-problem-detector"]),
];

/// Whether user, group and agent together are those of a known component; `None` if user and agent are and the groups are
/// not recorded. Never by the name alone, since a name prefix is the first thing an attacker imitates; and never for an
/// impersonated identity.
pub(crate) fn is_system_component(event: &Event<'_>) -> Option<bool> {
    match required_group(event) {
        None => Some(false),
        Some(_) if is_name_alone(event) => None,
        Some(group) => Some(is_in_group(event, group)),
    }
}

/// The group of the component whose user and agent the event shows.
fn required_group(event: &Event<'_>) -> Option<&'static str> {
    let (user, agent) = (event.username(), event.user_agent());
    if event.impersonated_user.is_some() || !user.starts_with("system:") {
        return None;
    }
    let program = agent.split('/').next().unwrap_or_default();
    if user.starts_with("system:node:") {
        return (program == "kubelet").then_some("system:nodes");
    }
    if user.starts_with("system:serviceaccount:kube-system:") && program == "kube-controller-manager" {
        // The controller manager ends its agent with the account that the controller uses.
        return agent.ends_with(&*user).then_some(KUBE_SYSTEM);
    }
    let known = COMPONENTS.iter().find(|known| known.user == user && known.agents.contains(&program))?;
    Some(known.group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_known_by_user_group_and_agent() {
        for (user, group, agent, class_is, system) in [
            ("system:node:a", "system:nodes", "kubelet/v1.36.2 (linux/amd64)", "node", true),
            ("system:node:a", "system:nodes", "curl/8.5.0", "node", false),
            ("system:node:a", "x", "kubelet/v1.36.2", "system", false),
            ("system:kube-controller-manager", "system:authenticated", "kubectl/v1", "control-plane", false),
            (
                "system:serviceaccount:kube-system:job-controller",
                "system:serviceaccounts:kube-system",
                "kube-controller-manager/v1 (linux/amd64) kubernetes/8e/system:serviceaccount:kube-system:job-controller",
                "serviceaccount",
                true,
            ),
            (
                "system:serviceaccount:kube-system:job-controller",
                "system:serviceaccounts:kube-system",
                "kube-controller-manager/v1 (linux/amd64)",
                "serviceaccount",
                false,
            ),
            ("alice", "dev", "kubectl/v1", "human", false),
            ("system:anonymous", "system:unauthenticated", "curl/8", "anonymous", false),
        ] {
            let text = format!(
                r#"{{"auditID":"a","verb":"get","user":{{"username":"{user}","groups":["{group}"]}},"userAgent":"{agent}"}}"#
            );
            let event = Event::parse(text.as_bytes()).unwrap();
            assert_eq!((class(&event), is_system_component(&event)), (class_is, Some(system)), "{user} {agent}");
        }
    }

    #[test]
    fn without_groups_a_component_is_only_ruled_out() {
        for (user, agent, class_is, system) in [
            ("system:node:a", "kubelet/v1.36.2", "node", None),
            ("system:node:a", "curl/8.5.0", "node", Some(false)),
            ("system:kube-scheduler", "kube-scheduler/v1", "control-plane", None),
            ("eve@example.com", "kubelet/v1.36.2", "human", Some(false)),
        ] {
            let text =
                format!(r#"{{"auditID":"a","verb":"get","user":{{"username":"{user}"}},"userAgent":"{agent}"}}"#);
            let event = Event::parse(text.as_bytes()).unwrap();
            assert_eq!((class(&event), is_system_component(&event)), (class_is, system), "{user} {agent}");
        }
    }
}
