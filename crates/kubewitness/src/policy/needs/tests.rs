//! Needs against rules that really fire.

use std::collections::HashSet;

use policy::{BlindSpot, ServerVersion};
use rule::{Expected, Options, RuleTest, Truth, naive};

use super::*;

fn builtin() -> RuleSet {
    RuleSet::compile(rule::load_builtin(), Options::default())
}

fn api() -> Api {
    Api::built_in(ServerVersion::DEFAULT)
}

/// A test's event as a policy of this level records it.
fn recorded(event: &str, level: Level) -> String {
    let mut event: serde_json::Value = serde_json::from_str(event).unwrap();
    event["level"] = json!(level);
    let fields = event.as_object_mut().unwrap();
    if level < Level::Request {
        fields.remove("requestObject");
    }
    if level < Level::RequestResponse {
        fields.remove("responseObject");
    }
    event.to_string()
}

/// What matches an event of a level is not called blind under a policy of that level.
#[test]
fn a_rule_that_fires_is_not_called_blind() {
    let set = builtin();
    let needs = needs(&set, &api(), &Identities::default());
    let mut fired = 0;
    for level in LEVELS {
        let policy = policy::Policy::new(vec![policy::Rule { level, ..policy::Rule::default() }]);
        let spots = policy::blind_spots(&policy, &needs).unwrap();
        let seen: HashSet<&str> =
            needs.iter().map(|need| need.id.as_str()).filter(|id| !blind(&spots, &needs, id)).collect();
        for rule in set.rules() {
            let tests = rule.meta.extension.tests.iter().filter(|test| test.expected == Expected::Match);
            for event in tests.flat_map(RuleTest::events) {
                let text = recorded(&event, level);
                let event = Event::parse(text.as_bytes()).unwrap();
                if naive::evaluate(&rule.condition, &event) == Truth::True {
                    fired += 1;
                    assert!(seen.contains(name(rule)), "{} fires at {level}: {text}", name(rule));
                }
            }
        }
    }
    assert!(fired > 500, "only {fired} events");
}

/// Whether every need of a rule is a total blind spot.
fn blind(spots: &[BlindSpot], needs: &[Need], id: &str) -> bool {
    let total = spots.iter().filter(|spot| spot.total && spot.need.id == id).count();
    total == needs.iter().filter(|need| need.id == id).count()
}

#[test]
fn needs_are_of_the_requests_that_a_rule_is_about() {
    let text = r"
title: Privileged pod
name: privileged
logsource: {product: kubernetes, service: audit}
detection:
  pod: {verb: create, objectRef.resource: pods, objectRef.subresource|exists: false}
  privileged: {kw.pod.containers.securityContext.privileged: true}
  exec: {objectRef.resource: pods, objectRef.subresource: exec}
  version: {kw.uri.path: /version}
  condition: (pod and privileged) or exec or version
level: high
";
    let loaded = rule::load_sigma(&rule::Source::new("own.yml", text));
    let set = RuleSet::compile(loaded, Options::default());
    let told: Vec<String> = needs(&set, &api(), &Identities::default())
        .iter()
        .map(|need| {
            let pattern = |p: &Pattern| format!("{:?} {:?} {:?}", p.verbs, p.resources, p.paths);
            let requests: Vec<String> = need.requests.iter().map(pattern).collect();
            format!("{} {:?} {}", need.level, need.fields, requests.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"Metadata [] ["create", "delete", "get", "patch", "update"] ["nodes/proxy", "pods/proxy", "services/proxy"] [], ["create", "get"] ["pods/exec"] [], ["get"] [] ["/version"]"#,
            r#"Request ["kw.pod.containers.securityContext.privileged"] ["create"] ["pods"] []"#,
        ]
    );
}

#[test]
fn a_rule_never_fires_for_users_that_it_leaves_out() {
    let text = r"
title: Leases
name: leases
logsource: {product: kubernetes, service: audit}
detection:
  lease: {verb: update, objectRef.resource: leases}
  component: {kw.user.class: [control-plane, node]}
  condition: lease and not component
level: high
---
title: Nobody
name: nobody
logsource: {product: kubernetes, service: audit}
detection:
  pods: {verb: list, objectRef.resource: pods, user.username: ['', 'system:anonymous']}
  condition: pods
level: high
---
title: Agent
name: agent
logsource: {product: kubernetes, service: audit}
detection:
  reads: {verb: get, objectRef.resource: configmaps, user.groups: 'system:serviceaccounts:agents'}
  condition: reads
level: high
";
    let set = RuleSet::compile(rule::load_sigma(&rule::Source::new("own.yml", text)), Options::default());
    let identities = Identities {
        users: vec!["system:kube-scheduler".to_owned(), "alice".to_owned()],
        groups: ["system:nodes", "system:serviceaccounts", "system:authenticated", "dev"].map(str::to_owned).into(),
    };
    let told: Vec<String> = needs(&set, &api(), &identities)
        .iter()
        .map(|n| format!("{} {:?} {:?}", n.id, n.never.users, n.never.groups))
        .collect();
    assert_eq!(
        told,
        [
            r#"leases ["system:kube-scheduler"] ["system:nodes"]"#,
            r#"nobody ["system:kube-scheduler", "alice"] ["system:nodes", "system:serviceaccounts", "system:authenticated"]"#,
            r#"agent ["system:kube-scheduler", "alice"] ["system:nodes"]"#,
        ]
    );
}
