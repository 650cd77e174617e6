//! The document itself: does it load, is every word read as it was meant.

use super::{
    DOES_NOT_LOAD, DUPLICATE_FIELD, Issue, Lint, LintOptions, NEEDS_VERSION, REMOVED_VERSION, SEVERAL_DOCUMENTS,
    UNKNOWN_FIELD, YAML_TRAP, error_text,
};
use crate::api::nearest;
use crate::load::{LoadError, Loaded};
use crate::model::{Level, Policy, Stage};
use crate::outline::{Edit, Outline, Span};
use crate::version::ServerVersion;
use crate::yaml::{Kind, NodeId, Resolved, resolve};

const POLICY_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"];
const RULE_FIELDS: &[&str] = &[
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
];
const ENTRY_FIELDS: &[&str] = &["group", "resources", "resourceNames"];

/// What people write instead, beyond typing errors.
const ALIASES: &[(&str, &str)] = &[
    ("apigroup", "group"),
    ("apigroups", "group"),
    ("groups", "userGroups"),
    ("usergroup", "userGroups"),
    ("stages", "omitStages"),
    ("nonresourcepaths", "nonResourceURLs"),
    ("paths", "nonResourceURLs"),
    ("urls", "nonResourceURLs"),
    ("names", "resourceNames"),
];

pub(super) fn check(loaded: &Loaded, outline: Option<&Outline<'_>>, options: &LintOptions, issues: &mut Vec<Issue>) {
    let before = issues.len();
    if let Some(outline) = outline {
        let walk = Walk { outline };
        walk.policy(issues);
        walk.several_documents(issues);
    }
    let explained = issues.len() > before;
    match &loaded.policy {
        Err(error) => does_not_load(error, outline, options, issues),
        Ok(policy) => needs_version(policy, outline, options, issues),
    }
    if let (Some(warning), false) = (&loaded.warning, explained) {
        issues.push(issue(&DUPLICATE_FIELD, None, warning.replace('\n', " ")));
    }
}

fn issue(lint: &'static Lint, span: Option<Span>, message: String) -> Issue {
    Issue { lint, message, span, rule: None, fix: None }
}

fn does_not_load(error: &LoadError, outline: Option<&Outline<'_>>, options: &LintOptions, issues: &mut Vec<Issue>) {
    let version = outline.and_then(|outline| Some((outline, outline.top("apiVersion")?.value)));
    if let Some((outline, node)) = version
        && matches!(outline.scalar(node), Some("audit.k8s.io/v1beta1" | "audit.k8s.io/v1alpha1"))
        && matches!(error, LoadError::Decode(_))
    {
        let message = format!("{} was removed in Kubernetes 1.24", outline.scalar(node).unwrap_or_default());
        let fix = outline.replace(node, "audit.k8s.io/v1");
        issues.push(issue(&REMOVED_VERSION, Some(outline.span(node)), message).with_fix("use audit.k8s.io/v1", fix));
        return;
    }
    match error {
        LoadError::Validation(errors) => {
            errors.iter().for_each(|error| issues.push(field_error(error, outline, options)));
        }
        LoadError::Yaml { line: Some(line), .. } => {
            let span = Span { start: 0, end: 0, line: *line, column: 1 };
            issues.push(issue(&DOES_NOT_LOAD, Some(span), error_text(error)));
        }
        _ => issues.push(issue(&DOES_NOT_LOAD, None, error_text(error))),
    }
}

/// A validation error, placed where its path leads.
fn field_error(error: &str, outline: Option<&Outline<'_>>, options: &LintOptions) -> Issue {
    let (path, _) = error.split_once(": ").unwrap_or((error, ""));
    let mut message = error.to_owned();
    if error.contains(".group: Invalid value: \"*\"") && !options.server.has_any_group() {
        message.push_str(" (valid from 1.36 on)");
    }
    let place = outline.and_then(|outline| Some((outline, node_at(outline, path, error)?)));
    let Some((outline, node)) = place else { return issue(&DOES_NOT_LOAD, None, message) };
    let found = issue(&DOES_NOT_LOAD, Some(outline.span(node)), message);
    let Some(value) = outline.scalar(node).and_then(|value| corrected(path, value)) else { return found };
    let edit = outline.replace(node, &value);
    found.with_fix(format!("write {value}"), edit)
}

/// The value that was probably meant.
fn corrected(path: &str, value: &str) -> Option<String> {
    if path.ends_with(".level") {
        let levels = Level::ALL.map(Level::name);
        return similar(value, &levels).map(str::to_owned);
    }
    if path.contains("omitStages") {
        let stages = Stage::ALL.map(Stage::name);
        return similar(value, &stages).map(str::to_owned);
    }
    if path.contains("nonResourceURLs[") && !value.starts_with(['/', '*']) && !value.is_empty() {
        return Some(format!("/{value}"));
    }
    if path.ends_with(".group") {
        let name = value.split('/').next()?.trim().to_ascii_lowercase();
        return Some(if name == "v1" { String::new() } else { name });
    }
    None
}

fn similar<'c>(value: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let same = candidates.iter().find(|candidate| candidate.eq_ignore_ascii_case(value.trim()));
    same.copied().or_else(|| nearest(value, candidates.iter().copied()))
}

/// The node of a path such as `rules[2].omitStages[0]`. Group errors carry no index: the first bad one is taken.
fn node_at(outline: &Outline<'_>, path: &str, error: &str) -> Option<NodeId> {
    let mut node = None;
    for step in path.split('.') {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (step, None),
        };
        let holder = match (node, name) {
            (None, _) => outline.top(name)?.value,
            (Some(node), "group" | "resourceNames") => {
                let entries = outline.items(node).iter();
                let fields = entries.filter_map(|&entry| outline.field(entry, name));
                let shown = |value: NodeId| outline.scalar(value).is_none_or(|v| error.contains(&format!("{v:?}")));
                return fields.map(|field| field.value).find(|&value| shown(value));
            }
            (Some(node), _) => match outline.field(node, name) {
                Some(field) => field.value,
                None => return Some(node), // a required field that is missing
            },
        };
        node = Some(match index {
            Some(index) => *outline.items(holder).get(index)?,
            None => holder,
        });
    }
    node
}

fn needs_version(policy: &Policy, outline: Option<&Outline<'_>>, options: &LintOptions, issues: &mut Vec<Issue>) {
    let old = outline.and_then(|outline| Some((outline, outline.top("apiVersion")?.value)));
    if let Some((outline, node)) = old
        && outline.scalar(node) != Some("audit.k8s.io/v1")
    {
        let message = format!("loads up to Kubernetes 1.23 only; {} loads everywhere", "audit.k8s.io/v1");
        let fix = outline.replace(node, "audit.k8s.io/v1");
        issues.push(issue(&NEEDS_VERSION, Some(outline.span(node)), message).with_fix("use audit.k8s.io/v1", fix));
    }
    let any_group = policy.rules.iter().enumerate().find_map(|(rule, found)| {
        found.resources.iter().position(|entry| entry.group == "*").map(|entry| (rule, entry))
    });
    let Some((rule, entry)) = any_group else { return };
    let oldest = ServerVersion::all().find(|version| version.has_any_group());
    if oldest.is_some_and(|oldest| options.server >= oldest) {
        let span = outline.and_then(|o| Some(o.span(o.field(o.entry(rule, entry)?, "group")?.value)));
        let message = "group \"*\" is valid from 1.36 on; older servers do not start with it".to_owned();
        issues.push(Issue { rule: Some(rule), ..issue(&NEEDS_VERSION, span, message) });
    }
}

/// A walk over the text, which also works where the document does not load.
struct Walk<'o> {
    outline: &'o Outline<'o>,
}

impl Walk<'_> {
    fn policy(&self, issues: &mut Vec<Issue>) {
        let Some(root) = self.outline.tree.root() else { return };
        self.fields(root, POLICY_FIELDS, issues);
        self.texts(root, &["apiVersion", "kind"], &["omitStages"], issues);
        let Some(rules) = self.outline.top("rules") else { return };
        for &rule in self.outline.items(rules.value) {
            self.fields(rule, RULE_FIELDS, issues);
            let lists = ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages"];
            self.texts(rule, &["level"], &lists, issues);
            let Some(entries) = self.outline.field(rule, "resources") else { continue };
            for &entry in self.outline.items(entries.value) {
                self.fields(entry, ENTRY_FIELDS, issues);
                self.texts(entry, &["group"], &["resources", "resourceNames"], issues);
            }
        }
    }

    fn fields(&self, mapping: NodeId, known: &[&str], issues: &mut Vec<Issue>) {
        let fields = self.outline.fields(mapping);
        for (i, field) in fields.iter().enumerate() {
            let Some(name) = self.outline.scalar(field.key) else { continue };
            if name == "<<" {
                continue;
            }
            let span = Some(self.outline.span(field.key));
            if !known.contains(&name) {
                issues.push(self.unknown_field(name, *field, known, &fields));
            } else if fields[i + 1..].iter().any(|later| self.outline.scalar(later.key) == Some(name)) {
                let found = issue(&DUPLICATE_FIELD, span, format!("{name:?} is written again below, which wins"));
                issues.push(found.with_fix(format!("remove this {name}"), self.outline.remove_field(*field)));
            }
        }
    }

    fn unknown_field(
        &self,
        name: &str,
        field: crate::outline::Field,
        known: &[&str],
        fields: &[crate::outline::Field],
    ) -> Issue {
        let lower = name.to_ascii_lowercase();
        let alias = ALIASES.iter().find(|(alias, meant)| *alias == lower && known.contains(meant));
        let meant = alias
            .map(|(_, meant)| *meant)
            .or_else(|| similar(name, known))
            .or_else(|| known.iter().copied().find(|k| k.eq_ignore_ascii_case(&format!("{name}s"))));
        let span = Some(self.outline.span(field.key));
        let is_free = |meant: &str| !fields.iter().any(|other| self.outline.scalar(other.key) == Some(meant));
        match meant {
            Some(meant) if is_free(meant) => {
                let message = format!("unknown field {name:?} is ignored; did you mean {meant:?}?");
                let edit = self.outline.replace(field.key, meant);
                issue(&UNKNOWN_FIELD, span, message).with_fix(format!("rename {name} to {meant}"), edit)
            }
            _ => {
                let message = format!("unknown field {name:?} is ignored");
                let edit = self.outline.remove_field(field);
                issue(&UNKNOWN_FIELD, span, message).with_fix(format!("remove {name}"), edit)
            }
        }
    }

    /// Values that must be text.
    fn texts(&self, mapping: NodeId, scalars: &[&str], lists: &[&str], issues: &mut Vec<Issue>) {
        for name in scalars {
            if let Some(field) = self.outline.field(mapping, name) {
                self.text(field.value, name, false, issues);
            }
        }
        for name in lists {
            if let Some(field) = self.outline.field(mapping, name) {
                self.outline.items(field.value).iter().for_each(|&item| self.text(item, name, true, issues));
            }
        }
    }

    fn text(&self, node: NodeId, name: &str, in_list: bool, issues: &mut Vec<Issue>) {
        let Kind::Scalar { value, tag, implicit, .. } = &self.outline.tree.node(node).kind else { return };
        let meaning = match resolve(value, tag, *implicit) {
            Ok(Resolved::Bool(flag)) => format!("the boolean {flag}"),
            Ok(Resolved::Int(_) | Resolved::Uint(_) | Resolved::Float(_)) => "a number".to_owned(),
            Ok(Resolved::Null) if in_list => "nothing, which the server turns into the empty string".to_owned(),
            _ => return,
        };
        let shown = if value.is_empty() { "an empty item".to_owned() } else { format!("{value:?}") };
        let span = self.outline.span(node);
        let found = issue(&YAML_TRAP, Some(span), format!("{shown} in {name} is {meaning}"));
        let text = crate::golang::json_string(value);
        let edit = Edit { start: span.start, end: span.end, text: text.clone() };
        issues.push(if value.is_empty() { found } else { found.with_fix(format!("write {text}"), [edit]) });
    }

    fn several_documents(&self, issues: &mut Vec<Issue>) {
        let Some(more) = self.outline.tree.more_documents else { return };
        let span = Span { start: more.offset, end: more.offset, line: more.line + 1, column: more.column + 1 };
        let rest = self.outline.text.get(more.offset..).unwrap_or_default();
        let content = rest.lines().any(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#') && line != "---" && line != "..."
        });
        if content {
            let message = "everything from here on is ignored: only the first document is read".to_owned();
            issues.push(issue(&SEVERAL_DOCUMENTS, Some(span), message));
        }
    }
}
