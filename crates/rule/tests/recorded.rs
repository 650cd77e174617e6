//! What a cloud's log leaves out of an event is not recorded: neither a test of it nor its negation holds.

use std::sync::Arc;

use audit::{Event, Format, normalise, split};
use rule::{Matcher, Options, RuleSet, Source, Truth, load_sigma, naive};

/// Events in the formats of EKS, GKE and AKS, one a line in `event`.
fn samples() -> Vec<(Format, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/samples/panther/events.jsonl.zst");
    let text = zstd::decode_all(std::fs::read(path).unwrap().as_slice()).unwrap();
    let mut found = Vec::new();
    for line in String::from_utf8(text).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = line["event"].to_string();
        for item in split(record.as_bytes()) {
            if let Ok(event) = normalise(item.format, item.bytes) {
                found.push((item.format, String::from_utf8(event.into_owned()).unwrap()));
            }
        }
    }
    found
}

fn rule(selection: &str, condition: &str) -> RuleSet {
    let text = format!(
        "title: t\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n  s: {{{selection}}}\n  condition: {condition}\n"
    );
    let loaded = load_sigma(&Source::new("t", text));
    assert_eq!(loaded.rules.len(), 1, "{:?}", loaded.problems);
    RuleSet::compile(loaded, Options::default())
}

fn matches(set: &Arc<RuleSet>, event: &Event<'_>) -> bool {
    let mut found = Vec::new();
    Matcher::new(Arc::clone(set)).matches(event, &mut found);
    !found.is_empty()
}

const DROPPED: [&str; 6] = [
    "user.groups: system:masters",
    "user.uid|exists: true",
    "user.extra.a: b",
    "impersonatedUser.username|exists: true",
    "impersonatedUser.groups: system:masters",
    "authenticationMetadata.impersonationConstraint: x",
];

#[test]
fn of_an_identity_google_logs_the_name_alone() {
    let events: Vec<String> =
        samples().into_iter().filter(|(format, _)| *format == Format::Gke).map(|(_, e)| e).collect();
    assert!(events.len() >= 28, "{}", events.len());
    for selection in DROPPED {
        let (plain, negated) = (Arc::new(rule(selection, "s")), Arc::new(rule(selection, "not s")));
        for text in &events {
            let event = Event::parse(text.as_bytes()).unwrap();
            let named = !event.username().is_empty();
            assert!(!matches(&plain, &event), "{selection}\n{text}");
            assert_eq!(matches(&negated, &event), !named, "{selection}\n{text}");
            let truth = naive::evaluate(&plain.rules()[0].condition, &event);
            assert_eq!(truth, if named { Truth::NotRecorded } else { Truth::False }, "{selection}\n{text}");
        }
    }
}

/// Whether an event has what a test asks for.
type Recorded = dyn Fn(&Event<'_>) -> bool;

#[test]
fn google_logs_neither_the_query_nor_the_reason() {
    let events: Vec<String> =
        samples().into_iter().filter(|(format, _)| *format == Format::Gke).map(|(_, e)| e).collect();
    let has_query = |event: &Event<'_>| event.request_uri().contains('?');
    let succeeds = |event: &Event<'_>| event.code().is_some_and(|code| code < 400);
    let rows: [(&str, &Recorded); 3] = [
        ("kw.uri.param.fieldValidation|exists: true", &has_query),
        ("kw.exec.command|contains: bash", &has_query),
        ("responseStatus.reason: Forbidden", &succeeds),
    ];
    for (selection, is_recorded) in rows {
        let (plain, negated) = (Arc::new(rule(selection, "s")), Arc::new(rule(selection, "not s")));
        for text in &events {
            let event = Event::parse(text.as_bytes()).unwrap();
            let absent = event.username().is_empty() || is_recorded(&event);
            assert!(!matches(&plain, &event), "{selection}\n{text}");
            assert_eq!(matches(&negated, &event), absent, "{selection}\n{text}");
        }
    }
    let log_in =
        r#"{"auditID":"a","stage":"ResponseComplete","requestURI":"/x","user":{"username":"eve","groups":["g"]}}"#;
    let event = Event::parse(log_in.as_bytes()).unwrap();
    assert!(matches(&Arc::new(rule("kw.uri.param.x|exists: true", "not s")), &event));
}

#[test]
fn what_the_api_server_leaves_out_is_absent() {
    let event = |user: &str| format!(r#"{{"auditID":"a","level":"Metadata","verb":"get","user":{user}}}"#);
    for (user, absent) in [
        (r#"{"username":"eve","groups":["system:authenticated"]}"#, true),
        // Nobody was authenticated.
        ("{}", true),
        (r#"{"username":"eve"}"#, false),
    ] {
        for selection in DROPPED {
            let text = event(user);
            let event = Event::parse(text.as_bytes()).unwrap();
            assert_eq!(matches(&Arc::new(rule(selection, "not s")), &event), absent, "{user} {selection}");
        }
    }
}

#[test]
fn a_component_is_not_taken_for_a_stranger_where_groups_are_dropped() {
    let stranger = Arc::new(rule("kw.user.systemComponent: true", "not s"));
    for (user, agent, is_stranger) in [
        ("system:kube-scheduler", "kube-scheduler/v1.34.0", false),
        ("system:kube-scheduler", "curl/8.5.0", true),
        ("eve@example.com", "kube-scheduler/v1.34.0", true),
    ] {
        let text = format!(r#"{{"auditID":"a","verb":"get","user":{{"username":"{user}"}},"userAgent":"{agent}"}}"#);
        assert_eq!(matches(&stranger, &Event::parse(text.as_bytes()).unwrap()), is_stranger, "{user} {agent}");
    }
}

#[test]
fn without_a_level_a_missing_body_is_not_recorded() {
    let absent = Arc::new(rule("requestObject.spec.tls|exists: true", "not s"));
    for (level, is_absent) in [("", false), (r#""level":"Metadata","#, false), (r#""level":"Request","#, true)] {
        let text = format!(r#"{{"auditID":"a",{level}"stage":"ResponseComplete","verb":"create"}}"#);
        assert_eq!(matches(&absent, &Event::parse(text.as_bytes()).unwrap()), is_absent, "{level}");
    }
}
