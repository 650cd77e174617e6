//! One evaluation a request.
//!
//! A request makes up to three events with the same fields. Rules look at one of them: the last stage, or
//! `ResponseStarted` of a long-running request (a watch may end hours later) and of a failed authentication (its only
//! event). A rule that names a stage looks at what it names.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use audit::{Event, Json, Stage};

/// Long-running requests remembered between their two stages; the oldest is forgotten beyond it, and its last event is
/// then evaluated once more.
pub const REQUESTS_MAX: usize = 65_536;

/// Subresources whose requests are long-running for kube-apiserver.
const LONG_RUNNING: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

/// Remembers which long-running requests were looked at when their answer started.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    started: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Requests {
    /// Whether no rule has looked at this request yet. Which stages a rule looks at at all is the rule's affair.
    pub(crate) fn is_first_look(&mut self, cluster: &str, event: &Event<'_>) -> bool {
        match event.stage() {
            Some(Stage::ResponseStarted) => {
                self.remember(key(cluster, event));
                true
            }
            Some(Stage::ResponseComplete | Stage::Panic) if is_long_running(event) => {
                !self.started.remove(&key(cluster, event))
            }
            _ => true,
        }
    }

    fn remember(&mut self, key: u64) {
        if self.started.insert(key) {
            self.order.push_back(key);
        }
        if self.order.len() > REQUESTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.started.remove(&oldest);
        }
    }
}

/// Names are compared as written: the API server escapes none of these.
fn is_long_running(event: &Event<'_>) -> bool {
    let subresource = written(event.object_ref.and_then(|object| object.subresource));
    matches!(written(event.verb), Some(b"watch" | b"proxy"))
        || subresource.is_some_and(|subresource| LONG_RUNNING.iter().any(|name| name.as_bytes() == subresource))
        || written(event.request_uri).is_some_and(|uri| uri.starts_with(b"/debug/pprof/"))
}

fn written(value: Option<Json<'_>>) -> Option<&[u8]> {
    value.and_then(Json::inner)
}

/// The audit id is chosen by the client, so user and URI tell apart who reuses one. They are taken as written.
fn key(cluster: &str, event: &Event<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let [id, user, uri] = [event.audit_id, event.user.username, event.request_uri].map(|part| part.map(Json::bytes));
    (cluster, id, user, uri).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stages: &[(&str, &str)]) -> Vec<bool> {
        let mut requests = Requests::default();
        stages
            .iter()
            .map(|(verb, stage)| {
                let text = format!(r#"{{"kind":"Event","auditID":"a","verb":"{verb}","stage":"{stage}"}}"#);
                requests.is_first_look("", &Event::parse(text.as_bytes()).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_request_is_evaluated_once() {
        assert_eq!(check(&[("watch", "ResponseStarted"), ("watch", "ResponseComplete")]), [true, false]);
        // The policy may omit ResponseStarted.
        assert_eq!(check(&[("watch", "ResponseComplete")]), [true]);
        // A failed authentication has only this event.
        assert_eq!(check(&[("get", "ResponseStarted")]), [true]);
    }
}
