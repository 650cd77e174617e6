//! Decisions per second on one core, for a policy of 60 rules: `cargo run --release -p policy --example decisions`.

use std::hint::black_box;
use std::time::Instant;

use policy::{Evaluator, GroupResources, Level, Policy, Request, Rule, User};

/// Sixty rules as large policies have them: noise by user, resources by group, paths, a catch-all.
fn policy() -> Policy {
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let mut rules = Vec::new();
    for i in 0..20 {
        rules.push(Rule {
            users: vec![format!("system:serviceaccount:kube-system:controller-{i}")],
            verbs: strings(&["get", "list", "watch"]),
            ..Rule::default()
        });
    }
    for i in 0..10 {
        let non_resource_urls = vec![format!("/path-{i}*"), format!("/exact-{i}")];
        rules.push(Rule { non_resource_urls, user_groups: strings(&["system:authenticated"]), ..Rule::default() });
    }
    for i in 0..29 {
        let entry = GroupResources {
            group: format!("group-{i}.example.com"),
            resources: strings(&["widgets", "widgets/status", "gadgets/*"]),
            resource_names: if i % 7 == 0 { strings(&["one"]) } else { Vec::new() },
        };
        let namespaces = if i % 3 == 0 { strings(&["kube-system", "prod"]) } else { Vec::new() };
        rules.push(Rule { level: Level::Request, resources: vec![entry], namespaces, ..Rule::default() });
    }
    rules.push(Rule { level: Level::Metadata, ..Rule::default() });
    Policy::new(rules)
}

fn requests() -> Vec<Request<'static>> {
    let request = |i: usize| Request {
        user: Some(User {
            name: format!("system:serviceaccount:kube-system:controller-{}", i % 50).into(),
            groups: vec!["system:serviceaccounts".into(), "system:authenticated".into()],
        }),
        verb: ["get", "list", "update", "create", "watch"][i % 5].into(),
        namespace: ["kube-system", "prod", "dev", ""][i % 4].into(),
        api_group: format!("group-{}.example.com", i % 40).into(),
        resource: ["widgets", "gadgets", "pods"][i % 3].into(),
        subresource: ["", "status", "", ""][i % 4].into(),
        name: "one".into(),
        resource_request: !i.is_multiple_of(10),
        path: if i.is_multiple_of(10) { format!("/path-{}x", i % 20).into() } else { "".into() },
        ..Request::default()
    };
    (0..4096).map(request).collect()
}

fn main() {
    let policy = policy();
    let evaluator = Evaluator::new(&policy);
    let requests = requests();
    const ROUNDS: usize = 5_000;
    let mut recorded = 0usize;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for request in &requests {
            recorded += usize::from(black_box(evaluator.decide(black_box(request))).level > Level::None);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let decisions = ROUNDS * requests.len();
    let rate = decisions as f64 / seconds / 1e6;
    println!("{} rules, {decisions} decisions ({recorded} recorded): {rate:.1} million a second", policy.rules.len());
}
