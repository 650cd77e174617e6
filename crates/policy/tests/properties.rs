//! The compiled evaluator, the space of requests and the loader against independent naive ones.

use std::borrow::Cow;

use policy::{Api, Evaluator, GroupResources, Level, Policy, Request, Rule, ServerVersion, User, diff};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The matching rules as the documentation states them, one rule after the other.
fn naive(policy: &Policy, request: &Request<'_>) -> Option<usize> {
    policy.rules.iter().position(|rule| matches(rule, request))
}

fn matches(rule: &Rule, request: &Request<'_>) -> bool {
    let user = request.user.as_ref();
    if !rule.users.is_empty() && !user.is_some_and(|user| rule.users.iter().any(|name| *name == user.name)) {
        return false;
    }
    let in_groups = |user: &User<'_>| user.groups.iter().any(|group| rule.user_groups.iter().any(|g| g == group));
    if !rule.user_groups.is_empty() && !user.is_some_and(in_groups) {
        return false;
    }
    if !rule.verbs.is_empty() && !rule.verbs.iter().any(|verb| *verb == request.verb) {
        return false;
    }
    if !rule.namespaces.is_empty() || !rule.resources.is_empty() {
        let namespace = rule.namespaces.is_empty() || rule.namespaces.iter().any(|name| *name == request.namespace);
        let resource = rule.resources.is_empty() || rule.resources.iter().any(|entry| entry_matches(entry, request));
        return request.resource_request && namespace && resource;
    }
    if !rule.non_resource_urls.is_empty() {
        let path = |pattern: &String| {
            pattern == "*"
                || *pattern == request.path
                || (pattern.ends_with('*') && request.path.starts_with(pattern.trim_end_matches('*')))
        };
        return !request.resource_request && rule.non_resource_urls.iter().any(path);
    }
    true
}

fn entry_matches(entry: &GroupResources, request: &Request<'_>) -> bool {
    if entry.group != "*" && entry.group != request.api_group {
        return false;
    }
    if entry.resources.is_empty() {
        return true;
    }
    let combined = if request.subresource.is_empty() {
        request.resource.to_string()
    } else {
        format!("{}/{}", request.resource, request.subresource)
    };
    let pattern = |pattern: &String| {
        pattern == "*"
            || *pattern == combined
            || (!request.subresource.is_empty() && pattern.strip_prefix("*/") == Some(&*request.subresource))
            || pattern.strip_suffix("/*") == Some(&*request.resource)
    };
    let name = entry.resource_names.is_empty() || entry.resource_names.iter().any(|name| *name == request.name);
    name && entry.resources.iter().any(pattern)
}

fn some(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let most = values.len().min(3);
    prop_oneof![
        2 => Just(Vec::new()),
        1 => subsequence(values, 1..=most).prop_map(|v| v.into_iter().map(str::to_owned).collect()),
    ]
}

const USERS: &[&str] = &["alice", "bob", "system:kube-scheduler"];
const GROUPS: &[&str] = &["dev", "ops", "system:nodes"];
const VERBS: &[&str] = &["get", "list", "create"];
const NAMESPACES: &[&str] = &["", "default", "kube-system"];
const API_GROUPS: &[&str] = &["", "apps", "*", "batch"];
const PATTERNS: &[&str] = &["pods", "pods/log", "pods/*", "*/status", "*", "*/*", "secrets", "pods/"];
const NAMES: &[&str] = &["", "one", "two"];
const PATHS: &[&str] = &["/healthz", "/healthz*", "/livez/a", "/*", "*", "/api*"];

fn rule() -> impl Strategy<Value = Rule> {
    let entry =
        (select(API_GROUPS), some(PATTERNS), some(NAMES)).prop_map(|(group, resources, names)| GroupResources {
            group: group.to_owned(),
            resource_names: if resources.is_empty() { Vec::new() } else { names },
            resources,
        });
    let resources = prop_oneof![1 => Just(Vec::new()), 2 => proptest::collection::vec(entry, 1..3)];
    let selectors = (some(USERS), some(GROUPS), some(VERBS), some(NAMESPACES), resources, some(PATHS), any::<bool>());
    (select(&Level::ALL[..]), selectors).prop_map(|(level, selectors)| {
        let (users, user_groups, verbs, namespaces, resources, urls, paths) = selectors;
        let non_resource_urls = if paths { urls } else { Vec::new() };
        let (namespaces, resources) =
            if non_resource_urls.is_empty() { (namespaces, resources) } else { (Vec::new(), Vec::new()) };
        Rule { level, users, user_groups, verbs, namespaces, resources, non_resource_urls, ..Rule::default() }
    })
}

fn policy(rules: usize) -> impl Strategy<Value = Policy> {
    proptest::collection::vec(rule(), 1..rules).prop_map(Policy::new)
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let user = (select(&["alice", "bob", "carol"][..]), subsequence(&["dev", "ops", "qa"][..], 0..=2)).prop_map(
        |(name, groups)| {
            let groups = groups.into_iter().map(Cow::Borrowed).collect();
            User { name: Cow::Borrowed(name), groups }
        },
    );
    let resource = (
        select(&["get", "list", "create", "watch"][..]),
        select(&["", "default", "other"][..]),
        select(&["", "apps", "rbac"][..]),
        select(&["pods", "secrets", "widgets"][..]),
        select(&["", "log", "status", "exec"][..]),
        select(&["", "one", "three"][..]),
    );
    let path = select(&["/healthz", "/healthzz", "/healthz/x", "/livez/a", "/api", "/version"][..]);
    (proptest::option::of(user), resource, path, any::<bool>()).prop_map(|(user, resource, path, is_resource)| {
        let (verb, namespace, group, kind, subresource, name) = resource;
        let verb = Cow::Borrowed(verb);
        if !is_resource {
            return Request { user, verb, path: Cow::Borrowed(path), ..Request::default() };
        }
        Request {
            user,
            verb,
            namespace: Cow::Borrowed(namespace),
            api_group: Cow::Borrowed(group),
            resource: Cow::Borrowed(kind),
            subresource: Cow::Borrowed(subresource),
            name: Cow::Borrowed(name),
            resource_request: true,
            ..Request::default()
        }
    })
}

/// A rule for secrets, for reads, or for what is busy and dull.
fn takes_bodies_away(rule: &Rule) -> bool {
    let names = |name: &str| rule.resources.iter().any(|entry| entry.resources.iter().any(|r| r == name));
    let is_reads = rule.resources.is_empty() && rule.verbs == ["get", "list", "watch"];
    rule.level == Level::Metadata && (names("secrets") || names("pods/status") || is_reads)
}

/// Whether a server can get such a request: selectors that name what no server serves are removed without loss.
fn is_possible(api: &Api, request: &Request<'_>) -> bool {
    if !request.resource_request {
        return request.verb == "get";
    }
    let (group, resource) = (&request.api_group, &request.resource);
    api.has_group(group) != Some(false)
        && api.has_resource(group, resource) != Some(false)
        && (request.subresource.is_empty() || api.has_subresource(group, resource, &request.subresource) != Some(false))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn compiled_decisions_are_the_naive_ones(policy in policy(90), requests in proptest::collection::vec(request(), 20)) {
        let evaluator = Evaluator::new(&policy);
        for request in &requests {
            prop_assert_eq!(naive(&policy, request), evaluator.decide(request).rule, "{:?}", request);
        }
    }

    #[test]
    fn a_request_is_in_a_change_exactly_if_it_is_treated_differently(
        old in policy(6), new in policy(6), requests in proptest::collection::vec(request(), 30),
    ) {
        let difference = diff(&old, &new).expect("small policies are comparable");
        let (old, new) = (Evaluator::new(&old), Evaluator::new(&new));
        let examples = difference.changes.iter().flat_map(|change| &change.examples);
        for request in examples {
            prop_assert_ne!(old.decide(request).level, new.decide(request).level, "example {:?}", request);
        }
        for request in &requests {
            let differs = old.decide(request).level != new.decide(request).level;
            prop_assert_eq!(differs, difference.change_of(request).is_some(), "{:?}", request);
        }
    }

    #[test]
    fn a_written_policy_loads_as_itself(policy in policy(8)) {
        let yaml = policy::to_yaml(&policy);
        let loaded = policy::load(yaml.as_bytes(), ServerVersion::DEFAULT);
        prop_assert_eq!(loaded.warning, None);
        let loaded = loaded.policy.expect(&yaml);
        prop_assert_eq!(loaded.to_json(), policy.to_json());
    }

    #[test]
    fn loading_and_linting_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        policy::lint(&bytes, &policy::LintOptions::new(ServerVersion::DEFAULT));
    }
}

proptest! {
    // Each case asks the linter and the map of the space many times.
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn an_improved_policy_meets_its_goals_and_loses_no_event(base in policy(4)) {
        let (goals, needs) = (vec!["gdpr".to_owned()], policy::standards());
        let options = policy::LintOptions::new(ServerVersion::DEFAULT);
        let improved = policy::improve(&base, &goals, &needs, &options).expect("small policies are comparable").policy();
        let wanted: Vec<_> =
            needs.into_iter().filter(|need| need.goals.iter().any(|goal| goals.contains(goal))).collect();
        let mut blind = policy::blind_spots(&improved, &wanted).expect("comparable");
        blind.retain(|spot| spot.omission.is_none());
        prop_assert!(blind.is_empty(), "{blind:#?}\n{}", policy::to_yaml(&improved));
        let changes = diff(&base, &improved).expect("comparable").changes;
        let (old, new) = (Evaluator::new(&base), Evaluator::new(&improved));
        // One request of every area that is recorded differently.
        for request in changes.iter().flat_map(|change| &change.examples).filter(|r| is_possible(&options.api, r)) {
            let (before, after) = (old.decide(request), new.decide(request));
            let lost = before.level > Level::None && after.level == Level::None;
            prop_assert!(!lost, "{request:?} {before:?} {after:?}");
            let silent = after.omit_stages.iter().any(|stage| !before.omit_stages.contains(stage));
            prop_assert!(before.level == Level::None || !silent, "{request:?} {before:?} {after:?}");
            // Only the rules that say so take bodies away.
            let frugal = after.rule.is_some_and(|rule| takes_bodies_away(&improved.rules[rule]));
            prop_assert!(after.level >= before.level || frugal, "{request:?} {before:?} {after:?}");
        }
        let yaml = policy::to_yaml(&improved);
        let issues = policy::lint(yaml.as_bytes(), &options).issues;
        let warnings: Vec<_> = issues.iter().filter(|issue| issue.lint.severity > policy::Severity::Note).collect();
        prop_assert!(warnings.is_empty(), "{warnings:#?}\n{yaml}");
    }
}
