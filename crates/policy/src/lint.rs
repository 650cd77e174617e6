//! What the server would not tell: rules that can never decide, names that match nothing, requests that
//! escape, bodies that leak.
//!
//! A lint is an entry of [`LINTS`] and a check that reports it; each has a page in `docs/policy/lints/`.

mod cost;
mod coverage;
mod document;
mod names;
mod resources;
mod secrecy;
mod shadow;

use serde::Serialize;

use crate::api::Api;
use crate::evaluate::Evaluator;
use crate::load::{LoadError, Loaded, load};
use crate::model::{Policy, Rule};
use crate::outline::{Edit, Outline, Span};
use crate::request::{Request, User};
use crate::space::{Map, Space};
use crate::version::ServerVersion;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant, or costly.
    Warning,
    /// The server does not start with it, or an attack goes unseen.
    Error,
}

/// A kind of defect.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Stable name, also of its page.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Why it matters.
    pub reason: &'static str,
}

macro_rules! lints {
    ($($name:ident = $id:literal, $severity:ident, $summary:literal, $reason:literal;)*) => {
        $(pub(crate) static $name: Lint =
            Lint { id: $id, severity: Severity::$severity, summary: $summary, reason: $reason };)*
        /// Every lint, by severity of what it is about.
        pub static LINTS: &[&Lint] = &[$(&$name),*];
    };
}

lints! {
    DOES_NOT_LOAD = "does-not-load", Error, "the server refuses the document",
        "kube-apiserver exits at start when its audit policy does not load, so a restart takes the control plane down";
    REMOVED_VERSION = "removed-version", Error, "the API version of the policy was removed",
        "audit.k8s.io/v1beta1 and v1alpha1 are unknown from Kubernetes 1.24 on; the server does not start";
    YAML_TRAP = "yaml-trap", Error, "YAML 1.1 reads a word as something else than text",
        "y, n, yes, no, on and off are booleans, 1.10 is a number and ~ is nothing; quote them";
    UNKNOWN_FIELD = "unknown-field", Error, "a field that the server does not know",
        "the server logs one warning and ignores the field; a misspelt selector makes the rule match more than was meant";
    DUPLICATE_FIELD = "duplicate-field", Warning, "a field is written twice",
        "the last one wins and the others are silently without effect";
    SEVERAL_DOCUMENTS = "several-documents", Error, "the file holds more than one document",
        "only the first YAML document is read; rules after the next --- do not exist for the server";
    UNREACHABLE_RULE = "unreachable-rule", Warning, "no request reaches the rule",
        "the first rule that matches decides, and rules before this one match everything it could";
    NEVER_MATCHES = "never-matches", Warning, "no request can match the rule",
        "its selectors exclude each other or name what no request has";
    DEAD_PATTERN = "dead-pattern", Warning, "a resource pattern that matches nothing",
        "only *, resource/* and */subresource are patterns; everything else is compared letter by letter";
    LITERAL_WILDCARD = "literal-wildcard", Warning, "a * where it is not a wildcard",
        "in users, groups, verbs, namespaces and object names * is an ordinary character and matches nothing real; leave the list out to match all";
    UNKNOWN_VERB = "unknown-verb", Warning, "a verb that no request has",
        "request verbs are lower case; impersonate, bind, escalate, use and exec are never verbs of an event";
    IMPOSSIBLE_NAME = "impossible-name", Warning, "a name that no object can have",
        "namespaces are lower-case DNS labels, so nothing will ever match";
    DEAD_PATH = "dead-path", Warning, "a path that no path request has",
        "paths are compared without the query, and paths of resources are matched by resource rules only";
    UNKNOWN_GROUP = "unknown-group", Warning, "an API group that does not exist",
        "the core group is written as the empty string and groups carry no version, so the entry matches nothing";
    UNKNOWN_RESOURCE = "unknown-resource", Warning, "a resource that its API group does not serve",
        "the entry matches nothing: requests for the resource fall through to later rules";
    UNKNOWN_SUBRESOURCE = "unknown-subresource", Warning, "a subresource that the resource does not have",
        "the pattern matches nothing";
    DUPLICATE_ITEM = "duplicate-item", Note, "a value stands twice in a list",
        "the second has no effect";
    POINTLESS_OPTION = "pointless-option", Note, "an option without effect",
        "a rule at level None records nothing, whatever its stages";
    SECRET_BODIES = "secret-bodies", Error, "bodies of secrets or tokens are recorded",
        "at Request or RequestResponse the audit log holds the secret values, and everyone who reads the log has them";
    LIST_BODIES = "list-bodies", Warning, "whole lists are recorded",
        "RequestResponse on get, list and watch writes every returned object into the log; large lists cost memory in the server too";
    PATCH_LOSS = "patch-loss", Warning, "a patch can make its own event vanish",
        "before Kubernetes 1.37 an event with a patch body that is not JSON cannot be encoded: it is lost, and with a webhook the whole batch with it";
    COST_HOT_SPOT = "cost-hot-spot", Warning, "high-volume requests are recorded in full",
        "leases, events, status updates and token reviews make up most requests of a cluster and say little";
    HIDDEN_401 = "hidden-401", Error, "failed authentications are not recorded",
        "a 401 has a single event, without a user, at stage ResponseStarted";
    NO_CATCH_ALL = "no-catch-all", Warning, "requests that no rule matches are not recorded",
        "a new API or a new verb goes unseen until someone adds a rule";
    EXEC_WITHOUT_GET = "exec-without-get", Error, "exec over WebSocket is missed",
        "since kubectl 1.30 exec, attach and port-forward are GET requests, so a rule for create alone does not see them";
    UNRECORDED_SUBRESOURCE = "unrecorded-subresource", Error, "a way into pods, nodes or tokens is not recorded",
        "a pattern without subresource does not cover pods/exec, serviceaccounts/token and the like";
    NONE_FOR_IDENTITY = "none-for-identity", Warning, "an identity is never recorded",
        "whoever steals its credential is invisible; restrict the rule to the verbs and resources that are noise";
    PATHS_HIDE_401 = "paths-hide-401", Note, "failed authentications on these paths are not recorded",
        "a None rule without users or groups also matches requests without a user; add userGroups to keep 401s";
    NEEDS_VERSION = "needs-version", Note, "the policy needs a newer server",
        "older servers refuse it or read it otherwise";
    TOO_COMPLEX = "too-complex", Note, "the rules are too tangled to be compared exactly",
        "checks for unreachable rules were left out";
}

/// A defect of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// What kind.
    #[serde(serialize_with = "lint_id", rename = "lint")]
    pub lint: &'static Lint,
    /// What is wrong here.
    pub message: String,
    /// Where, if the part stands in the text.
    #[serde(flatten)]
    pub span: Option<Span>,
    /// The rule it is about, from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// How to repair it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

fn lint_id<S: serde::Serializer>(lint: &&'static Lint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(lint.id)
}

/// A repair: edits that leave comments and layout alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, as an imperative.
    pub title: String,
    /// The edits.
    #[serde(skip)]
    pub edits: Vec<Edit>,
}

/// What a document is checked against.
#[derive(Debug, Clone)]
pub struct LintOptions {
    /// The server that shall load it.
    pub server: ServerVersion,
    /// What the cluster serves.
    pub api: Api,
}

impl LintOptions {
    /// Checks for this server and what Kubernetes itself serves.
    pub fn new(server: ServerVersion) -> Self {
        Self { server, api: Api::built_in(server) }
    }
}

/// Everything found in a document.
#[derive(Debug)]
pub struct Report {
    /// How it loads.
    pub loaded: Loaded,
    /// The defects, in the order of the text.
    pub issues: Vec<Issue>,
}

/// Loads a document and checks it.
pub fn lint(bytes: &[u8], options: &LintOptions) -> Report {
    let loaded = load(bytes, options.server);
    let text = crate::yaml::decode_text(bytes).unwrap_or_default();
    let outline = Outline::parse(&text);
    let mut issues = Vec::new();
    document::check(&loaded, outline.as_ref(), options, &mut issues);
    if let Ok(policy) = &loaded.policy {
        let subject = Subject::new(policy, outline.as_ref(), options);
        for check in [shadow::check, names::check, resources::check, secrecy::check, coverage::check, cost::check] {
            check(&subject, &mut issues);
        }
    }
    issues.sort_by_key(|issue| (issue.span.map_or(usize::MAX, |span| span.start), issue.lint.id));
    Report { loaded, issues }
}

/// Applies every fix until none is left; the new text and the issues that were fixed.
pub fn fix(text: &str, options: &LintOptions) -> (String, Vec<Issue>) {
    /// One fix can uncover another issue; more rounds than this mean that two fixes undo each other.
    const ROUNDS_MAX: usize = 20;
    let (mut text, mut fixed) = (text.to_owned(), Vec::new());
    for _ in 0..ROUNDS_MAX {
        // One at a time: the next round sees the text as it then is.
        let issues = lint(text.as_bytes(), options).issues;
        let mut applied = false;
        for issue in issues {
            let Some(fix) = &issue.fix else { continue };
            let (changed, count) = crate::outline::apply(&text, &fix.edits);
            if count > 0 && changed != text && (Outline::parse(&changed).is_some()) {
                text = changed;
                fixed.push(issue);
                applied = true;
                break;
            }
        }
        if !applied {
            break;
        }
    }
    (text, fixed)
}

/// A loaded policy under examination.
struct Subject<'s> {
    policy: &'s Policy,
    outline: Option<&'s Outline<'s>>,
    options: &'s LintOptions,
    evaluator: Evaluator,
    space: Space,
    map: Option<Map>,
}

impl<'s> Subject<'s> {
    fn new(policy: &'s Policy, outline: Option<&'s Outline<'s>>, options: &'s LintOptions) -> Self {
        let space = Space::of(&[policy, &secrecy::sensitive_policy()]);
        let map = Map::new(&space, policy).ok();
        Self { policy, outline, options, evaluator: Evaluator::new(policy), space, map }
    }

    fn rules(&self) -> impl Iterator<Item = (usize, &'s Rule)> {
        self.policy.rules.iter().enumerate()
    }

    fn issue(&self, lint: &'static Lint, rule: Option<usize>, message: String) -> Issue {
        let span = rule.and_then(|rule| {
            let outline = self.outline?;
            Some(outline.span(outline.rule(rule)?))
        });
        Issue { lint, message, span, rule, fix: None }
    }

    /// An issue at an item of a list of a rule.
    fn item_issue(&self, lint: &'static Lint, rule: usize, list: &str, item: usize, message: String) -> Issue {
        let span = self.outline.and_then(|outline| Some(outline.span(outline.rule_item(rule, list, item)?)));
        let issue = self.issue(lint, Some(rule), message);
        Issue { span: span.or(issue.span), ..issue }
    }

    /// An issue at an item of a list of a resource entry.
    fn entry_issue(
        &self,
        lint: &'static Lint,
        place: (usize, usize),
        item: Option<(&str, usize)>,
        message: String,
    ) -> Issue {
        let (rule, entry) = place;
        let span = self.outline.and_then(|outline| {
            let node = match item {
                Some((list, item)) => outline.entry_item(rule, entry, list, item)?,
                None => outline
                    .field(outline.entry(rule, entry)?, "group")
                    .map(|field| field.value)
                    .or(outline.entry(rule, entry))?,
            };
            Some(outline.span(node))
        });
        let issue = self.issue(lint, Some(rule), message);
        Issue { span: span.or(issue.span), ..issue }
    }

    /// A request of an ordinary user for a resource.
    fn ordinary(&self, verb: &'static str, group: &'static str, resource: &'static str) -> Request<'static> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let mut name = "alice".to_owned();
        while self.policy.rules.iter().any(|rule| rule.users.contains(&name)) {
            name.push('x');
        }
        Request {
            user: Some(User { name: name.into(), groups: vec!["system:authenticated".into()] }),
            verb: verb.into(),
            namespace: "default-namespace".into(),
            api_group: group.into(),
            api_version: "v1".into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: "example".into(),
            path: "".into(),
            resource_request: true,
        }
    }
}

impl Issue {
    fn with_fix(mut self, title: impl Into<String>, edits: impl IntoIterator<Item = Edit>) -> Self {
        let edits: Vec<Edit> = edits.into_iter().collect();
        if !edits.is_empty() {
            self.fix = Some(Fix { title: title.into(), edits });
        }
        self
    }
}

/// A rule as people count them.
fn nth(rule: usize) -> String {
    format!("rule {}", rule + 1)
}

/// Text of the error of a document that does not load, for people.
fn error_text(error: &LoadError) -> String {
    error.to_string()
}
