//! From a match to a finding: who, what, when, from where, why, told in words.

use std::borrow::Cow;

use audit::{Event, Micros};
use finding::{
    Actor, Because, Confidence, Evidence, Finding, Object, Outcome, RuleRef, ServiceAccount, Severity, Source,
};
use jiff::Timestamp;
use rule::{Extension, Level, Origin, Reason, Sense};

use crate::detector::Observed;

/// Characters of a value that a finding quotes.
const QUOTED_CHARS_MAX: usize = 200;

/// Values of one field that a finding quotes.
const QUOTED_VALUES_MAX: usize = 5;

/// The action that a finding is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    time: Timestamp,
    cluster: String,
    actor: Actor,
    verb: String,
    object: Object,
    outcome: Outcome,
    code: Option<i64>,
}

/// What a rule or a correlation says about itself, as far as findings repeat it.
pub(crate) struct Author<'r> {
    pub(crate) id: &'r str,
    pub(crate) title: &'r str,
    pub(crate) description: &'r str,
    pub(crate) origin: Origin,
    pub(crate) level: Level,
    pub(crate) techniques: &'r [String],
    pub(crate) false_positives: &'r [String],
    pub(crate) extension: &'r Extension,
}

impl<'r> Author<'r> {
    pub(crate) fn of_rule(rule: &'r rule::Rule) -> Self {
        Self {
            id: &rule.id,
            title: &rule.title,
            description: &rule.description,
            origin: rule.origin,
            level: rule.level,
            techniques: &rule.techniques,
            false_positives: &rule.false_positives,
            extension: &rule.extension,
        }
    }

    pub(crate) fn of_correlation(correlation: &'r rule::Correlation) -> Self {
        let meta = &correlation.meta;
        Self {
            id: &meta.id,
            title: &meta.title,
            description: &meta.description,
            origin: meta.origin,
            level: meta.level,
            techniques: &meta.techniques,
            false_positives: &meta.false_positives,
            extension: &meta.extension,
        }
    }
}

impl Subject {
    pub(crate) fn of(observed: &Observed<'_>) -> Self {
        let event = observed.event;
        Self {
            time: timestamp(observed.time()),
            cluster: observed.cluster.to_owned(),
            actor: actor(event),
            verb: event.verb().into_owned(),
            object: object(event),
            outcome: outcome(event),
            code: event.code(),
        }
    }

    /// The finding of `author` about this action.
    pub(crate) fn finding(&self, author: &Author<'_>, events: Vec<Evidence>, why: Vec<Because>) -> Finding {
        let object = self.object.to_string();
        let mut finding = Finding {
            time: self.time,
            cluster: self.cluster.clone(),
            rule: RuleRef {
                id: author.id.to_owned(),
                title: author.title.to_owned(),
                source: source(author.origin),
                description: author.description.trim().to_owned(),
            },
            severity: severity(author.level),
            confidence: confidence(author.extension.confidence),
            techniques: author.techniques.to_vec(),
            actor: self.actor.clone(),
            verb: self.verb.clone(),
            outcome: self.outcome,
            code: self.code,
            events,
            why,
            story: String::new(),
            false_positives: author.false_positives.to_vec(),
            containment: String::new(),
            fingerprint: finding::fingerprint(&[author.id, &self.cluster, &self.actor.label(), &object]),
            object: self.object.clone(),
        };
        finding.story = self.story(author, &finding);
        finding.containment = finding.fill(author.extension.containment.trim());
        finding
    }

    fn story(&self, author: &Author<'_>, finding: &Finding) -> String {
        let told = match author.extension.story.trim() {
            "" => format!("{} {} {}: {}", self.actor.label(), self.deed(), self.object, author.title),
            template => finding.fill(template),
        };
        match self.outcome {
            Outcome::Allowed => told,
            Outcome::Denied => format!("{} (refused)", told.trim_end_matches('.')),
            Outcome::Failed => format!("{} (failed)", told.trim_end_matches('.')),
        }
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

/// The conditions of a match, each with the value that made it hold.
pub(crate) fn because(reasons: Vec<Reason<'_>>) -> Vec<Because> {
    let text = |reason: Reason<'_>| {
        let values: Vec<String> = reason.values.iter().take(QUOTED_VALUES_MAX).map(|value| shorten(value)).collect();
        let condition = match reason.sense {
            Sense::Positive => reason.test,
            Sense::Negative => format!("not {}", reason.test),
        };
        Because { field: reason.field, condition, value: values.join(", ") }
    };
    reasons.into_iter().map(text).collect()
}

fn shorten(value: &str) -> String {
    match value.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

pub(crate) fn timestamp(time: Micros) -> Timestamp {
    Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn actor(event: &Event<'_>) -> Actor {
    let user = event.username().into_owned();
    let service_account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    Actor {
        service_account: service_account
            .map(|(namespace, name)| ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }),
        acting_as: event.impersonated_user.and_then(|other| other.username?.text()).map(Cow::into_owned),
        ips: event.source_ips().map(Cow::into_owned).collect(),
        agent: shorten(&event.user_agent()),
        user,
    }
}

fn object(event: &Event<'_>) -> Object {
    if event.object_ref.is_none() {
        let uri = event.request_uri();
        return Object { path: shorten(uri.split('?').next().unwrap_or_default()), ..Object::default() };
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

fn source(origin: Origin) -> Source {
    match origin {
        Origin::Builtin => Source::Builtin,
        Origin::Sigma => Source::Sigma,
        Origin::Falco => Source::Falco,
    }
}

/// How grave a finding of a rule of this level is.
pub fn severity(level: Level) -> Severity {
    match level {
        Level::Informational => Severity::Informational,
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

fn confidence(confidence: Option<rule::Confidence>) -> Confidence {
    match confidence {
        Some(rule::Confidence::High) => Confidence::High,
        Some(rule::Confidence::Low) => Confidence::Low,
        Some(rule::Confidence::Medium) | None => Confidence::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        let event = Event::parse(text.as_bytes()).unwrap();
        Subject::of(&Observed { index: 7, cluster: "prod", received: 0, event: &event })
    }

    #[test]
    fn placeholders_are_filled_once() {
        let subject = subject(
            r#"{"kind":"Event","auditID":"a","verb":"get","user":{"username":"{name}"},"objectRef":{"resource":"pods","namespace":"web","name":"x"}}"#,
        );
        let rule = rule::load_builtin().rules.swap_remove(0);
        let finding = subject.finding(&Author::of_rule(&rule), Vec::new(), Vec::new());
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
