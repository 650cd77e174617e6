//! What detection rules need from an audit policy, worked out from their conditions.
//!
//! For every kind of request the condition is evaluated with what is known of such a request (verb, resource, API group,
//! path) and everything else left open. The least level at which it can still hold is the level that the rule needs for
//! that kind of request.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Event, Level, Stage};
use policy::{Api, Area, BlindSpot, Choice, Need, Pattern};
use rule::{Condition, Derived, Field, FieldPath, Part, Predicate, Root, Rule, RuleSet, Test, Truth, naive};
use serde_json::json;

/// Verbs of requests for resources.
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// A resource that no rule names: what matches it matches any.
const ANY_RESOURCE: (&str, &str, &str) = ("unheard-of.example", "unheardofs", "");
/// Stands for every group in a policy.
const ANY_GROUP: &str = "*";
/// Paths that rules ask for, and one that no rule names.
const PATHS: [&str; 10] =
    ["/api", "/apis", "/debug/pprof", "/healthz", "/livez", "/logs", "/metrics", "/readyz", "/version", ANY_PATH];
const ANY_PATH: &str = "/unheard-of";
/// Least level first; at `None` nothing is seen.
const LEVELS: [Level; 3] = [Level::Metadata, Level::Request, Level::RequestResponse];

/// What holds a pod spec. Custom resources may as well, and are left out.
const WORKLOADS: [&str; 9] = [
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "pods",
    "podtemplates",
    "replicasets",
    "replicationcontrollers",
    "statefulsets",
];

/// A kind of request, and an event that holds what is known of it.
struct Kind {
    verb: &'static str,
    target: Target,
    event: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// API group, resource with subresource.
    Resource(String, String),
    Path(&'static str),
}

/// What every evaluated rule of a set needs. One that needs different levels for different requests has several needs.
pub(super) fn needs(set: &RuleSet, api: &Api) -> Vec<Need> {
    let kinds = kinds(set, api);
    let parsed: Vec<(&Kind, Event<'_>)> =
        kinds.iter().filter_map(|kind| Some((kind, Event::parse(kind.event.as_bytes()).ok()?))).collect();
    set.rules().iter().filter(|rule| rule.is_evaluated()).flat_map(|rule| needs_of(rule, &parsed)).collect()
}

fn kinds(set: &RuleSet, api: &Api) -> Vec<Kind> {
    let mut targets: Vec<(String, String, String)> = Vec::new();
    for group in api.group_names() {
        for (resource, subresources) in api.resources(group) {
            targets.push((group.to_owned(), resource.to_owned(), String::new()));
            targets.extend(subresources.map(|sub| (group.to_owned(), resource.to_owned(), sub.to_owned())));
        }
    }
    let (group, resource, subresource) = ANY_RESOURCE;
    targets.push((group.to_owned(), resource.to_owned(), subresource.to_owned()));
    targets.extend(custom_resources(set, api).into_iter().map(|(group, resource)| (group, resource, String::new())));
    let of_resources = targets.iter().flat_map(|target| VERBS.map(|verb| resource_kind(verb, target)));
    let of_paths = PATHS.map(|path| {
        let event = json!({"auditID": "", "verb": "get", "requestURI": path});
        Kind { verb: "get", target: Target::Path(path), event: event.to_string() }
    });
    of_resources.chain(of_paths).collect()
}

/// Groups and names of resources that rules name and Kubernetes does not serve.
fn custom_resources(set: &RuleSet, api: &Api) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for rule in set.rules() {
        let (mut groups, mut resources) = (BTreeSet::new(), BTreeSet::new());
        rule.condition.each_test(&mut |predicate, _| {
            let Test::Text(_, rule::Pattern::Exact(text)) = &predicate.test else { return };
            if is(&predicate.field, "objectRef.resource") && api.groups_with(text).is_empty() {
                resources.insert(text.to_string());
            } else if is(&predicate.field, "objectRef.apiGroup") && api.has_group(text) != Some(true) {
                groups.insert(text.to_string());
            }
        });
        if groups.is_empty() {
            groups.insert(ANY_GROUP.to_owned());
        }
        found.extend(resources.iter().flat_map(|name| groups.iter().map(move |group| (group.clone(), name.clone()))));
    }
    found
}

fn resource_kind(verb: &'static str, (group, resource, subresource): &(String, String, String)) -> Kind {
    let root = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
    let mut event = json!({
        "auditID": "", "verb": verb, "objectRef": {"resource": resource},
        "requestURI": format!("{root}/namespaces/default/{resource}/example/{subresource}"),
    });
    for (key, value) in [("apiGroup", group), ("subresource", subresource)] {
        if !value.is_empty() {
            event["objectRef"][key] = json!(value);
        }
    }
    let combined = if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
    Kind { verb, target: Target::Resource(group.clone(), combined), event: event.to_string() }
}

/// Verbs by level and target.
type Wanted<'k> = BTreeMap<Level, BTreeMap<&'k Target, Vec<&'static str>>>;

fn needs_of(rule: &Rule, kinds: &[(&Kind, Event<'_>)]) -> Vec<Need> {
    let mut wanted = Wanted::new();
    for (kind, event) in kinds {
        let facts = Facts { event, about: About::Request };
        let may_match = |level| facts.may_hold(&rule.condition, level).can_be_true;
        // Most rules are about few kinds of requests.
        if !may_match(Level::RequestResponse) {
            continue;
        }
        if let Some(level) = LEVELS.into_iter().find(|level| may_match(*level)) {
            wanted.entry(level).or_default().entry(&kind.target).or_default().push(kind.verb);
        }
    }
    wanted.into_iter().map(|(level, targets)| need(rule, level, &targets)).collect()
}

fn need(rule: &Rule, level: Level, targets: &BTreeMap<&Target, Vec<&'static str>>) -> Need {
    let is_long = |target: &Target| match target {
        Target::Resource(_, resource) => {
            ["exec", "attach", "portforward", "proxy", "log"].iter().any(|sub| resource.ends_with(&format!("/{sub}")))
        }
        Target::Path(_) => false,
    };
    let stages = match rule.needs.stages.as_slice() {
        [] if targets.keys().all(|target| is_long(target)) => vec![Stage::ResponseStarted, Stage::ResponseComplete],
        [] => vec![Stage::ResponseComplete],
        stages => stages.to_vec(),
    };
    let in_body = |name: &String| FieldPath::new(name).field().part() >= Part::Request;
    let fields = rule.needs.fields.iter().filter(|name| level > Level::Metadata && in_body(name)).cloned().collect();
    let requests = patterns(targets).into_iter().map(|pattern| Pattern {
        users: values(&rule.condition, "user.username"),
        namespaces: if pattern.paths.is_empty() { values(&rule.condition, "objectRef.namespace") } else { Vec::new() },
        ..pattern
    });
    Need {
        id: name(rule).to_owned(),
        title: rule.meta.title.clone(),
        goals: vec!["security".to_owned()],
        requests: requests.collect(),
        level,
        stages,
        fields,
    }
}

/// The targets as a policy writes them: those of a group that have the same verbs together.
fn patterns(targets: &BTreeMap<&Target, Vec<&'static str>>) -> Vec<Pattern> {
    let (any_group, any_resource, _) = ANY_RESOURCE;
    let any = targets.get(&Target::Resource(any_group.to_owned(), any_resource.to_owned()));
    let mut shapes: BTreeMap<(&str, &[&str]), Vec<&str>> = BTreeMap::new();
    let mut paths = Vec::new();
    for (target, verbs) in targets {
        match target {
            Target::Path(path) => paths.push(*path),
            Target::Resource(..) if any.is_some_and(|any| any == verbs) => {}
            Target::Resource(group, resource) => shapes.entry((group, verbs)).or_default().push(resource),
        }
    }
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let verbs_of = |verbs: &[&str]| if verbs.len() == VERBS.len() { Vec::new() } else { owned(verbs) };
    let mut patterns: Vec<Pattern> = shapes
        .into_iter()
        .map(|((group, verbs), resources)| Pattern {
            verbs: verbs_of(verbs),
            group: group.to_owned(),
            resources: owned(&resources),
            ..Pattern::default()
        })
        .collect();
    if let Some(verbs) = any {
        patterns.push(Pattern { verbs: verbs_of(verbs), group: ANY_GROUP.to_owned(), ..Pattern::default() });
    }
    if !paths.is_empty() {
        let paths = if paths.contains(&ANY_PATH) { owned(&["*"]) } else { owned(&paths) };
        patterns.push(Pattern { verbs: owned(&["get"]), paths, ..Pattern::default() });
    }
    patterns
}

/// The values of a field one of which every match has.
fn values(condition: &Condition, name: &str) -> Vec<String> {
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
fn is(field: &Field, path: &str) -> bool {
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

/// What an event tells, and about what it tells everything.
struct Facts<'e> {
    event: &'e Event<'e>,
    about: About,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Verb and target.
    Request,
    /// Who sends it.
    User,
}

/// What a condition can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Possible {
    can_be_true: bool,
    can_be_false: bool,
}

impl Facts<'_> {
    fn may_hold(&self, condition: &Condition, level: Level) -> Possible {
        match condition {
            Condition::Always(truth) => exactly(*truth),
            Condition::All(parts) => {
                let mut all = exactly(Truth::True);
                for part in parts {
                    let part = self.may_hold(part, level);
                    all.can_be_true &= part.can_be_true;
                    all.can_be_false |= part.can_be_false;
                    if part == exactly(Truth::False) {
                        return part;
                    }
                }
                all
            }
            Condition::Any(parts) => {
                let mut any = exactly(Truth::False);
                for part in parts {
                    let part = self.may_hold(part, level);
                    any.can_be_true |= part.can_be_true;
                    any.can_be_false &= part.can_be_false;
                    if part == exactly(Truth::True) {
                        return part;
                    }
                }
                any
            }
            Condition::Not(inner) => {
                let Possible { can_be_true, can_be_false } = self.may_hold(inner, level);
                Possible { can_be_true: can_be_false, can_be_false: can_be_true }
            }
            Condition::Test(predicate) => self.may_pass(predicate, level),
        }
    }

    fn may_pass(&self, predicate: &Predicate, level: Level) -> Possible {
        let has_no_body = matches!(&*self.event.verb(), "get" | "list" | "watch") || !self.may_carry(&predicate.field);
        match predicate.field.part() {
            Part::Request if has_no_body => return exactly(Truth::False),
            Part::Request if level < Level::Request => return exactly(Truth::NotRecorded),
            Part::Response if level < Level::RequestResponse => return exactly(Truth::NotRecorded),
            _ => {}
        }
        let compares = matches!(predicate.test, Test::Compare(..));
        match self.tells(&predicate.field) && !compares {
            true => exactly(naive::test(predicate, self.event)),
            false => Possible { can_be_true: true, can_be_false: true },
        }
    }

    /// Whether a request body of such a request can hold what the field is about.
    fn may_carry(&self, field: &Field) -> bool {
        let resources: &[&str] = match field {
            _ if self.about == About::User => return true,
            Field::Path(Root::Pod | Root::PodContainers, _) => &WORKLOADS,
            Field::Derived(Derived::RbacPairs) => &["clusterroles", "roles"],
            Field::Derived(Derived::CsrSubject) => &["certificatesigningrequests"],
            _ => return true,
        };
        let whole = matches!(&*self.event.subresource(), "" | "ephemeralcontainers");
        whole && resources.iter().any(|resource| *resource == self.event.resource())
    }

    /// Whether the event has every value that the field can have in such a request.
    fn tells(&self, field: &Field) -> bool {
        let is_any_of = |paths: &[&str]| paths.iter().any(|path| is(field, path));
        match (self.about, field) {
            (_, Field::AnyOf(fields)) => fields.iter().all(|field| self.tells(field)),
            // What follows a proxy is anyone's choice.
            (About::Request, Field::Derived(Derived::UriPath)) => !self.event.request_uri().ends_with("/proxy"),
            (About::Request, _) => {
                is_any_of(&["verb", "objectRef.resource", "objectRef.subresource", "objectRef.apiGroup"])
            }
            (About::User, Field::Derived(Derived::UserClass)) => true,
            (About::User, _) => is_any_of(&["user.username"]),
        }
    }
}

fn exactly(truth: Truth) -> Possible {
    Possible { can_be_true: truth == Truth::True, can_be_false: truth == Truth::False }
}

/// Whether the rule of a blind spot could match for any of the users whose requests go unseen: a rule that leaves the
/// identities of nodes out is not blind where only theirs do.
pub(super) fn matters(spot: &BlindSpot, set: &RuleSet) -> bool {
    let Some(rule) = set.rules().iter().find(|rule| name(rule) == spot.need.id) else { return true };
    spot.areas.iter().any(|area| users(area).is_none_or(|users| users.iter().any(|user| may_match(rule, user))))
}

/// The users of an area, where they are known by name or group.
fn users(area: &Area) -> Option<Vec<&str>> {
    if area.in_groups.iter().any(|group| group == NODES) {
        return Some(vec!["system:node:any"]);
    }
    match &area.users {
        Choice::Only(names) if names.iter().all(|name| !name.starts_with('(')) => {
            Some(names.iter().map(String::as_str).collect())
        }
        _ => None,
    }
}

const NODES: &str = "system:nodes";

fn may_match(rule: &Rule, user: &str) -> bool {
    let groups: &[&str] = if user.starts_with("system:node:") { &[NODES] } else { &[] };
    let text = json!({"auditID": "", "user": {"username": user, "groups": groups}}).to_string();
    let Ok(event) = Event::parse(text.as_bytes()) else { return true };
    Facts { event: &event, about: About::User }.may_hold(&rule.condition, Level::RequestResponse).can_be_true
}

fn name(rule: &Rule) -> &str {
    rule.meta.name.as_deref().unwrap_or(&rule.meta.id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use policy::ServerVersion;
    use rule::{Expected, Options, RuleTest};

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
        let needs = needs(&set, &api());
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
        let told: Vec<String> = needs(&set, &api())
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
                r#"Metadata [] [] ["nodes/proxy", "pods/exec", "pods/proxy", "services/proxy"] [], ["get"] [] ["/version"]"#,
                r#"Request ["kw.pod.containers.securityContext.privileged"] ["create"] ["pods"] []"#,
            ]
        );
    }
}
