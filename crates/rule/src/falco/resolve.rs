//! From collected items to rules: lists put in as text, macros as trees.

use std::collections::{BTreeSet, HashMap};

use super::collect::{Collected, Macro, RawRule, Seen, Table};
use super::exception;
use super::grammar::{self, Tree};
use super::{output, translate};
use crate::condition::Condition;
use crate::extension::Extension;
use crate::needs;
use crate::problem::{Fault, Problem, Severity};
use crate::rule::{self, Flavour, Loaded, Meta, Origin, Priority, Rule};

/// Most tests of one condition after its macros are put in.
const TESTS_MAX: usize = 50_000;
/// Deepest nesting of one condition after its macros are put in.
const DEPTH_MAX: usize = 128;
/// Longest text of one list after the lists in it are put in.
const LIST_BYTES_MAX: usize = 1 << 20;

pub(super) fn rules(mut collected: Collected) -> Loaded {
    let mut problems = std::mem::take(&mut collected.problems);
    let resolver = Resolver::new(&collected, &mut problems);
    let mut loaded = Loaded::default();
    for raw in &collected.rules.items {
        match resolver.rule(raw) {
            Ok(rule) => loaded.rules.push(rule),
            Err(problem) if raw.skips_unknown && problem.what.starts_with("unknown field") => {
                problems.push(Problem { severity: Severity::Note, ..problem });
            }
            Err(problem) => problems.push(problem),
        }
    }
    loaded.problems = problems;
    loaded
}

/// The text that stands for a list in a condition, and when the list was first defined.
type Lists = HashMap<String, (String, Seen)>;

fn list_texts(collected: &Collected) -> Lists {
    let mut resolved: HashMap<&str, Vec<String>> = HashMap::new();
    for list in &collected.lists.items {
        let mut items = Vec::new();
        let mut length = 0;
        for item in &list.items {
            let inner = collected.lists.get(item).filter(|inner| inner.seen.first < list.seen.last);
            let known = inner.and_then(|inner| resolved.get(inner.name.as_str()));
            let new = known.cloned().unwrap_or_else(|| vec![exception::quoted(item)]);
            length += new.iter().map(String::len).sum::<usize>();
            if length > LIST_BYTES_MAX {
                break;
            }
            items.extend(new);
        }
        resolved.insert(&list.name, items);
    }
    let text = |name: &str| resolved.get(name).map(|items| items.join(", ")).unwrap_or_default();
    collected.lists.items.iter().map(|list| (list.name.clone(), (text(&list.name), list.seen))).collect()
}

/// Whether a character ends a name in a condition.
fn delimits(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=')
}

/// Puts in the lists that `text` names, wherever a name stands between delimiters. An empty list takes a neighbouring
/// comma with it.
fn put_in_lists(text: &str, lists: &Lists, before: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(delimits).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        match lists.get(word).filter(|(_, seen)| seen.first < before) {
            None => out.push_str(word),
            Some((items, _)) if items.is_empty() => {
                let kept = out.trim_end();
                if let Some(kept) = kept.strip_suffix(',') {
                    out.truncate(kept.len());
                } else if let Some(after) = rest.trim_start().strip_prefix(',') {
                    rest = after;
                }
            }
            Some((items, _)) => out.push_str(items),
        }
        let delimiter = rest.chars().next().map_or(0, char::len_utf8);
        out.push_str(&rest[..delimiter]);
        rest = &rest[delimiter..];
    }
    out
}

/// The tree of every macro that parses.
fn trees(macros: &Table<Macro>, lists: &Lists, problems: &mut Vec<Problem>) -> HashMap<String, Tree> {
    let mut trees = HashMap::new();
    for item in &macros.items {
        let text = put_in_lists(&item.condition.text, lists, item.seen.last);
        match grammar::parse(&text, item.condition.place) {
            Ok(tree) => {
                trees.insert(item.name.clone(), tree);
            }
            Err(fault) => problems.push(about("macro", &item.name, fault).in_file(&item.condition.file)),
        }
    }
    trees
}

fn about(what: &str, name: &str, mut fault: Fault) -> Fault {
    fault.what = format!("{} ({what} `{name}`)", fault.what);
    fault
}

/// What the files define, ready to be put into rules.
pub(super) struct Resolver<'c> {
    lists: Lists,
    macros: &'c Table<Macro>,
    trees: HashMap<String, Tree>,
}

impl<'c> Resolver<'c> {
    pub(super) fn new(collected: &'c Collected, problems: &mut Vec<Problem>) -> Self {
        let lists = list_texts(collected);
        Self { trees: trees(&collected.macros, &lists, problems), lists, macros: &collected.macros }
    }

    /// Names of the macros and of the lists that a rule is made of.
    pub(super) fn parts_of(&self, raw: &RawRule) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let (mut macros, mut lists) = (BTreeSet::new(), BTreeSet::new());
        let mut texts = vec![raw.condition.text.as_str()];
        while let Some(text) = texts.pop() {
            for word in text.split(delimits) {
                lists.extend(self.lists.get_key_value(word).map(|(name, _)| name.as_str()));
                if let Some(known) = self.macros.get(word).filter(|known| macros.insert(known.name.as_str())) {
                    texts.push(&known.condition.text);
                }
            }
        }
        (macros, lists)
    }

    pub(super) fn rule(&self, raw: &RawRule) -> Result<Rule, Problem> {
        let in_file = |fault: Fault, file: &str| about("rule", &raw.name, fault).in_file(file);
        let condition = self.condition(raw).map_err(|fault| in_file(fault, &raw.condition.file))?;
        let output =
            output::parse(&raw.output.text, raw.output.place).map_err(|fault| in_file(fault, &raw.output.file))?;
        let Some(priority) = Priority::from_name(raw.priority.text.trim()) else {
            let fault = Fault::error(raw.priority.place, format!("`{}` is no priority", raw.priority.text));
            let fault = fault.nearest(&raw.priority.text, Priority::ALL.map(Priority::name));
            return Err(in_file(fault, &raw.priority.file));
        };
        let (techniques, tactics) = techniques(&raw.tags);
        let meta = Meta {
            id: raw.name.clone(),
            name: None,
            title: raw.name.clone(),
            description: raw.description.trim().to_owned(),
            origin: Origin::Falco,
            file: raw.file.clone(),
            place: raw.place,
            level: priority.level(),
            status: String::new(),
            author: String::new(),
            license: String::new(),
            tags: raw.tags.clone(),
            techniques,
            tactics,
            references: Vec::new(),
            false_positives: Vec::new(),
            extension: Extension::default(),
        };
        let flavour = Flavour::Falco { priority, output, source: raw.source.clone(), enabled: raw.enabled };
        Ok(Rule { flavour, needs: needs::of(&condition, &meta.extension), meta, condition })
    }

    fn condition(&self, raw: &RawRule) -> Result<Condition, Fault> {
        let text = exception::with_exceptions(&raw.condition.text, &raw.exceptions)?;
        let text = put_in_lists(&text, &self.lists, raw.seen.last);
        let tree = grammar::parse(&text, raw.condition.place)?;
        let mut expansion = Expansion { resolver: self, raw, open: Vec::new(), tests: 0, depth: 0 };
        expansion.expand(&tree, raw.seen)
    }
}

/// Macros put into one condition.
struct Expansion<'e> {
    resolver: &'e Resolver<'e>,
    raw: &'e RawRule,
    open: Vec<&'e str>,
    tests: usize,
    depth: usize,
}

impl<'e> Expansion<'e> {
    /// `user` is when that which holds the tree was seen.
    fn expand(&mut self, tree: &Tree, user: Seen) -> Result<Condition, Fault> {
        if self.depth == DEPTH_MAX {
            let what = format!("nested deeper than the limit of {DEPTH_MAX} with its macros");
            return Err(Fault::error(self.raw.condition.place, what));
        }
        self.depth += 1;
        let condition = self.expand_tree(tree, user);
        self.depth -= 1;
        condition
    }

    fn expand_tree(&mut self, tree: &Tree, user: Seen) -> Result<Condition, Fault> {
        let place = self.raw.condition.place;
        match tree {
            Tree::All(parts) => Ok(Condition::all(self.expand_each(parts, user)?)),
            Tree::Any(parts) => Ok(Condition::any(self.expand_each(parts, user)?)),
            Tree::Not(inner) => Ok(self.expand(inner, user)?.negated()),
            Tree::Macro(name) => self.expand_macro(name, user),
            Tree::Check(check) => {
                self.tests += 1;
                if self.tests > TESTS_MAX {
                    return Err(Fault::error(
                        place,
                        format!("more than the limit of {TESTS_MAX} tests with its macros"),
                    ));
                }
                translate::check(check).map_err(|what| Fault::error(place, what))
            }
        }
    }

    fn expand_each(&mut self, parts: &[Tree], user: Seen) -> Result<Vec<Condition>, Fault> {
        parts.iter().map(|part| self.expand(part, user)).collect()
    }

    fn expand_macro(&mut self, name: &str, user: Seen) -> Result<Condition, Fault> {
        let place = self.raw.condition.place;
        let resolver = self.resolver;
        let Some(known) = resolver.macros.get(name).filter(|known| known.seen.first < user.last) else {
            if resolver.macros.get(name).is_some() {
                let what = format!("the macro `{name}` is defined only after what uses it");
                return Err(Fault::error(place, what).hint("move it up"));
            }
            let fault = Fault::error(place, format!("unknown macro `{name}`"));
            return Err(fault.nearest(name, resolver.macros.names()));
        };
        let Some(tree) = resolver.trees.get(name) else {
            return Err(Fault::error(place, format!("the macro `{name}` could not be read")));
        };
        if self.open.contains(&name) {
            return Err(Fault::error(place, format!("the macro `{name}` uses itself")));
        }
        self.open.push(&known.name);
        let condition = self.expand(tree, known.seen);
        self.open.pop();
        condition
    }
}

/// ATT&CK names among Falco's tags: `T1609`, `mitre_credential_access`.
fn techniques(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let sigma: Vec<String> = tags
        .iter()
        .filter_map(|tag| match tag.strip_prefix("mitre_") {
            Some(tactic) => Some(format!("attack.{}", tactic.replace('_', "-"))),
            None if tag.starts_with('T') && tag[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                Some(format!("attack.{}", tag.to_lowercase()))
            }
            None => None,
        })
        .collect();
    rule::attack_tags(&sigma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_put_in_as_text() {
        let seen = Seen { first: 0, last: 0 };
        let lists: Lists = [("full", "a, b"), ("none", "")].map(|(n, t)| (n.to_owned(), (t.to_owned(), seen))).into();
        for (text, want) in [
            ("x in (full)", "x in (a, b)"),
            ("x in (full, c)", "x in (a, b, c)"),
            ("x in (none)", "x in ()"),
            ("x in (none, c)", "x in ( c)"),
            ("x in (c, none)", "x in (c)"),
            ("x in (unknown)", "x in (unknown)"),
            ("x=full", "x=a, b"),
            ("x.full in (y)", "x.full in (y)"),
        ] {
            assert_eq!(put_in_lists(text, &lists, 1), want, "{text}");
        }
        assert_eq!(put_in_lists("x in (full)", &lists, 0), "x in (full)");
    }
}
