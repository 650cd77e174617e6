//! The items of rule files, with later definitions, appends and overrides put in; nothing is parsed yet.

use std::collections::HashMap;

use super::exception::{self, Exception};
use crate::node::Node;
use crate::problem::{Fault, Place, Problem, Source};
use crate::yaml::{self, Cut};

/// Version of the rules engine whose features these are; files that ask for a newer one are not loaded.
const ENGINE_VERSION: (u32, u32, u32) = (0, 60, 0);

/// Everything that the files define.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) lists: Table<List>,
    pub(super) macros: Table<Macro>,
    pub(super) rules: Table<RawRule>,
    pub(super) problems: Vec<Problem>,
    order: usize,
}

/// Named things in the order of their first definition.
pub(super) struct Table<T> {
    pub(super) items: Vec<T>,
    by_name: HashMap<String, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Table<T> {
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name).map(|at| &self.items[*at])
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.by_name.get(name).map(|at| &mut self.items[*at])
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Adds an item, or replaces the one of the same name where it stands.
    fn put(&mut self, name: &str, item: T) {
        match self.by_name.get(name) {
            Some(at) => self.items[*at] = item,
            None => {
                self.by_name.insert(name.to_owned(), self.items.len());
                self.items.push(item);
            }
        }
    }
}

/// When a thing was first defined, and when it was last changed. What a thing uses must be first defined before its last
/// change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) first: usize,
    pub(super) last: usize,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) name: String,
    pub(super) items: Vec<String>,
    pub(super) seen: Seen,
}

/// A text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) file: String,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) condition: Written,
    pub(super) seen: Seen,
}

#[derive(Debug, Clone)]
pub(super) struct RawRule {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) condition: Written,
    pub(super) output: Written,
    pub(super) priority: Written,
    pub(super) source: String,
    pub(super) tags: Vec<String>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) enabled: bool,
    pub(super) skips_unknown: bool,
    pub(super) file: String,
    pub(super) place: Place,
    pub(super) seen: Seen,
}

/// What an item does with an earlier one of its name.
enum Change {
    Define,
    /// The keys to append and to replace.
    Alter {
        append: Vec<String>,
        replace: Vec<String>,
    },
}

const RULE_KEYS: [&str; 19] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "tags",
    "enabled",
    "exceptions",
    "append",
    "override",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "macro",
    "list",
    "items",
    "comps",
];

impl Collected {
    pub(super) fn add(&mut self, source: &Source) {
        let (documents, faults) = yaml::load(&source.text, Cut::Items);
        self.problems.extend(faults.into_iter().map(|fault| fault.in_file(&source.name)));
        let mut items = Vec::new();
        for document in documents.iter().filter(|document| !document.is_null()) {
            if document.is_list() {
                items.extend(document.items());
            } else {
                let fault =
                    Fault::error(document.place, format!("expected a list of rules, found {}", document.kind()));
                self.problems.push(fault.in_file(&source.name));
            }
        }
        if let Some(fault) = items.iter().find_map(|item| engine_fault(item)) {
            self.problems.push(fault.in_file(&source.name));
            return;
        }
        for item in items {
            self.order += 1;
            let mut notes = Vec::new();
            if let Err(fault) = self.item(item, &source.name, &mut notes) {
                notes.push(fault);
            }
            self.problems.extend(notes.into_iter().map(|fault| fault.in_file(&source.name)));
        }
    }

    fn item(&mut self, item: &Node, file: &str, notes: &mut Vec<Fault>) -> Result<(), Fault> {
        if !item.is_map() {
            return Err(Fault::error(item.place, format!("expected a rule, macro or list, found {}", item.kind())));
        }
        let name = |key: &str| item.get(key).and_then(Node::text);
        if let Some(name) = name("list") {
            return self.list(name, item, notes);
        }
        if let Some(name) = name("macro") {
            return self.macro_(name, item, file, notes);
        }
        if let Some(name) = name("rule") {
            unknown_keys(item, notes);
            return self.rule(name, item, file, notes);
        }
        if item.get("required_engine_version").is_some() {
            return Ok(());
        }
        if let Some(plugins) = item.get("required_plugin_versions") {
            return check_plugins(plugins);
        }
        let first = item.entries().first().and_then(|(key, _)| key.text()).unwrap_or_default();
        let fault = Fault::error(item.place, format!("`{first}` is neither rule, macro nor list"));
        Err(fault.nearest(first, ["rule", "macro", "list", "required_engine_version", "required_plugin_versions"]))
    }

    fn list(&mut self, name: &str, item: &Node, notes: &mut Vec<Fault>) -> Result<(), Fault> {
        let now = self.order;
        let items = match item.get("items") {
            Some(items) if items.is_list() => items.texts(),
            _ => return Err(Fault::error(item.place, format!("the list `{name}` has no `items`"))),
        };
        match change(item, &["items"], notes)? {
            Change::Define => {
                let first = self.lists.get(name).map_or(now, |list| list.seen.first);
                self.lists.put(name, List { name: name.to_owned(), items, seen: Seen { first, last: now } });
            }
            Change::Alter { append, .. } => {
                let Some(list) = self.lists.get_mut(name) else { return Err(nothing_to_change(item, "list", name)) };
                if append.is_empty() {
                    list.items = items;
                } else {
                    list.items.extend(items);
                }
                list.seen.last = now;
            }
        }
        Ok(())
    }

    fn macro_(&mut self, name: &str, item: &Node, file: &str, notes: &mut Vec<Fault>) -> Result<(), Fault> {
        let now = self.order;
        if !is_macro_name(name) {
            return Err(Fault::error(item.place, format!("`{name}` is no name of a macro: letters, digits and `_`")));
        }
        let condition = written(item, "condition", file)?;
        match change(item, &["condition"], notes)? {
            Change::Define => {
                let first = self.macros.get(name).map_or(now, |known| known.seen.first);
                self.macros.put(name, Macro { name: name.to_owned(), condition, seen: Seen { first, last: now } });
            }
            Change::Alter { append, .. } => {
                let Some(known) = self.macros.get_mut(name) else { return Err(nothing_to_change(item, "macro", name)) };
                alter_text(&mut known.condition, condition, !append.is_empty());
                known.seen.last = now;
            }
        }
        Ok(())
    }

    fn rule(&mut self, name: &str, item: &Node, file: &str, notes: &mut Vec<Fault>) -> Result<(), Fault> {
        let now = self.order;
        let appendable = ["condition", "output", "desc", "tags", "exceptions"];
        if is_toggle(item) {
            let Some(rule) = self.rules.get_mut(name) else { return Err(nothing_to_change(item, "rule", name)) };
            rule.enabled = item.get("enabled").and_then(Node::bool).unwrap_or(true);
            return Ok(());
        }
        match change(item, &appendable, notes)? {
            Change::Define => {
                let first = self.rules.get(name).map_or(now, |rule| rule.seen.first);
                let rule = raw_rule(name, item, file, Seen { first, last: now })?;
                self.rules.put(name, rule);
            }
            Change::Alter { append, replace } => {
                let Some(rule) = self.rules.get_mut(name) else { return Err(nothing_to_change(item, "rule", name)) };
                rule.seen.last = now;
                for key in append {
                    alter(rule, item, &key, file, true)?;
                }
                for key in replace {
                    alter(rule, item, &key, file, false)?;
                }
            }
        }
        Ok(())
    }
}

fn raw_rule(name: &str, item: &Node, file: &str, seen: Seen) -> Result<RawRule, Fault> {
    Ok(RawRule {
        name: name.to_owned(),
        description: written(item, "desc", file)?.text,
        condition: written(item, "condition", file)?,
        output: written(item, "output", file)?,
        priority: written(item, "priority", file)?,
        source: item.get("source").and_then(Node::text).unwrap_or("syscall").to_owned(),
        tags: item.get("tags").map(Node::texts).unwrap_or_default(),
        exceptions: exception::read(item.get("exceptions"))?,
        enabled: item.get("enabled").and_then(Node::bool).unwrap_or(true),
        skips_unknown: item.get("skip-if-unknown-filter").and_then(Node::bool).unwrap_or(false),
        file: file.to_owned(),
        place: item.place,
        seen,
    })
}

fn alter(rule: &mut RawRule, item: &Node, key: &str, file: &str, append: bool) -> Result<(), Fault> {
    match key {
        "condition" => alter_text(&mut rule.condition, written(item, key, file)?, append),
        "output" => alter_text(&mut rule.output, written(item, key, file)?, append),
        "priority" => rule.priority = written(item, key, file)?,
        "desc" if append => rule.description = format!("{} {}", rule.description, written(item, key, file)?.text),
        "desc" => rule.description = written(item, key, file)?.text,
        "tags" if append => rule.tags.extend(item.get(key).map(Node::texts).unwrap_or_default()),
        "tags" => rule.tags = item.get(key).map(Node::texts).unwrap_or_default(),
        "exceptions" if append => exception::append(&mut rule.exceptions, exception::read(item.get(key))?),
        "exceptions" => rule.exceptions = exception::read(item.get(key))?,
        "enabled" => rule.enabled = item.get(key).and_then(Node::bool).unwrap_or(true),
        "skip-if-unknown-filter" => rule.skips_unknown = item.get(key).and_then(Node::bool).unwrap_or(false),
        _ => {}
    }
    Ok(())
}

/// An appended condition is added as text: it brings its own `and`.
fn alter_text(known: &mut Written, new: Written, append: bool) {
    if append {
        known.text = format!("{} {}", known.text, new.text);
    } else {
        *known = new;
    }
}

fn written(item: &Node, key: &str, file: &str) -> Result<Written, Fault> {
    match item.get(key) {
        Some(node) if node.text().is_some_and(|text| !text.trim().is_empty()) => {
            Ok(Written { text: node.text().unwrap_or_default().to_owned(), file: file.to_owned(), place: node.place })
        }
        Some(node) => Err(Fault::error(node.place, format!("`{key}` must be a text"))),
        None => Err(Fault::error(item.place, format!("there is no `{key}`"))),
    }
}

/// A rule that says nothing but whether it is enabled switches an earlier one.
fn is_toggle(item: &Node) -> bool {
    item.get("enabled").is_some() && item.get("override").is_none() && item.entries().len() == 2
}

fn change(item: &Node, appendable: &[&str], notes: &mut Vec<Fault>) -> Result<Change, Fault> {
    let given = |key: &str| item.get(key).is_some();
    if let Some(block) = item.get("override") {
        if item.get("append").and_then(Node::bool) == Some(true) {
            return Err(Fault::error(block.place, "`append` and `override` together"));
        }
        return overridden(item, block, appendable);
    }
    match item.get("append") {
        Some(node) if node.bool() == Some(true) => {
            notes.push(Fault::note(node.place, "`append: true` is deprecated").hint("write `override: {…: append}`"));
            let append: Vec<String> = appendable.iter().filter(|key| given(key)).map(ToString::to_string).collect();
            if append.is_empty() {
                return Err(Fault::error(node.place, "appends nothing"));
            }
            Ok(Change::Alter { append, replace: Vec::new() })
        }
        _ => Ok(Change::Define),
    }
}

fn overridden(item: &Node, block: &Node, appendable: &[&str]) -> Result<Change, Fault> {
    let only_replaceable =
        ["priority", "enabled", "warn_evttypes", "skip-if-unknown-filter", "capture", "capture_duration"];
    let (mut append, mut replace) = (Vec::new(), Vec::new());
    for (key, value) in block.entries() {
        let name = key.text().unwrap_or_default();
        let can_append = appendable.contains(&name);
        if !can_append && !only_replaceable.contains(&name) {
            let fault = Fault::error(key.place, format!("`{name}` cannot be overridden"));
            return Err(fault.nearest(name, appendable.iter().copied().chain(only_replaceable)));
        }
        if item.get(name).is_none() {
            return Err(Fault::error(key.place, format!("`{name}` is overridden but not given")));
        }
        match value.text().unwrap_or_default() {
            "append" if can_append => append.push(name.to_owned()),
            "replace" => replace.push(name.to_owned()),
            "append" => return Err(Fault::error(value.place, format!("`{name}` can only be replaced"))),
            other => {
                let fault = Fault::error(value.place, format!("`{other}` is neither `append` nor `replace`"));
                return Err(fault.nearest(other, ["append", "replace"]));
            }
        }
    }
    Ok(Change::Alter { append, replace })
}

fn nothing_to_change(item: &Node, what: &str, name: &str) -> Fault {
    Fault::error(item.place, format!("no {what} `{name}` was defined before, so there is nothing to change"))
}

fn unknown_keys(item: &Node, notes: &mut Vec<Fault>) {
    for (key, _) in item.entries() {
        let name = key.text().unwrap_or_default();
        if !RULE_KEYS.contains(&name) {
            notes.push(Fault::warning(key.place, format!("unknown key `{name}`")).nearest(name, RULE_KEYS));
        }
    }
}

fn is_macro_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn engine_fault(item: &Node) -> Option<Fault> {
    let node = item.get("required_engine_version")?;
    let text = node.text().unwrap_or_default();
    let wanted = version(text).or_else(|| text.parse().ok().map(|minor| (0, minor, 0)));
    match wanted {
        None => Some(Fault::error(node.place, format!("`{text}` is no version of the engine"))),
        Some(wanted) if wanted > ENGINE_VERSION => {
            let (major, minor, patch) = ENGINE_VERSION;
            let what =
                format!("the file needs engine {text}, newer than {major}.{minor}.{patch}: none of it is loaded");
            Some(Fault::error(node.place, what))
        }
        Some(_) => None,
    }
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let core = text.split(['-', '+']).next()?;
    let mut numbers = core.split('.').map(|part| part.parse::<u32>().ok());
    let version = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

fn check_plugins(plugins: &Node) -> Result<(), Fault> {
    for plugin in plugins.items() {
        let alternatives = plugin.get("alternatives").map(Node::items).unwrap_or_default();
        for one in std::iter::once(plugin).chain(alternatives) {
            let given = |key: &str| one.get(key).and_then(Node::text).unwrap_or_default();
            if given("name").is_empty() || version(given("version")).is_none() {
                return Err(Fault::error(
                    one.place,
                    "a required plugin must have a `name` and a `version` such as 0.7.0",
                ));
            }
        }
        let known = |name: &str| name == "json" || name.starts_with("k8saudit");
        let names = std::iter::once(plugin).chain(alternatives).filter_map(|one| one.get("name").and_then(Node::text));
        if !names.clone().any(known) {
            let name = plugin.get("name").and_then(Node::text).unwrap_or_default();
            return Err(Fault::warning(plugin.place, format!("plugin `{name}` gives fields that are not known here")));
        }
    }
    Ok(())
}
