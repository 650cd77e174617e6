//! Which rule decides a request.
//!
//! Rules are compiled into bit rows, one bit a rule: for every user, verb, namespace … that the policy names
//! there is a row of the rules it satisfies, and one row for all other values. A decision is the first bit that
//! is set in every row of the request.

use smallvec::SmallVec;

use crate::model::{GroupResources, Level, Policy, Rule, Stage};
use crate::request::Request;

/// What a policy says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'p> {
    /// What is recorded.
    pub level: Level,
    /// Stages that are not emitted, in alphabetical order.
    pub omit_stages: &'p [Stage],
    /// Whether `managedFields` are removed from bodies.
    pub omit_managed_fields: bool,
    /// The rule that decided, from zero; none where no rule matched.
    pub rule: Option<usize>,
}

impl Decision<'_> {
    /// Whether a stage of the request is recorded.
    pub fn records(&self, stage: Stage) -> bool {
        self.level > Level::None && !self.omit_stages.contains(&stage)
    }
}

/// A policy compiled for fast decisions.
#[derive(Debug)]
pub struct Evaluator {
    rules: Vec<Compiled>,
    unmatched: Outcome,
    words: usize,
    rows: Vec<u64>,
    users: Column,
    groups: Column,
    no_user: Row,
    verbs: Column,
    namespaces: Column,
    resource_kind: Row,
    path_kind: Row,
    api_groups: hashbrown::HashMap<Box<str>, Resources>,
    other_groups: Resources,
    paths: Column,
    prefixes: Vec<(Box<str>, Row)>,
}

#[derive(Debug)]
struct Compiled {
    outcome: Outcome,
    /// Entries with object names, which no row can decide.
    named: Vec<GroupResources>,
}

#[derive(Debug)]
struct Outcome {
    level: Level,
    omit_stages: Vec<Stage>,
    omit_managed_fields: bool,
}

/// Index of a row of `words` words.
type Row = usize;

/// Rows by value of one attribute.
#[derive(Debug, Default)]
struct Column {
    rows: hashbrown::HashMap<Box<str>, Row>,
    other: Row,
}

impl Column {
    #[inline]
    fn row(&self, value: &str) -> Row {
        if self.rows.is_empty() {
            return self.other;
        }
        self.rows.get(value).copied().unwrap_or(self.other)
    }
}

/// Rows by resource and subresource within one API group. Named entries set the bits of `named` rows, to be
/// checked one by one.
#[derive(Debug, Default)]
struct Resources {
    plain: Patterns,
    named: Patterns,
    has_named: bool,
}

#[derive(Debug, Default)]
struct Patterns {
    /// Rules that take the whole group, and rules without a resource selector.
    all: Row,
    by_resource: hashbrown::HashMap<Box<str>, ResourceRows>,
    /// `*/log`, by subresource.
    any_resource: Column,
}

/// Rows of patterns that name one resource.
#[derive(Debug)]
struct ResourceRows {
    /// `pods` and `pods/*`: requests without a subresource.
    bare: Row,
    /// `pods/*`: requests with any subresource.
    whole: Row,
    /// `pods/log`, by subresource.
    exact: Column,
}

impl Evaluator {
    /// Compiles a policy.
    pub fn new(policy: &Policy) -> Self {
        Compiler::new(policy).compile()
    }

    /// The first rule that matches decides; where none does, nothing is recorded.
    pub fn decide(&self, request: &Request<'_>) -> Decision<'_> {
        let rule = self.first_match(request);
        let outcome = rule.map_or(&self.unmatched, |rule| &self.rules[rule].outcome);
        Decision {
            level: outcome.level,
            omit_stages: &outcome.omit_stages,
            omit_managed_fields: outcome.omit_managed_fields,
            rule,
        }
    }

    fn first_match(&self, request: &Request<'_>) -> Option<usize> {
        // Rows that must all hold, and sets of rows of which one must.
        let mut all: SmallVec<[Row; 4]> = SmallVec::new();
        let mut groups: SmallVec<[Row; 8]> = SmallVec::new();
        all.push(self.verbs.row(&request.verb));
        match &request.user {
            None => all.push(self.no_user),
            Some(user) => {
                all.push(self.users.row(&user.name));
                groups.push(self.groups.other);
                groups.extend(user.groups.iter().filter_map(|g| self.groups.rows.get(&**g).copied()));
            }
        }
        let mut targets: SmallVec<[Row; 8]> = SmallVec::new();
        let mut named: SmallVec<[Row; 8]> = SmallVec::new();
        if request.resource_request {
            all.push(self.resource_kind);
            all.push(self.namespaces.row(&request.namespace));
            let resources = self.api_groups.get(&*request.api_group).unwrap_or(&self.other_groups);
            resources.plain.rows(request, &mut targets);
            if resources.has_named {
                resources.named.rows(request, &mut named);
            }
        } else {
            all.push(self.path_kind);
            targets.push(self.paths.row(&request.path));
            let hits = self.prefixes.iter().filter(|(prefix, _)| request.path.starts_with(&**prefix));
            targets.extend(hits.map(|&(_, row)| row));
        }
        self.first_bit(request, &all, &groups, &targets, &named)
    }

    fn first_bit(
        &self,
        request: &Request<'_>,
        all: &[Row],
        groups: &[Row],
        targets: &[Row],
        named: &[Row],
    ) -> Option<usize> {
        let any = |rows: &[Row], word: usize| rows.iter().fold(0, |bits, &row| bits | self.word(row, word));
        for word in 0..self.words {
            let mut bits = all.iter().fold(u64::MAX, |bits, &row| bits & self.word(row, word));
            if bits != 0 && !groups.is_empty() {
                bits &= any(groups, word);
            }
            let sure = bits & any(targets, word);
            let mut candidates = sure | (bits & any(named, word));
            while candidates != 0 {
                let bit = candidates.trailing_zeros();
                let rule = word * 64 + bit as usize;
                if sure & (1 << bit) != 0 || self.rules[rule].matches_named(request) {
                    return Some(rule);
                }
                candidates &= candidates - 1;
            }
        }
        None
    }

    #[inline]
    fn word(&self, row: Row, word: usize) -> u64 {
        self.rows[row * self.words + word]
    }
}

impl Compiled {
    fn matches_named(&self, request: &Request<'_>) -> bool {
        self.named.iter().any(|entry| {
            entry.resource_names.iter().any(|name| *name == request.name)
                && (entry.group == "*" || entry.group == request.api_group)
                && entry.resources.iter().any(|p| resource_matches(p, &request.resource, &request.subresource))
        })
    }
}

/// Whether a resource pattern of a policy covers a resource and subresource.
pub(crate) fn resource_matches(pattern: &str, resource: &str, subresource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let exact = match pattern.split_once('/') {
        _ if subresource.is_empty() => pattern == resource,
        _ => pattern.strip_prefix(resource).and_then(|p| p.strip_prefix('/')) == Some(subresource),
    };
    exact
        || (!subresource.is_empty() && pattern.strip_prefix("*/") == Some(subresource))
        || pattern.strip_suffix("/*") == Some(resource)
}

/// Whether a path pattern covers a path: trailing `*` stand for any rest.
pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == "*" || pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}

impl Patterns {
    fn rows(&self, request: &Request<'_>, found: &mut SmallVec<[Row; 8]>) {
        found.push(self.all);
        let named = self.by_resource.get(&*request.resource);
        if request.subresource.is_empty() {
            found.extend(named.map(|rows| rows.bare));
            return;
        }
        if let Some(rows) = named {
            found.push(rows.whole);
            found.push(rows.exact.row(&request.subresource));
        }
        found.push(self.any_resource.row(&request.subresource));
    }
}

/// Builds rows rule by rule.
struct Compiler<'p> {
    policy: &'p Policy,
    words: usize,
    rows: Vec<u64>,
}

impl<'p> Compiler<'p> {
    fn new(policy: &'p Policy) -> Self {
        let words = policy.rules.len().div_ceil(64).max(1);
        Self { policy, words, rows: Vec::new() }
    }

    /// A row of the rules for which `holds`.
    fn row(&mut self, holds: impl Fn(&Rule) -> bool) -> Row {
        let start = self.rows.len();
        self.rows.resize(start + self.words, 0);
        for (i, rule) in self.policy.rules.iter().enumerate() {
            if holds(rule) {
                self.rows[start + i / 64] |= 1 << (i % 64);
            }
        }
        start / self.words
    }

    fn empty_row(&mut self) -> Row {
        self.row(|_| false)
    }

    fn copy_row(&mut self, row: Row) -> Row {
        let start = row * self.words;
        self.rows.extend_from_within(start..start + self.words);
        self.rows.len() / self.words - 1
    }

    fn set(&mut self, row: Row, rule: usize) {
        self.rows[row * self.words + rule / 64] |= 1 << (rule % 64);
    }

    /// Sets a rule's bit in the row of a value, which starts out as `other`.
    fn set_in(&mut self, column: &mut Column, value: &str, rule: usize) {
        let row = match column.rows.get(value) {
            Some(&row) => row,
            None => {
                let row = self.copy_row(column.other);
                column.rows.insert(value.into(), row);
                row
            }
        };
        self.set(row, rule);
    }

    /// Rows for an attribute that rules restrict by an exact list.
    fn column(&mut self, list: impl Fn(&Rule) -> &[String]) -> Column {
        let other = self.row(|rule| list(rule).is_empty());
        let mut column = Column { other, ..Column::default() };
        for (i, rule) in self.policy.rules.iter().enumerate() {
            for value in list(rule) {
                self.set_in(&mut column, value, i);
            }
        }
        column
    }

    fn compile(mut self) -> Evaluator {
        let users = self.column(|rule| &rule.users);
        let groups = self.column(|rule| &rule.user_groups);
        let no_user = self.row(|rule| rule.users.is_empty() && rule.user_groups.is_empty());
        let verbs = self.column(|rule| &rule.verbs);
        let namespaces = self.column(|rule| &rule.namespaces);
        let resource_kind = self.row(|rule| rule.selects_resources() || rule.non_resource_urls.is_empty());
        let path_kind = self.row(|rule| !rule.selects_resources());
        let (paths, prefixes) = self.paths();
        let (api_groups, other_groups) = self.resources();
        let rules = self.policy.rules.iter().map(|rule| self.compiled(rule)).collect();
        let mut omit_stages = self.policy.omit_stages.clone();
        omit_stages.sort_unstable_by_key(|stage| stage.name());
        let omit_managed_fields = self.policy.omit_managed_fields;
        let unmatched = Outcome { level: Level::None, omit_stages, omit_managed_fields };
        let (words, rows) = (self.words, self.rows);
        Evaluator {
            rules,
            unmatched,
            words,
            rows,
            users,
            groups,
            no_user,
            verbs,
            namespaces,
            resource_kind,
            path_kind,
            api_groups,
            other_groups,
            paths,
            prefixes,
        }
    }

    fn compiled(&self, rule: &Rule) -> Compiled {
        let mut omit_stages: Vec<_> = self.policy.omit_stages.iter().chain(&rule.omit_stages).copied().collect();
        omit_stages.sort_unstable_by_key(|stage| stage.name());
        omit_stages.dedup();
        let omit_managed_fields = rule.omit_managed_fields.unwrap_or(self.policy.omit_managed_fields);
        let outcome = Outcome { level: rule.level, omit_stages, omit_managed_fields };
        let is_named = |entry: &&GroupResources| !entry.resource_names.is_empty() && !entry.resources.is_empty();
        Compiled { outcome, named: rule.resources.iter().filter(is_named).cloned().collect() }
    }

    fn paths(&mut self) -> (Column, Vec<(Box<str>, Row)>) {
        let other = self.row(|rule| rule.non_resource_urls.is_empty());
        let mut exact = Column { other, ..Column::default() };
        let mut prefixes = Column { other: self.empty_row(), ..Column::default() };
        for (i, rule) in self.policy.rules.iter().enumerate() {
            for pattern in &rule.non_resource_urls {
                self.set_in(&mut exact, pattern, i);
                if pattern.ends_with('*') {
                    self.set_in(&mut prefixes, pattern.trim_end_matches('*'), i);
                }
            }
        }
        (exact, prefixes.rows.into_iter().collect())
    }

    fn resources(&mut self) -> (hashbrown::HashMap<Box<str>, Resources>, Resources) {
        let mut names: Vec<&str> =
            self.policy.rules.iter().flat_map(|r| &r.resources).map(|e| e.group.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let tables = names.into_iter().map(|name| (name.into(), self.group(Some(name)))).collect();
        (tables, self.group(None))
    }

    /// The table of one API group, or of every group that no rule names.
    fn group(&mut self, name: Option<&str>) -> Resources {
        let no_selector = self.row(|rule| rule.resources.is_empty());
        let mut table = Resources { plain: self.patterns(no_selector), ..Resources::default() };
        let nothing = self.empty_row();
        table.named = self.patterns(nothing);
        for (i, rule) in self.policy.rules.iter().enumerate() {
            for entry in &rule.resources {
                if entry.group != "*" && name != Some(entry.group.as_str()) {
                    continue;
                }
                let named = !entry.resource_names.is_empty() && !entry.resources.is_empty();
                table.has_named |= named;
                self.entry(entry, i, if named { &mut table.named } else { &mut table.plain });
            }
        }
        table
    }

    fn patterns(&mut self, all: Row) -> Patterns {
        let any_resource = Column { other: self.empty_row(), ..Column::default() };
        Patterns { all, any_resource, ..Patterns::default() }
    }

    /// The rows of a resource, made when it is first named.
    fn of_resource<'a>(&mut self, patterns: &'a mut Patterns, resource: &str) -> &'a mut ResourceRows {
        patterns.by_resource.entry(resource.into()).or_insert_with(|| {
            let exact = Column { other: self.empty_row(), ..Column::default() };
            ResourceRows { bare: self.empty_row(), whole: self.empty_row(), exact }
        })
    }

    fn entry(&mut self, entry: &GroupResources, rule: usize, patterns: &mut Patterns) {
        if entry.resources.is_empty() {
            self.set(patterns.all, rule);
        }
        for pattern in &entry.resources {
            if pattern == "*" {
                self.set(patterns.all, rule);
            }
            let bare = self.of_resource(patterns, pattern).bare;
            self.set(bare, rule);
            for (slash, _) in pattern.match_indices('/') {
                let (resource, subresource) = (&pattern[..slash], &pattern[slash + 1..]);
                let exact = &mut self.of_resource(patterns, resource).exact;
                self.set_in(exact, subresource, rule);
            }
            if let Some(subresource) = pattern.strip_prefix("*/") {
                self.set_in(&mut patterns.any_resource, subresource, rule);
            }
            if let Some(resource) = pattern.strip_suffix("/*") {
                let rows = self.of_resource(patterns, resource);
                let (bare, whole) = (rows.bare, rows.whole);
                self.set(bare, rule);
                self.set(whole, rule);
            }
        }
    }
}
