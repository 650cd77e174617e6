//! The Sigma language: the conformance files, and tables of rules against events.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::Event;
use rule::{Loaded, Matcher, Options, RuleSet, Severity, Source, Truth, load_sigma, naive};

fn files(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigma").join(directory), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{directory}");
    found
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "yml") {
            found.push(path);
        }
    }
}

fn load(path: &Path) -> Loaded {
    load_sigma(&Source::new(path.display().to_string(), fs::read_to_string(path).unwrap()))
}

fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn published_rules_load_unchanged() {
    let files = files("rules");
    assert_eq!(files.len(), 30);
    for path in files {
        let loaded = load(&path);
        assert_eq!((loaded.rules.len(), errors(&loaded)), (1, Vec::new()), "{}", path.display());
        let audit = path.to_str().unwrap().contains("application/kubernetes");
        assert_eq!(loaded.rules[0].is_evaluated(), audit, "{}", path.display());
        let doubts: Vec<_> = loaded.problems.iter().filter(|p| p.severity > Severity::Note).collect();
        assert!(doubts.is_empty(), "{doubts:?}");
    }
}

#[test]
fn specification_examples_load() {
    for path in files("spec/tests/schema") {
        let loaded = load(&path);
        let count = loaded.rules.len() + loaded.correlations.len() + loaded.filters.len();
        assert_eq!((count, errors(&loaded)), (1, Vec::new()), "{}", path.display());
    }
}

/// A rule for audit events with this detection.
fn rule(detection: &str) -> String {
    let indented = detection.trim().lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!("title: t\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n{indented}")
}

const EVENT: &str = r#"{"kind":"Event","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete","verb":"create",
 "requestURI":"/api/v1/namespaces/web/pods?x=1\u0026y=2","user":{"username":"Alice","groups":["dev","system:authenticated"],"extra":{"scopes.example.com/a":["one","two"]}},
 "sourceIPs":["192.0.2.7","10.1.2.3"],"userAgent":"kubectl/v1.36","objectRef":{"resource":"pods","namespace":"web","name":"x"},
 "responseStatus":{"code":403},"requestObject":{"metadata":{"name":"Alice","uid":null},"spec":{"containers":[{"name":"a","image":"nginx"},{"name":"b","securityContext":{"privileged":true,"capabilities":{"add":["NET_ADMIN"]}}}],"volumes":[{"name":"v","hostPath":{"path":"/etc"}}]}},
 "requestReceivedTimestamp":"2026-11-22T01:43:06.000000Z","stageTimestamp":"2026-11-22T01:43:06.500000Z",
 "annotations":{"authorization.k8s.io/decision":"allow","note":"-enc SQBFAFgA a*b ZWNobyBoaQ=="}}"#;

fn check(detection: &str, want: bool) {
    assert_eq!(holds(detection), (want, want), "{detection}");
}

/// Whether the detection holds on [`EVENT`]: by the plain evaluator, and by the matcher.
fn holds(detection: &str) -> (bool, bool) {
    let loaded = load_sigma(&Source::new("t", rule(detection)));
    assert!(loaded.rules.len() == 1, "{detection}\n{:?}", loaded.problems);
    let event = Event::parse(EVENT.as_bytes()).unwrap();
    let naive = naive::evaluate(&loaded.rules[0].condition, &event) == Truth::True;
    let mut matches = Vec::new();
    Matcher::new(Arc::new(RuleSet::compile(loaded, Options::default()))).matches(&event, &mut matches);
    (naive, matches.len() == 1)
}

/// Each line is a test of one field as it stands in a selection, and whether it holds on [`EVENT`].
const TESTS: &str = r#"
verb: create                                       | true
verb: CREATE                                       | true
verb|cased: CREATE                                 | false
verb: [get, create]                                | true
verb|neq: get                                      | true
verb|neq: create                                   | false
verb: cr*te                                        | true
verb: cr?ate                                       | true
verb: cr?te                                        | false
verb|startswith: cr                                | true
verb|endswith: [x, TE]                             | true
verb|contains|all: [cr, eat]                       | true
verb|contains|all: [cr, x]                         | false
verb|re: ^cr.*e$                                   | true
verb|re: ^CR                                       | false
verb|re|i: ^CR                                     | true
responseStatus.code: 403                           | true
responseStatus.code: '403'                         | true
responseStatus.code|gte: 400                       | true
responseStatus.code|lt: 400                        | false
responseStatus.code: null                          | false
objectRef.subresource: null                        | true
objectRef.subresource: ''                          | true
objectRef.name: ''                                 | false
objectRef.subresource: '*'                         | false
objectRef.resource: '*'                            | true
objectRef.subresource|exists: false                | true
objectRef.name|exists: true                        | true
requestObject.metadata.uid: null                   | true
requestObject.metadata.uid|exists: true            | false
user.groups: dev                                   | true
user.groups|contains|all: [dev, authent]           | true
user.groups: [x, y]                                | false
sourceIPs|cidr: 192.0.2.0/24                       | true
sourceIPs|cidr: [10.0.0.0/8, fd00::/8]             | true
sourceIPs|cidr: 172.16.0.0/12                      | false
annotations.authorization.k8s.io/decision: allow   | true
user.extra.scopes.example.com/a: two               | true
requestURI|contains: 'x=1&y=2'                     | true
requestURI|contains: '/web/pods?x'                 | true
requestURI|contains: '\?x=1'                       | true
hostPath: '*'                                      | true
capabilities: NET_ADMIN                            | true
capabilities: '*'                                  | true
privileged: true                                   | true
username: alice                                    | true
apiGroup: ''                                       | true
namespace: web                                     | true
requestObject.spec.containers.image: nginx         | true
requestObject.spec.containers.1.name: b            | true
requestObject.spec.containers.0.name: b            | false
user.username|fieldref: requestObject.metadata.name | true
user.username|fieldref: verb                       | false
requestURI|fieldref|contains: objectRef.resource   | true
user.username|fieldref|neq: verb                   | true
stageTimestamp|hour: 1                             | true
stageTimestamp|hour|gte: 8                         | false
stageTimestamp|year: 2026                          | true
stageTimestamp|week: 47                            | true
annotations.note|windash|contains: ' /enc '        | false
annotations.note|windash|startswith: '/enc'        | true
annotations.note|contains: 'a\*b'                  | true
annotations.note|contains: 'a\*c'                  | false
annotations.note|wide|base64offset|contains: IEX   | true
annotations.note|base64|contains: echo hi          | true
kw.outcome: denied                                 | true
kw.pod.containers.image: nginx                     | true
kw.user.class: human                               | true
kw.sourceIP.peer: 10.1.2.3                         | true
kw.object: pods web/x                              | true
kw.uri.param.y: 2                                  | true
kw.agent.family: kubectl                           | true
"#;

#[test]
fn tests_of_one_field() {
    let wrong: Vec<_> = TESTS
        .lines()
        .filter_map(|line| line.rsplit_once('|'))
        .map(|(test, want)| (test.trim(), want.trim() == "true"))
        .map(|(test, want)| (test, want, holds(&format!("s:\n    {test}\ncondition: s"))))
        .filter(|(_, want, held)| *held != (*want, *want))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn conditions() {
    let selections = "t: {verb: create}\nf: {verb: get}\nt_2: {namespace: web}\n_f: {verb: get}\nkeys: [nginx, zzz]";
    for (condition, want) in [
        ("t", true),
        ("not t", false),
        ("t or f and f", true),
        ("(t or f) and f", false),
        ("not f and t", true),
        ("1 of t*", true),
        ("all of t*", true),
        ("all of them", false),
        ("1 of them", true),
        ("any of f*", false),
        ("2 of t*", true),
        ("1 of _*", false),
        ("keys", true),
        ("not not t", true),
        ("t AND NOT f", true),
        ("[t, f]", true),
        ("[f, _f]", false),
    ] {
        check(&format!("{selections}\ncondition: {condition}"), want);
    }
}

#[test]
fn lists_of_maps_are_alternatives() {
    check("s:\n  - verb: get\n  - namespace: web\n    verb: create\ncondition: s", true);
    check("s:\n  - verb: get\n  - namespace: web\n    verb: list\ncondition: s", false);
    check("s:\n  '|all': [nginx, NET_ADMIN]\ncondition: s", true);
    check("s:\n  '|all': [nginx, zzz]\ncondition: s", false);
    check("s: nginx\ncondition: s", true);
}
