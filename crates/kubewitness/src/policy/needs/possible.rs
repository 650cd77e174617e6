//! What a condition can come to where only a part of the event is known.

use audit::{Event, Level};
use rule::{Condition, Derived, Field, Order, Part, Pattern, Predicate, Root, Test, Truth, naive};

use super::field::is;
use super::kind::STREAMS;

/// What holds a pod spec. Custom resources may as well, and are left out.
const WORKLOADS: [&str; 9] = [
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "pods",
    "podtemplates",
    "replicasets",
    "replicationcontrollers",
    "statefulsets",
];

/// What an event tells, and about what it tells everything.
pub(super) struct Facts<'e> {
    pub(super) event: &'e Event<'e>,
    pub(super) about: About,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Verb and target.
    Request,
    /// Who sends it.
    User,
    /// Of what sort who sends it is, not his name.
    Users,
}

/// What a condition can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Possible {
    pub(super) can_be_true: bool,
    can_be_false: bool,
}

impl Facts<'_> {
    pub(super) fn may_hold(&self, condition: &Condition, level: Level) -> Possible {
        match condition {
            Condition::Always(truth) => exactly(*truth),
            Condition::All(parts) => {
                let mut all = exactly(Truth::True);
                for part in parts {
                    let part = self.may_hold(part, level);
                    all.can_be_true &= part.can_be_true;
                    all.can_be_false |= part.can_be_false;
                    if part == exactly(Truth::False) {
                        return part;
                    }
                }
                all
            }
            Condition::Any(parts) => {
                let mut any = exactly(Truth::False);
                for part in parts {
                    let part = self.may_hold(part, level);
                    any.can_be_true |= part.can_be_true;
                    any.can_be_false &= part.can_be_false;
                    if part == exactly(Truth::True) {
                        return part;
                    }
                }
                any
            }
            Condition::Not(inner) => {
                let Possible { can_be_true, can_be_false } = self.may_hold(inner, level);
                Possible { can_be_true: can_be_false, can_be_false: can_be_true }
            }
            Condition::Test(predicate) => self.may_pass(predicate, level),
        }
    }

    fn may_pass(&self, predicate: &Predicate, level: Level) -> Possible {
        let has_no_body = matches!(&*self.event.verb(), "get" | "list" | "watch")
            || STREAMS.contains(&&*self.event.subresource())
            || !self.may_carry(&predicate.field);
        match predicate.field.part() {
            Part::Request if has_no_body => return exactly(Truth::False),
            Part::Request if level < Level::Request => return exactly(Truth::NotRecorded),
            Part::Response if level < Level::RequestResponse => return exactly(Truth::NotRecorded),
            _ => {}
        }
        let compares = matches!(predicate.test, Test::Compare(..));
        if self.about != About::Request && self.is_someone_else(&predicate.field, &predicate.test) {
            return exactly(Truth::False);
        }
        match self.tells(&predicate.field) && !compares {
            true => exactly(naive::test(predicate, self.event)),
            false => Possible { can_be_true: true, can_be_false: true },
        }
    }

    /// Whether a request body of such a request can hold what the field is about.
    fn may_carry(&self, field: &Field) -> bool {
        let resources: &[&str] = match field {
            _ if self.about != About::Request => return true,
            // The server keeps the spec as it is when the status is written.
            Field::Path(Root::Event, path) if path.starts_with("requestObject.spec.") => {
                return &*self.event.subresource() != "status";
            }
            Field::Path(Root::Pod | Root::PodContainers, _) => &WORKLOADS,
            Field::Derived(Derived::RbacPairs) => &["clusterroles", "roles"],
            Field::Derived(Derived::CsrSubject) => &["certificatesigningrequests"],
            _ => return true,
        };
        let whole = matches!(&*self.event.subresource(), "" | "ephemeralcontainers");
        whole && resources.iter().any(|resource| *resource == self.event.resource())
    }

    /// Whether a test is for users or groups of another sort than the one who sends the request.
    fn is_someone_else(&self, field: &Field, test: &Test) -> bool {
        let user = self.event.username();
        match test {
            Test::AnyOf(tests) => tests.iter().all(|test| self.is_someone_else(field, test)),
            Test::Text(_, Pattern::Exact(name)) if is(field, "user.username") => sort(name) != sort(&user),
            Test::Text(_, Pattern::Exact(group)) if is(field, "user.groups") => {
                sort_in(group).is_some_and(|sort_in| sort_in != sort(&user))
            }
            // A failed authentication has no user.
            Test::Number(Order::Equal, number) if is(field, "responseStatus.code") => {
                number.0 == 401.0 && sort(&user) != "anonymous"
            }
            _ => false,
        }
    }

    /// Whether the event has every value that the field can have in such a request.
    fn tells(&self, field: &Field) -> bool {
        let is_any_of = |paths: &[&str]| paths.iter().any(|path| is(field, path));
        match (self.about, field) {
            (_, Field::AnyOf(fields)) => fields.iter().all(|field| self.tells(field)),
            // What follows a proxy is anyone's choice.
            (About::Request, Field::Derived(Derived::UriPath)) => !self.event.request_uri().ends_with("/proxy"),
            (About::Request, _) => {
                is_any_of(&["verb", "objectRef.resource", "objectRef.subresource", "objectRef.apiGroup"])
            }
            (_, Field::Derived(Derived::UserClass)) => true,
            (About::User, _) => is_any_of(&["user.username"]),
            (About::Users, _) => false,
        }
    }
}

/// Sorts of users that a name tells apart, by what their names begin with.
const SORTS: [&str; 3] = ["system:node:", "system:serviceaccount:", "system:"];

fn sort(user: &str) -> &'static str {
    match user {
        "" | "system:anonymous" => "anonymous",
        _ => SORTS.into_iter().find(|sort| user.starts_with(sort)).unwrap_or_default(),
    }
}

/// The sort of all users in a group, where they are of one.
fn sort_in(group: &str) -> Option<&'static str> {
    match group {
        "system:unauthenticated" => Some("anonymous"),
        "system:nodes" => Some(SORTS[0]),
        "system:serviceaccounts" => Some(SORTS[1]),
        _ => group.starts_with("system:serviceaccounts:").then_some(SORTS[1]),
    }
}

fn exactly(truth: Truth) -> Possible {
    Possible { can_be_true: truth == Truth::True, can_be_false: truth == Truth::False }
}
