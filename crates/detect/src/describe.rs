//! From a match to a finding: who, what, when, from where, why, told in words.

use std::borrow::Cow;
use std::sync::Arc;

use audit::{Event, Micros};
use finding::{Actor, Because, Confidence, Evidence, Finding, Object, Outcome, RuleRef, Severity};
use jiff::Timestamp;
use rule::Meta;

use crate::actors::Known;
use crate::detector::Observed;

/// Characters of a value that a finding quotes.
const QUOTED_CHARS_MAX: usize = 200;

/// The action that a finding is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    time: Timestamp,
    cluster: String,
    actor: Arc<Actor>,
    /// The actor as a reader names it.
    who: Arc<str>,
    verb: String,
    object: Object,
    /// The object as a reader names it.
    what: String,
    outcome: Outcome,
    code: Option<i64>,
}

/// What a rule or a correlation says about itself, as far as findings repeat it; they share it.
#[derive(Debug)]
pub(crate) struct Author {
    rule: Arc<RuleRef>,
    severity: Severity,
    confidence: Confidence,
    techniques: Arc<[String]>,
    false_positives: Arc<[String]>,
    story: String,
    containment: String,
}

impl Author {
    pub(crate) fn of(meta: &Meta) -> Self {
        let rule = RuleRef {
            id: meta.id.clone(),
            title: meta.title.clone(),
            source: meta.origin,
            description: meta.description.trim().to_owned(),
        };
        Self {
            rule: Arc::new(rule),
            severity: meta.level,
            confidence: meta.extension.confidence.unwrap_or(Confidence::Medium),
            techniques: meta.techniques.as_slice().into(),
            false_positives: meta.false_positives.as_slice().into(),
            story: meta.extension.story.trim().to_owned(),
            containment: meta.extension.containment.trim().to_owned(),
        }
    }
}

impl Subject {
    /// What `observed` did, whose actor is known.
    pub(crate) fn of(observed: &Observed<'_>, Known { actor, label }: Known) -> Self {
        let event = observed.event;
        let object = object(event);
        Self {
            time: timestamp(observed.time()),
            cluster: observed.cluster.to_owned(),
            who: label,
            actor,
            verb: event.verb().into_owned(),
            what: object.to_string(),
            object,
            outcome: outcome(event),
            code: event.code(),
        }
    }

    /// The finding of `author` about this action.
    pub(crate) fn finding(self, author: &Author, events: Vec<Evidence>, why: Arc<[Because]>) -> Finding {
        let untemplated = author.story.is_empty().then(|| self.untemplated_story(author));
        let fingerprint = finding::fingerprint(&[&author.rule.id, &self.cluster, &self.who, &self.what]);
        let mut finding = Finding {
            time: self.time,
            cluster: self.cluster,
            rule: Arc::clone(&author.rule),
            severity: author.severity,
            confidence: author.confidence,
            techniques: Arc::clone(&author.techniques),
            actor: self.actor,
            verb: self.verb,
            outcome: self.outcome,
            code: self.code,
            events,
            why,
            story: String::new(),
            false_positives: Arc::clone(&author.false_positives),
            containment: String::new(),
            fingerprint,
            object: self.object,
        };
        let told = untemplated.unwrap_or_else(|| finding.fill(&author.story));
        finding.story = with_outcome(told, finding.outcome);
        finding.containment = finding.fill(&author.containment);
        finding
    }

    fn untemplated_story(&self, author: &Author) -> String {
        [&self.who, " ", &self.deed(), " ", &self.what, ": ", &author.rule.title].concat()
    }

    /// The verb as a reader tells it.
    fn deed(&self) -> Cow<'_, str> {
        Cow::Borrowed(match (self.verb.as_str(), self.object.subresource.as_str()) {
            (_, "exec") => "ran a command through",
            (_, "attach") => "attached to",
            (_, "portforward") => "forwarded a port through",
            (_, "log") => "read the log of",
            ("get", _) => "read",
            ("list", _) => "listed",
            ("watch", _) => "watched",
            ("create", _) => "created",
            ("update", _) => "changed",
            ("patch", _) => "patched",
            ("delete", _) => "deleted",
            ("deletecollection", _) => "deleted all",
            ("", _) => "called",
            (other, _) => return Cow::Owned(format!("used {other} on")),
        })
    }
}

fn with_outcome(story: String, outcome: Outcome) -> String {
    let aside = match outcome {
        Outcome::Allowed => return story,
        Outcome::Denied => " (refused)",
        Outcome::Failed => " (failed)",
    };
    [story.trim_end_matches('.'), aside].concat()
}

pub(crate) fn shortened(value: &str) -> Cow<'_, str> {
    if value.len() <= QUOTED_CHARS_MAX {
        return value.into();
    }
    match value.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => [&value[..end], "…"].concat().into(),
        None => value.into(),
    }
}

pub(crate) fn timestamp(time: Micros) -> Timestamp {
    Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn object(event: &Event<'_>) -> Object {
    if event.object_ref.is_none() {
        let uri = event.request_uri();
        return Object { path: shortened(uri.split('?').next().unwrap_or_default()).into_owned(), ..Object::default() };
    }
    // A create with generateName has its name in the answer only.
    let named = || event.response_object?.path(&["metadata", "name"])?.text();
    let name = match event.name() {
        name if name.is_empty() && event.verb() == "create" => named().unwrap_or_default(),
        name => name,
    };
    Object {
        api_group: event.api_group().into_owned(),
        resource: event.resource().into_owned(),
        subresource: event.subresource().into_owned(),
        namespace: event.namespace().into_owned(),
        name: name.into_owned(),
        path: String::new(),
    }
}

fn outcome(event: &Event<'_>) -> Outcome {
    match (event.code(), event.decision().as_deref()) {
        (Some(401 | 403), _) | (_, Some("forbid")) => Outcome::Denied,
        (Some(code), _) if code >= 400 => Outcome::Failed,
        _ => Outcome::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        let event = Event::parse(text.as_bytes()).unwrap();
        Subject::of(&Observed { index: 7, cluster: "prod", received: 0, event: &event }, Known::of(&event))
    }

    #[test]
    fn placeholders_are_filled_once() {
        let subject = subject(
            r#"{"kind":"Event","auditID":"a","verb":"get","user":{"username":"{name}"},"objectRef":{"resource":"pods","namespace":"web","name":"x"}}"#,
        );
        let rule = rule::load_builtin().rules.swap_remove(0);
        let finding = subject.finding(&Author::of(&rule.meta), Vec::new(), Arc::new([]));
        assert_eq!(finding.fill("{user} in {namespace}: {what} {name"), "{name} in web: {what} {name");
        assert_eq!(finding.fill("kubectl -n {namespace} delete pod {name}"), "kubectl -n web delete pod x");
    }

    #[test]
    fn the_outcome_is_the_servers_word() {
        let of = |rest: &str| subject(&format!(r#"{{"kind":"Event","auditID":"a","verb":"get"{rest}}}"#)).outcome;
        assert_eq!(of(r#","responseStatus":{"code":200}"#), Outcome::Allowed);
        assert_eq!(of(r#","responseStatus":{"code":403}"#), Outcome::Denied);
        assert_eq!(of(r#","responseStatus":{"code":404}"#), Outcome::Failed);
        assert_eq!(of(r#","annotations":{"authorization.k8s.io/decision":"forbid"}"#), Outcome::Denied);
    }
}
