//! Actors, worked out once for events that are alike.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use audit::Event;
use finding::{Actor, ServiceAccount};
use hashbrown::HashMap;
use rule::{FieldPath, Likeness};

use crate::describe::shortened;

/// Actors that are remembered. Beyond it all are forgotten, and worked out as they come.
const REMEMBERED_MAX: usize = 2_048;

/// Who did something, and how a reader names them.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) actor: Arc<Actor>,
    pub(crate) label: Arc<str>,
}

/// The actors that were seen before.
#[derive(Debug)]
pub(crate) struct Actors {
    /// Fields that stand for what decides an actor: the identity with the program, and the addresses.
    deciding: [FieldPath; 2],
    remembered: HashMap<[NonZeroU64; 2], Known>,
}

impl Default for Actors {
    fn default() -> Self {
        Self { deciding: ["user.username", "sourceIPs"].map(FieldPath::new), remembered: HashMap::new() }
    }
}

impl Actors {
    /// The actor of `event`, of which so much is known.
    pub(crate) fn of(&mut self, event: &Event<'_>, likeness: &Likeness) -> Known {
        let [identity, addresses] = self.deciding.each_ref().map(|field| likeness.of_field(field));
        let (Some(identity), Some(addresses)) = (identity, addresses) else { return Known::of(event) };
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.clear();
        }
        self.remembered.entry([identity, addresses]).or_insert_with(|| Known::of(event)).clone()
    }
}

impl Known {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let actor = actor(event);
        Self { label: actor.label().into(), actor: Arc::new(actor) }
    }
}

fn actor(event: &Event<'_>) -> Actor {
    let user = event.username().into_owned();
    let service_account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    Actor {
        service_account: service_account
            .map(|(namespace, name)| ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }),
        acting_as: event.impersonated_user.and_then(|other| other.username?.text()).map(Cow::into_owned),
        ips: event.source_ips().map(Cow::into_owned).collect(),
        agent: shortened(&event.user_agent()).into_owned(),
        user,
    }
}

#[cfg(test)]
mod tests {
    use rule::{Matcher, Options, RuleSet, Source, load_sigma};

    use super::*;

    #[test]
    fn what_is_remembered_is_what_the_event_says() {
        let rule = "title: t\nlogsource: {product: kubernetes}\ndetection:\n  s: {user.username: a, sourceIPs: b}\n  condition: s\n";
        let set = RuleSet::compile(load_sigma(&Source::new("t", rule)), Options::default());
        let (mut matcher, mut actors) = (Matcher::new(Arc::new(set)), Actors::default());
        for (user, ip, agent) in [("a", "1", "x"), ("a", "2", "x"), ("b", "1", "x"), ("a", "1", "y"), ("a", "1", "x")] {
            for _ in 0..3 {
                let text = format!(
                    r#"{{"auditID":"i","verb":"get","user":{{"username":"{user}"}},"sourceIPs":["{ip}"],"userAgent":"{agent}"}}"#
                );
                let event = Event::parse(text.as_bytes()).unwrap();
                matcher.matches(&event, &mut Vec::new());
                let known = actors.of(&event, &matcher.likeness());
                assert_eq!(
                    (&*known.label, &known.actor.ips[..], &*known.actor.agent),
                    (user, &[ip.to_owned()][..], agent)
                );
            }
        }
        assert_eq!(actors.remembered.len(), 4);
    }
}
