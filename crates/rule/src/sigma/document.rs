//! One Sigma document: what it says about itself, checked as the specification's schemas check it, and what it detects.

use std::collections::BTreeSet;

use crate::condition::Condition;
use crate::extension::{self, Extension};
use crate::needs;
use crate::node::Node;
use crate::problem::{Fault, Severity};
use crate::rule::{self, Filter, Flavour, Level, Loaded, LogSource, Meta, Origin, Rule};

use super::detection::Reading;
use super::{Given, correlation, expression};

/// Longest title, in characters, as the schema has it.
const TITLE_MAX: usize = 256;
/// Longest description, in characters, as the schema has it.
const DESCRIPTION_MAX: usize = 65_535;
const STATUSES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];
const RELATIONS: [&str; 5] = ["derived", "obsolete", "merged", "renamed", "similar"];
const KEYS: [&str; 24] = [
    "title",
    "id",
    "related",
    "name",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "correlation",
    "generate",
    "filter",
    "kubewitness",
    "action",
];

/// Loads one document. Faults that are errors mean that it was left out.
pub(super) fn load(node: &Node, file: &str, given: Given<'_>, loaded: &mut Loaded, faults: &mut Vec<Fault>) {
    let mut document = Document { node, file, given, faults };
    if let Err(fault) = document.load(loaded) {
        faults.push(fault);
    }
}

pub(super) struct Document<'d> {
    pub(super) node: &'d Node,
    pub(super) file: &'d str,
    pub(super) given: Given<'d>,
    pub(super) faults: &'d mut Vec<Fault>,
}

impl<'d> Document<'d> {
    fn load(&mut self, loaded: &mut Loaded) -> Result<(), Fault> {
        if !self.node.is_map() {
            return Err(Fault::error(self.node.place, format!("expected a rule, found {}", self.node.kind())));
        }
        self.check_keys();
        let meta = self.meta()?;
        if self.node.get("correlation").is_some() {
            loaded.correlations.push(correlation::read(self, meta)?);
        } else if self.node.get("filter").is_some() {
            loaded.filters.push(self.filter(meta)?);
        } else {
            loaded.rules.push(self.rule(meta)?);
        }
        Ok(())
    }

    fn check_keys(&mut self) {
        let mut seen = BTreeSet::new();
        for (key, _) in self.node.entries() {
            let name = key.text().unwrap_or_default();
            if !seen.insert(name) {
                self.faults.push(Fault::warning(key.place, format!("`{name}` is given twice: the first counts")));
            }
            // Authors may add keys of their own, so only a near miss is worth a word.
            if !KEYS.contains(&name)
                && let Some(near) = crate::problem::nearest(name, KEYS)
            {
                let fault = Fault::warning(key.place, format!("unknown key `{name}`"));
                self.faults.push(fault.hint(format!("did you mean `{near}`?")));
            }
        }
    }

    fn meta(&mut self) -> Result<Meta, Fault> {
        let title = self.text("title", TITLE_MAX)?;
        if title.is_empty() {
            return Err(Fault::error(self.node.place, "a rule must have a `title`"));
        }
        let (name, id) = (self.text("name", TITLE_MAX)?, self.text("id", TITLE_MAX)?);
        self.check_dates()?;
        self.check_related()?;
        let tags = self.texts("tags")?;
        self.check_tags(&tags)?;
        let (techniques, tactics) = rule::attack_tags(&tags);
        let own = [&id, &name, &title].into_iter().find(|text| !text.is_empty()).cloned();
        Ok(Meta {
            id: own.unwrap_or_default(),
            name: (!name.is_empty()).then_some(name),
            title,
            description: self.text("description", DESCRIPTION_MAX)?,
            origin: Origin::Sigma,
            file: self.file.to_owned(),
            place: self.node.place,
            level: self.level()?,
            status: self.one_of("status", &STATUSES)?,
            author: self.text("author", DESCRIPTION_MAX)?,
            license: self.text("license", TITLE_MAX)?,
            tags,
            techniques,
            tactics,
            references: self.texts("references")?,
            false_positives: self.node.get("falsepositives").map(Node::texts).unwrap_or_default(),
            extension: self.extension(),
        })
    }

    fn extension(&mut self) -> Extension {
        self.node.get("kubewitness").map(|block| extension::read(block, self.faults)).unwrap_or_default()
    }

    fn rule(&mut self, meta: Meta) -> Result<Rule, Fault> {
        let logsource = self.logsource()?;
        let detection = self.required("detection")?;
        if !logsource.is_kubernetes_audit() {
            let what = "the log source is no Kubernetes audit log: loaded, never evaluated";
            self.faults.push(Fault::note(self.node.place, what));
        }
        let condition = self.detection(detection, &logsource)?;
        let needs = needs::of(&condition, &meta.extension);
        Ok(Rule { meta, flavour: Flavour::Sigma { logsource }, needs, condition })
    }

    fn filter(&mut self, meta: Meta) -> Result<Filter, Fault> {
        let logsource = self.logsource()?;
        let block = self.required("filter")?;
        let Some(rules) = block.get("rules") else {
            return Err(Fault::error(block.place, "a filter must name `rules`"));
        };
        let names = rules.texts();
        if names.is_empty() {
            return Err(Fault::error(rules.place, "a filter must name at least one rule"));
        }
        let condition = self.detection(block, &logsource)?;
        Ok(Filter { title: meta.title, file: meta.file, place: meta.place, logsource, rules: names, condition })
    }

    /// The condition of a detection or filter block.
    fn detection(&mut self, block: &Node, logsource: &LogSource) -> Result<Condition, Fault> {
        let Some(written) = block.get("condition") else {
            return Err(Fault::error(block.place, "there is no `condition`"));
        };
        let audit = logsource.is_kubernetes_audit();
        let mut selections = Vec::new();
        for (key, value) in block.entries() {
            let name = key.text().unwrap_or_default();
            if !matches!(name, "condition" | "timeframe" | "rules") {
                let mut reading = Reading { given: self.given, audit, faults: self.faults };
                selections.push((name.to_owned(), reading.selection(value)?));
            }
        }
        let texts = written.texts();
        if texts.is_empty() {
            return Err(Fault::error(written.place, "empty `condition`"));
        }
        let mut used = BTreeSet::new();
        let parsed: Result<Vec<_>, _> =
            texts.iter().map(|text| expression::parse(text, written.place, &selections, &mut used)).collect();
        let parsed = parsed?;
        self.warn_unused(block, &used);
        Ok(Condition::any(parsed))
    }

    fn warn_unused(&mut self, block: &Node, used: &BTreeSet<String>) {
        for (key, _) in block.entries() {
            let name = key.text().unwrap_or_default();
            if !matches!(name, "condition" | "timeframe" | "rules") && !used.contains(name) {
                self.faults.push(Fault::warning(key.place, format!("the condition does not use `{name}`")));
            }
        }
    }

    fn logsource(&mut self) -> Result<LogSource, Fault> {
        let node = self.required("logsource")?;
        if !node.is_map() {
            return Err(Fault::error(node.place, "`logsource` must be a map"));
        }
        let mut source = LogSource::default();
        for (key, value) in node.entries() {
            let text = value.text().map(str::to_owned);
            if !value.is_scalar() {
                return Err(Fault::error(value.place, "a field of `logsource` must be a text"));
            }
            match key.text().unwrap_or_default() {
                "category" => source.category = text,
                "product" => source.product = text,
                "service" => source.service = text,
                "definition" => {}
                other => {
                    let fault = Fault::warning(key.place, format!("unknown key `{other}` in `logsource`"));
                    self.faults.push(fault.nearest(other, ["category", "product", "service", "definition"]));
                }
            }
        }
        Ok(source)
    }

    fn level(&mut self) -> Result<Level, Fault> {
        let name = self.one_of("level", &Level::ALL.map(Level::name))?;
        Ok(name.parse().unwrap_or(Level::Medium))
    }

    pub(super) fn required(&self, key: &str) -> Result<&'d Node, Fault> {
        self.node.get(key).ok_or_else(|| Fault::error(self.node.place, format!("a rule must have `{key}`")))
    }

    /// The text of `key`, empty if it is not given.
    fn text(&self, key: &str, max: usize) -> Result<String, Fault> {
        let Some(node) = self.node.get(key) else { return Ok(String::new()) };
        if !node.is_scalar() {
            return Err(Fault::error(node.place, format!("`{key}` must be a text, not {}", node.kind())));
        }
        let text = node.text().unwrap_or_default();
        if text.chars().count() > max {
            return Err(Fault::error(node.place, format!("`{key}` is longer than {max} characters")));
        }
        Ok(text.to_owned())
    }

    /// The texts of the list `key`, empty if it is not given.
    fn texts(&mut self, key: &str) -> Result<Vec<String>, Fault> {
        let Some(node) = self.node.get(key).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
        if !node.is_list() {
            return Err(Fault::error(node.place, format!("`{key}` must be a list, not {}", node.kind())));
        }
        let mut seen = BTreeSet::new();
        for item in node.items() {
            let Some(text) = item.text() else {
                return Err(Fault::error(item.place, format!("`{key}` must be a list of texts")));
            };
            if !seen.insert(text) {
                self.faults.push(Fault::warning(item.place, format!("`{text}` is given twice in `{key}`")));
            }
        }
        Ok(node.texts())
    }

    fn one_of(&self, key: &str, names: &[&str]) -> Result<String, Fault> {
        let text = self.text(key, TITLE_MAX)?;
        if text.is_empty() || names.contains(&text.as_str()) {
            return Ok(text);
        }
        let place = self.node.get(key).map_or(self.node.place, |node| node.place);
        Err(Fault::error(place, format!("`{text}` is no {key}")).nearest(&text, names.iter().copied()))
    }

    fn check_dates(&mut self) -> Result<(), Fault> {
        for key in ["date", "modified"] {
            let text = self.text(key, TITLE_MAX)?;
            let Some(node) = self.node.get(key) else { continue };
            if is_date(&text) {
                continue;
            }
            let fault = Fault::error(node.place, format!("`{key}` must be a date such as 2025-01-31"));
            // The form that rules had before version 2 of the specification.
            if is_date(&text.replace('/', "-")) {
                self.faults.push(Fault { severity: Severity::Warning, ..fault });
            } else {
                return Err(fault);
            }
        }
        Ok(())
    }

    fn check_related(&self) -> Result<(), Fault> {
        for item in self.node.get("related").map(Node::items).unwrap_or_default() {
            let kind = item.get("type").and_then(Node::text).unwrap_or_default();
            if item.get("id").is_none() || !RELATIONS.contains(&kind) {
                let fault = Fault::error(item.place, "an item of `related` must have an `id` and a known `type`");
                return Err(fault.nearest(kind, RELATIONS));
            }
        }
        Ok(())
    }

    fn check_tags(&self, tags: &[String]) -> Result<(), Fault> {
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
        };
        let is_tag = |tag: &str| tag.split_once('.').is_some_and(|(a, b)| plain(a, b"_-") && plain(b, b"._-"));
        match tags.iter().find(|tag| !is_tag(tag)) {
            None => Ok(()),
            Some(tag) => {
                let place = self.node.get("tags").map_or(self.node.place, |node| node.place);
                Err(Fault::error(place, format!("`{tag}` is no tag such as `attack.t1609`")))
            }
        }
    }
}

fn is_date(text: &str) -> bool {
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let within = |part: Option<&str>, max: u8| {
        part.is_some_and(|part| digits(part, 2) && part.parse::<u8>().is_ok_and(|n| (1..=max).contains(&n)))
    };
    year.is_some_and(|year| digits(year, 4)) && within(month, 12) && within(day, 31) && parts.next().is_none()
}
