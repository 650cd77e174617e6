//! What is said of rules that load but cannot do what they should.

use rule::{Matching, Options, RuleSet, Severity, Source, load_falco, load_sigma};

fn sigma(detection: &str) -> Vec<String> {
    let text = format!("title: t\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n{detection}\n");
    let loaded = load_sigma(&Source::new("f.yml", text));
    let mut said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    said.extend(RuleSet::compile(loaded, Options::default()).check().iter().map(ToString::to_string));
    said
}

#[test]
fn problems_name_place_reason_and_the_nearest_name() {
    for (detection, want) in [
        (
            "    s: {verb: replace}\n    condition: s",
            "f.yml:1:1: error: `t` can never match: `replace` is no verb of Kubernetes",
        ),
        (
            "    s: {verb: [create, replace]}\n    condition: s",
            "f.yml:1:1: note: `t`: `replace` is no verb of Kubernetes",
        ),
        ("    s: {verb: creat}\n    condition: s", "(did you mean `create`?)"),
        ("    s: {verb: get}\n    r: {verb: create}\n    condition: s and r", "`verb` would need two values at once"),
        ("    s: {responseStatus.code: DENY}\n    condition: s", "`responseStatus.code` is a number, never `deny`"),
        ("    s: {stage: Complete}\n    condition: s", "is no stage"),
        (
            "    s: {objectref.resource: pods}\n    condition: s",
            "f.yml:4:9: error: no audit event has a field `objectref.resource`: a test of it never holds (did you mean `objectRef`?)",
        ),
        (
            "    s: {verbb: get}\n    t: {verb: list}\n    condition: s or t",
            "error: no audit event has a field `verbb`: a test of it never holds (did you mean `verb`?)",
        ),
        ("    s: {objectRef.ressource: pods}\n    condition: s", "did you mean `resource`?"),
        ("    s: {kw.outcom: denied}\n    condition: s", "did you mean `outcome`?"),
        ("    s: {verb|contain: x}\n    condition: s", "error: unknown modifier `contain` (did you mean `contains`?)"),
        ("    s: {verb: get}\n    condition: selection", "error: no selection is called `selection`"),
        (
            "    s: {verb: get}\n    u: {verb: get}\n    condition: s",
            "f.yml:5:5: warning: the condition does not use `u`",
        ),
        ("    s: {verb|re: '('}\n    condition: s", "error: regular expression"),
        ("    s: {verb|re: '(\\w{500}){500}'}\n    condition: s", "error: regular expression is larger than the limit"),
        ("    s: {verb|expand: '%verbs%'}\n    condition: s", "error: placeholder `%verbs%` has no value"),
        ("    s: {sourceIPs|cidr: 10.0.0.0/40}\n    condition: s", "is no network"),
        ("    s: {verb: get}\n    condition: s | count() > 5", "write a correlation"),
        (
            "    s: {responseStatus.code: ALLOW}\n    condition: s",
            "note: `responseStatus.code` is a number and never `ALLOW`",
        ),
    ] {
        let said = sigma(detection);
        assert!(said.iter().any(|problem| problem.contains(want)), "{detection}\nwant {want}\nsaid {said:#?}");
    }
}

#[test]
fn one_bad_document_costs_one() {
    let good = "title: a\nlogsource: {product: kubernetes}\ndetection: {s: {verb: get}, condition: s}\n";
    let loaded = load_sigma(&Source::new("f", format!("{good}---\ntitle: [\n---\n{good}---\ntitle: x\n---\n{good}")));
    assert_eq!(loaded.rules.len(), 3);
    let places: Vec<u32> =
        loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.place.line).collect();
    assert_eq!(places.len(), 2, "{:?}", loaded.problems);
    assert_eq!(places[1], 11);
}

const FALCO: &str = "
- rule: wide
  desc: d
  condition: ka.verb=create and ka.target.resource=pods
  output: o
  priority: INFO
  source: k8s_audit
- rule: narrow
  desc: d
  condition: ka.verb=create and ka.target.resource=pods and ka.target.namespace=x
  output: o
  priority: INFO
  source: k8s_audit
- rule: capabilities
  desc: d
  condition: ka.verb=delete and ka.req.pod.containers.add_capabilities intersects (SYS_ADMIN) and not ka.req.configmap.obj contains x
  output: o
  priority: INFO
  source: k8s_audit
";

#[test]
fn a_rule_behind_a_wider_one_is_shadowed_under_first_match() {
    let set =
        |matching| RuleSet::compile(load_falco(&[Source::new("f", FALCO)]), Options { matching, ..Options::default() });
    let problems = set(Matching::All).check();
    assert_eq!(problems.iter().map(|problem| problem.severity).collect::<Vec<_>>(), [Severity::Note], "{problems:?}");
    let problems = set(Matching::First).check();
    assert_eq!(problems.iter().map(|problem| problem.severity).collect::<Vec<_>>(), [Severity::Error]);
    assert!(problems[0].what.starts_with("`narrow` never reports: `wide`"), "{}", problems[0]);
}

#[test]
fn differences_to_falco_are_told() {
    let set = RuleSet::compile(load_falco(&[Source::new("f", FALCO)]), Options::default());
    let said: Vec<_> = set.differences().into_iter().map(|d| (d.rule.0, d.what)).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|(rule, _)| *rule == 2));
}

#[test]
fn a_rule_that_is_switched_off_is_no_mistake() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/falco/rules/k8s_audit_rules.yaml");
    let loaded = load_falco(&[Source::new("f", std::fs::read_to_string(path).unwrap())]);
    let problems = RuleSet::compile(loaded, Options::default()).check();
    let grave: Vec<_> = problems.iter().filter(|problem| problem.severity > Severity::Note).collect();
    assert_eq!(grave.len(), 1, "{grave:?}");
    assert!(
        grave[0].severity == Severity::Warning && grave[0].what.starts_with("`All K8s Audit Events` can never match")
    );
}
