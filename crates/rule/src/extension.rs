//! Our extensions of Sigma, under the key `kubewitness`: tests, containment, needs, first-seen.

use std::borrow::Cow;

use audit::{Json, Level as AuditLevel, Stage};
use finding::Confidence;

use crate::node::{Node, Value};
use crate::problem::{Fault, Place};

/// The block `kubewitness:` of a rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extension {
    /// Numbers of the ideas of the coverage matrix that the rule covers.
    pub matrix: Vec<u32>,
    /// Cells of the Kubernetes threat matrix.
    pub threat_matrix: Vec<String>,
    /// Least audit level that it says it needs.
    pub level: Option<AuditLevel>,
    /// Stages that it says it looks at.
    pub stages: Vec<Stage>,
    /// Match only the first time that a combination is seen.
    pub first_seen: Option<FirstSeen>,
    /// How sure a match is.
    pub confidence: Option<Confidence>,
    /// Commands that contain the attack, with `{user}`-like placeholders.
    pub containment: String,
    /// A sentence for a story, with placeholders.
    pub story: String,
    /// Tests inside the rule.
    pub tests: Vec<RuleTest>,
}

/// Match only when the values of `fields` are seen for the first time after `learn`, and again after `window`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the block")]
pub struct FirstSeen {
    pub fields: Vec<String>,
    pub learn_seconds: u64,
    pub window_seconds: u64,
}

/// One test inside a rule: events that must or must not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// What the rule must do.
    pub expected: Expected,
    /// Whether it is a way an attacker could try to slip past.
    pub style: Style,
    /// The events as they are written.
    events: Vec<Cow<'static, str>>,
    /// Where it stands in the file.
    pub place: Place,
}

impl RuleTest {
    /// The events as JSON, in order, with what every event has. One for a rule; several for a correlation or first-seen.
    pub fn events(&self) -> impl ExactSizeIterator<Item = String> {
        self.events.iter().map(|event| completed(event))
    }
}

/// What a rule must do with the events of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "yes or no")]
pub enum Expected {
    Match,
    NoMatch,
}

/// Kind of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The ordinary way.
    Plain,
    /// A way around the obvious condition.
    Evasion,
}

const KEYS: [&str; 8] =
    ["matrix", "threat_matrix", "needs", "first_seen", "confidence", "containment", "story", "tests"];
const TEST_KEYS: [&str; 5] = ["name", "match", "evasion", "event", "events"];

/// Reads the block. What is wrong is reported and left out.
pub(crate) fn read(node: &Node, faults: &mut Vec<Fault>) -> Extension {
    let mut extension = Extension::default();
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or_default();
        match name {
            "matrix" => extension.matrix = numbers(value),
            "threat_matrix" => extension.threat_matrix = value.texts(),
            "needs" => needs(value, &mut extension, faults),
            "first_seen" => extension.first_seen = first_seen(value, faults),
            "confidence" => extension.confidence = confidence(value, faults),
            "containment" => extension.containment = value.text().unwrap_or_default().to_owned(),
            "story" => extension.story = value.text().unwrap_or_default().to_owned(),
            "tests" => extension.tests = value.items().iter().filter_map(|test| self::test(test, faults)).collect(),
            _ => faults
                .push(Fault::warning(key.place, format!("unknown key `{name}` in `kubewitness`")).nearest(name, KEYS)),
        }
    }
    extension
}

fn numbers(node: &Node) -> Vec<u32> {
    node.texts().iter().filter_map(|text| text.parse().ok()).collect()
}

fn needs(node: &Node, extension: &mut Extension, faults: &mut Vec<Fault>) {
    if let Some(level) = node.get("level") {
        let name = level.text().unwrap_or_default();
        extension.level = AuditLevel::from_name(name);
        if extension.level.is_none() {
            let fault = Fault::warning(level.place, format!("`{name}` is no audit level"));
            faults.push(fault.nearest(name, AuditLevel::ALL.map(AuditLevel::name)));
        }
    }
    for name in node.get("stages").map(Node::texts).unwrap_or_default() {
        match Stage::from_name(&name) {
            Some(stage) => extension.stages.push(stage),
            None => {
                let fault = Fault::warning(node.place, format!("`{name}` is no stage"));
                faults.push(fault.nearest(&name, Stage::ALL.map(Stage::name)));
            }
        }
    }
}

fn first_seen(node: &Node, faults: &mut Vec<Fault>) -> Option<FirstSeen> {
    let fields = node.get("fields").map(Node::texts).unwrap_or_default();
    let mut time = |key: &str, default: u64| match node.get(key) {
        None => default,
        Some(value) => seconds(value.text().unwrap_or_default()).unwrap_or_else(|| {
            faults.push(Fault::warning(value.place, format!("`{key}` is no time span such as `10m` or `7d`")));
            default
        }),
    };
    let (learn_seconds, window_seconds) = (time("learn", 600), time("window", 7 * 86_400));
    if fields.is_empty() {
        faults.push(Fault::warning(node.place, "`first_seen` names no fields"));
        return None;
    }
    Some(FirstSeen { fields, learn_seconds, window_seconds })
}

fn confidence(node: &Node, faults: &mut Vec<Fault>) -> Option<Confidence> {
    let confidence = match node.text() {
        Some("low") => Confidence::Low,
        Some("medium") => Confidence::Medium,
        Some("high") => Confidence::High,
        _ => {
            faults.push(Fault::warning(node.place, "`confidence` must be low, medium or high"));
            return None;
        }
    };
    Some(confidence)
}

fn test(node: &Node, faults: &mut Vec<Fault>) -> Option<RuleTest> {
    for (key, _) in node.entries() {
        let name = key.text().unwrap_or_default();
        if !TEST_KEYS.contains(&name) {
            faults.push(Fault::warning(key.place, format!("unknown key `{name}` in a test")).nearest(name, TEST_KEYS));
        }
    }
    let Some(expected) = node.get("match").and_then(Node::bool) else {
        faults.push(Fault::warning(node.place, "a test must say `match: true` or `match: false`"));
        return None;
    };
    let events: Vec<_> = match (node.get("event"), node.get("events")) {
        (Some(event), _) => vec![written(event)],
        (None, Some(events)) => events.items().iter().map(written).collect(),
        (None, None) => Vec::new(),
    };
    if events.is_empty() {
        faults.push(Fault::warning(node.place, "a test must hold `event` or `events`"));
        return None;
    }
    Some(RuleTest {
        name: node.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
        expected: if expected { Expected::Match } else { Expected::NoMatch },
        style: if node.get("evasion").and_then(Node::bool) == Some(true) { Style::Evasion } else { Style::Plain },
        events,
        place: node.place,
    })
}

/// What every audit event has and a test need not repeat.
const DEFAULTS: [(&str, &str); 5] = [
    ("kind", "\"Event\""),
    ("apiVersion", "\"audit.k8s.io/v1\""),
    ("auditID", "\"00000000-0000-4000-8000-000000000000\""),
    ("stage", "\"ResponseComplete\""),
    ("level", "\"RequestResponse\""),
];

/// The event as JSON text, which it may be already.
fn written(event: &Node) -> Cow<'static, str> {
    match &event.value {
        Value::Scalar { text, .. } if !event.is_null() => text.clone(),
        _ => event.to_json().into(),
    }
}

/// The event with what it need not repeat.
fn completed(json: &str) -> String {
    let Ok(object) = Json::whole(json.as_bytes()) else { return json.to_owned() };
    let Some(members) = json.trim_start().strip_prefix('{') else { return json.to_owned() };
    let mut text = String::from("{");
    for (key, value) in DEFAULTS.iter().filter(|(key, _)| object.get(key).is_none()) {
        text.push_str(&format!("\"{key}\":{value},"));
    }
    if members.trim_start().starts_with('}') {
        text.pop();
    }
    text.push_str(members);
    text
}

/// A Sigma time span (`30s`, `5m`, `1h`, `7d`, `2w`, `1M`, `1y`) in seconds.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'M' => 30 * 86_400,
        'y' => 365 * 86_400,
        _ => return None,
    };
    number.checked_mul(unit).filter(|seconds| *seconds > 0)
}
