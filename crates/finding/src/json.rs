//! Findings as JSON: the keys that `docs/findings.md` lists, in this order. Written by hand, because a scan writes
//! many findings and most of a finding is text that needs no escape.

use std::io::Write as _;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::finding::{Actor, Because, Evidence, Finding, Object, RuleRef};

impl Finding {
    /// Appends the finding as one line of JSON, without the end of the line.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        // Writing to memory does not fail.
        let _ = write!(out, "{:.6}\"", self.time);
        optional(r#","cluster":"#, &self.cluster, out);
        write_rule(&self.rule, out);
        text(r#","severity":"#, self.severity.name(), out);
        text(r#","confidence":"#, self.confidence.name(), out);
        texts(r#","techniques":"#, &self.techniques, out);
        write_actor(&self.actor, out);
        text(r#","verb":"#, &self.verb, out);
        write_object(&self.object, out);
        text(r#","outcome":"#, self.outcome.name(), out);
        if let Some(code) = self.code {
            let _ = write!(out, ",\"code\":{code}");
        }
        list(r#","events":"#, &self.events, write_event, out);
        list(r#","why":"#, &self.why, write_because, out);
        text(r#","story":"#, &self.story, out);
        if !self.false_positives.is_empty() {
            texts(r#","falsePositives":"#, &self.false_positives, out);
        }
        optional(r#","containment":"#, &self.containment, out);
        text(r#","fingerprint":"#, &self.fingerprint, out);
        out.push(b'}');
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = Vec::new();
        self.write_json(&mut json);
        let json = String::from_utf8(json).map_err(S::Error::custom)?;
        RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
    }
}

fn write_rule(rule: &RuleRef, out: &mut Vec<u8>) {
    open(r#","rule":{"#, out);
    text(r#""id":"#, &rule.id, out);
    text(r#","title":"#, &rule.title, out);
    text(r#","source":"#, rule.source.name(), out);
    optional(r#","description":"#, &rule.description, out);
    out.push(b'}');
}

fn write_actor(actor: &Actor, out: &mut Vec<u8>) {
    open(r#","actor":{"#, out);
    text(r#""user":"#, &actor.user, out);
    if let Some(other) = &actor.acting_as {
        text(r#","actingAs":"#, other, out);
    }
    if let Some(account) = &actor.service_account {
        open(r#","serviceAccount":{"#, out);
        text(r#""namespace":"#, &account.namespace, out);
        text(r#","name":"#, &account.name, out);
        out.push(b'}');
    }
    texts(r#","ips":"#, &actor.ips, out);
    text(r#","agent":"#, &actor.agent, out);
    out.push(b'}');
}

fn write_object(object: &Object, out: &mut Vec<u8>) {
    open(r#","object":{"#, out);
    optional(r#","apiGroup":"#, &object.api_group, out);
    optional(r#","resource":"#, &object.resource, out);
    optional(r#","subresource":"#, &object.subresource, out);
    optional(r#","namespace":"#, &object.namespace, out);
    optional(r#","name":"#, &object.name, out);
    optional(r#","path":"#, &object.path, out);
    out.push(b'}');
}

fn write_event(event: &Evidence, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"index\":{}", event.index);
    text(r#","auditID":"#, &event.audit_id, out);
    out.push(b'}');
}

fn write_because(because: &Because, out: &mut Vec<u8>) {
    open("{", out);
    text(r#""field":"#, &because.field, out);
    text(r#","condition":"#, &because.condition, out);
    text(r#","value":"#, &because.value, out);
    out.push(b'}');
}

/// The start of an object, which stays open. Keys are given with what stands around them.
fn open(start: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(start.as_bytes());
}

fn text(key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    quote(value, out);
}

/// A member that is left out if it is empty. The first of an object has no comma before it.
fn optional(key: &str, value: &str, out: &mut Vec<u8>) {
    if !value.is_empty() {
        let key = if out.last() == Some(&b'{') { key.trim_start_matches(',') } else { key };
        text(key, value, out);
    }
}

fn texts(key: &str, values: &[String], out: &mut Vec<u8>) {
    list(key, values, |value, out| quote(value, out), out);
}

fn list<T>(key: &str, items: &[T], write: impl Fn(&T, &mut Vec<u8>), out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(byte) = rest.get(plain) else { break };
        escape(*byte, out);
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// Bytes until the next that must be escaped.
fn plain(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks();
    let words = words.iter().take_while(|word| !may_need_escape(u64::from_le_bytes(**word))).count();
    let rest = &text[words * size_of::<u64>()..];
    words * size_of::<u64>() + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Whether one of eight bytes could need an escape; false only if none does. A byte that is less than another loses its
/// highest bit when the other is taken off it, and what is equal is zero when one is put over the other.
fn may_need_escape(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    let is_less = |word: u64, than: u8| word.wrapping_sub(ONES * u64::from(than)) & !word;
    let is = |byte: u8| is_less(word ^ (ONES * u64::from(byte)), 1);
    (is_less(word, 0x20) | is(b'"') | is(b'\\')) & HIGHEST != 0
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let _ = write!(out, "\\u{byte:04x}");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Confidence, Outcome, ServiceAccount, Source};
    use crate::severity::Severity;

    fn finding() -> Finding {
        let rule = RuleRef {
            id: "r".to_owned(),
            title: "Somebody \"read\" it".to_owned(),
            source: Source::Builtin,
            description: String::new(),
        };
        Finding {
            time: jiff::Timestamp::from_microsecond(1_795_303_500_371_923).unwrap(),
            cluster: String::new(),
            rule: Arc::new(rule),
            severity: Severity::High,
            confidence: Confidence::Low,
            techniques: Arc::new([]),
            actor: Arc::new(Actor { user: "alice".to_owned(), ips: vec!["10.0.0.1".to_owned()], ..Actor::default() }),
            verb: "get".to_owned(),
            object: Object::default(),
            outcome: Outcome::Denied,
            code: None,
            events: Vec::new(),
            why: Arc::new([]),
            story: "1\n2".to_owned(),
            false_positives: Arc::new([]),
            containment: String::new(),
            fingerprint: "f".to_owned(),
        }
    }

    fn json(finding: &Finding) -> String {
        let mut out = Vec::new();
        finding.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_empty_is_left_out() {
        expect_test::expect![[r#"{"time":"2026-11-21T23:25:00.371923Z","rule":{"id":"r","title":"Somebody \"read\" it","source":"builtin"},"severity":"high","confidence":"low","techniques":[],"actor":{"user":"alice","ips":["10.0.0.1"],"agent":""},"verb":"get","object":{},"outcome":"denied","events":[],"why":[],"story":"1\n2","fingerprint":"f"}"#]]
        .assert_eq(&json(&finding()));
    }

    #[test]
    fn every_key_has_its_place() {
        let text = str::to_owned;
        let mut finding = finding();
        finding.cluster = text("prod");
        Arc::make_mut(&mut finding.rule).description = text("d");
        finding.techniques = Arc::new([text("T1"), text("T2")]);
        let actor = Arc::make_mut(&mut finding.actor);
        actor.acting_as = Some(text("bob"));
        actor.service_account = Some(ServiceAccount { namespace: text("n"), name: text("a") });
        finding.object = Object {
            api_group: text("g"),
            resource: text("r"),
            subresource: text("s"),
            namespace: text("n"),
            name: text("o"),
            path: text("/p"),
        };
        finding.code = Some(403);
        finding.events = vec![Evidence { index: 0, audit_id: text("x") }, Evidence { index: 7, audit_id: text("y") }];
        finding.why = Arc::new([Because { field: "f".into(), condition: "is".into(), value: text("v") }]);
        finding.false_positives = Arc::new([text("a back-up")]);
        finding.containment = text("kubectl");
        expect_test::expect![[r#"{"time":"2026-11-21T23:25:00.371923Z","cluster":"prod","rule":{"id":"r","title":"Somebody \"read\" it","source":"builtin","description":"d"},"severity":"high","confidence":"low","techniques":["T1","T2"],"actor":{"user":"alice","actingAs":"bob","serviceAccount":{"namespace":"n","name":"a"},"ips":["10.0.0.1"],"agent":""},"verb":"get","object":{"apiGroup":"g","resource":"r","subresource":"s","namespace":"n","name":"o","path":"/p"},"outcome":"denied","code":403,"events":[{"index":0,"auditID":"x"},{"index":7,"auditID":"y"}],"why":[{"field":"f","condition":"is","value":"v"}],"story":"1\n2","falsePositives":["a back-up"],"containment":"kubectl","fingerprint":"f"}"#]]
        .assert_eq(&json(&finding));
        assert_eq!(serde_json::to_string(&finding).unwrap(), json(&finding));
        assert_eq!(serde_json::to_value(&finding).unwrap()["events"][1]["index"], 7);
    }

    #[test]
    fn texts_are_escaped_as_elsewhere() {
        let every: String = (0..0x180).filter_map(char::from_u32).collect();
        for start in 0..every.chars().count() {
            let text: String = every.chars().skip(start).collect();
            let mut out = Vec::new();
            quote(&text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
