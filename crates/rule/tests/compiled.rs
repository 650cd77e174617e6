//! The compiled rules match what the plain evaluator says: on recorded events, and on random conditions and events.

use std::sync::Arc;

use audit::Event;
use proptest::prelude::*;
use rule::{
    Fidelity, Loaded, Matcher, Matching, Options, RuleRef, RuleSet, Source, load_builtin, load_falco, load_sigma,
};

fn compare(set: &Arc<RuleSet>, matcher: &mut Matcher, event: &Event<'_>) -> Result<(), String> {
    let mut matches = Vec::new();
    matcher.matches(event, &mut matches);
    let found: Vec<u32> = matches.iter().map(|found| found.rule.0).collect();
    let rules = u32::try_from(set.rules().len()).unwrap();
    let plain: Vec<u32> = (0..rules).filter(|rule| set.matches_plainly(RuleRef(*rule), event)).collect();
    if found == plain {
        return Ok(());
    }
    let title = |rule: &u32| set.rule(RuleRef(*rule)).meta.title.clone();
    let names = |rules: &[u32]| rules.iter().map(title).collect::<Vec<_>>();
    Err(format!("compiled {:?}\nplain {:?}\n{}", names(&found), names(&plain), String::from_utf8_lossy(event.text())))
}

#[test]
fn every_rule_on_every_event_of_the_rules_tests() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/falco/");
    let read = |name: &str| std::fs::read_to_string(format!("{directory}{name}")).unwrap();
    let mut loaded = load_builtin();
    loaded.extend(load_falco(&[Source::new("falco", read("rules/k8s_audit_rules.yaml"))]));
    let mut events: Vec<String> =
        loaded.rules.iter().flat_map(|rule| rule.meta.extension.tests.iter().flat_map(|test| test.events())).collect();
    for trace in std::fs::read_dir(format!("{directory}traces")).unwrap() {
        events.extend(std::fs::read_to_string(trace.unwrap().path()).unwrap().lines().map(str::to_owned));
    }
    assert!(events.len() > 400);
    for fidelity in [Fidelity::Native, Fidelity::Parity] {
        let set = Arc::new(RuleSet::compile(loaded.clone(), Options { fidelity, matching: Matching::All }));
        let mut matcher = Matcher::new(Arc::clone(&set));
        for event in events.iter().step_by(3).filter_map(|text| Event::parse(text.as_bytes()).ok()) {
            if fidelity == Fidelity::Native || event.stage_time().is_some() {
                compare(&set, &mut matcher, &event).unwrap();
            }
        }
    }
}

/// A value of an event or a pattern: few letters, so that they meet.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abAB]{0,3}",
        Just("ä".to_owned()),
        Just("Ä".to_owned()),
        Just("get".to_owned()),
        Just("create".to_owned())
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![word(), "[abA*?]{1,4}", Just("*".to_owned())]
}

fn field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "verb",
        "user.username",
        "user.groups",
        "objectRef.resource",
        "requestURI",
        "kw.outcome",
        "requestObject.a",
        "requestObject.a.b",
        "requestObject.x.0",
        "annotations.a.b/c",
        "kw.pod.containers.image",
        "responseStatus.code",
        "hostPath",
    ])
}

fn selection() -> impl Strategy<Value = String> {
    let modifier =
        prop::sample::select(vec!["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|neq"]);
    let listed = (field(), modifier, prop::collection::vec(pattern(), 1..4)).prop_map(|(field, modifier, values)| {
        let values: Vec<String> = values.iter().map(|v| format!("'{v}'")).collect();
        format!("{field}{modifier}: [{}]", values.join(", "))
    });
    let other = prop_oneof![
        field().prop_map(|field| format!("{field}|exists: true")),
        field().prop_map(|field| format!("{field}: null")),
        (field(), "[ab.*]{1,3}").prop_map(|(field, regex)| format!("{field}|re: '(?:x|{})'", regex.replace('*', "a*"))),
        (field(), field()).prop_map(|(field, other)| format!("{field}|fieldref: {other}")),
        (field(), 0..500).prop_map(|(field, number)| format!("{field}|lt: {number}")),
    ];
    prop_oneof![3 => listed, 1 => other]
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["s0", "s1", "s2", "s3", "1 of s*", "all of s*"]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|c| format!("not ({c})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|c| format!("({})", c.join(" and "))),
            prop::collection::vec(inner, 2..4).prop_map(|c| format!("({})", c.join(" or "))),
        ]
    })
}

fn rule_text() -> impl Strategy<Value = String> {
    (prop::collection::vec(selection(), 4), condition()).prop_map(|(selections, condition)| {
        let selections: String = selections.iter().enumerate().map(|(i, s)| format!("  s{i}: {{{s}}}\n")).collect();
        format!("title: t\nlogsource: {{product: kubernetes}}\ndetection:\n{selections}  condition: {condition}\n")
    })
}

fn event_text() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["Metadata", "Request", "RequestResponse"]);
    let stage = prop::sample::select(vec!["RequestReceived", "ResponseStarted", "ResponseComplete"]);
    let words = prop::collection::vec(word(), 6);
    (level, stage, words, any::<bool>(), prop::sample::select(vec![200, 403, 404])).prop_map(|(level, stage, w, body, code)| {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let q: Vec<String> = w.iter().map(|text| quote(text)).collect();
        let body = if body {
            format!(
                r#","requestObject":{{"a":[{{"b":{}}},{}],"x":[{},1],"spec":{{"containers":[{{"image":{}}}],"volumes":[{{"hostPath":{{}}}}]}}}}"#,
                q[0], q[1], q[2], q[3]
            )
        } else {
            String::new()
        };
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","level":"{level}","stage":"{stage}","verb":{},"requestURI":{},"user":{{"username":{},"groups":[{},{}]}},"objectRef":{{"resource":"pods"}},"responseStatus":{{"code":{code}}},"annotations":{{"a.b/c":{}}}{body}}}"#,
            q[0], q[1], q[2], q[3], q[4], q[5]
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn compiled_is_plain(rules in prop::collection::vec(rule_text(), 1..6), events in prop::collection::vec(event_text(), 1..8)) {
        let mut loaded = Loaded::default();
        for text in &rules {
            loaded.extend(load_sigma(&Source::new("t", text)));
        }
        prop_assert_eq!(loaded.rules.len(), rules.len(), "{:?}", loaded.problems);
        let set = Arc::new(RuleSet::compile(loaded, Options::default()));
        let mut matcher = Matcher::new(Arc::clone(&set));
        for text in &events {
            let event = Event::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(compare(&set, &mut matcher, &event), Ok(()), "{:?}", rules);
        }
    }

    #[test]
    fn loaders_never_panic(text in "\\PC{0,200}", yaml in "[-a-z:{}\\[\\]'\"*&!|>% \n#]{0,120}") {
        for text in [text, yaml] {
            let source = Source::new("t", text);
            RuleSet::compile(load_sigma(&source), Options::default());
            RuleSet::compile(load_falco(&[source]), Options::default());
        }
    }
}
