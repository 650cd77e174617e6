//! The atoms of a set of policies, and rules as regions.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::region::{Bits, Cell, NO_USER, Region, USER};
use super::{Pattern, patterns};
use crate::model::{Policy, Rule};
use crate::request::Request;

/// The attributes of a resource request in the order of a cell's sides; a path request has user, verb, path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    User,
    Verb,
    Namespace,
    ApiGroup,
    Resource,
    Subresource,
    Name,
    Path,
}

impl Side {
    pub(crate) const RESOURCE: [Self; 7] =
        [Self::User, Self::Verb, Self::Namespace, Self::ApiGroup, Self::Resource, Self::Subresource, Self::Name];
    pub(crate) const PATH: [Self; 3] = [Self::User, Self::Verb, Self::Path];
}

/// Named values of one attribute; the last atom stands for all others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    index: BTreeMap<String, usize>,
}

impl Names {
    fn add(&mut self, name: &str) {
        if !self.index.contains_key(name) {
            self.index.insert(name.to_owned(), self.names.len());
            self.names.push(name.to_owned());
        }
    }

    fn count(&self) -> usize {
        self.names.len() + 1
    }

    pub(crate) fn other(&self) -> usize {
        self.names.len()
    }

    /// The name of an atom, none for all others.
    pub(crate) fn name(&self, atom: usize) -> Option<&str> {
        self.names.get(atom).map(String::as_str)
    }

    fn atom(&self, name: &str) -> usize {
        self.index.get(name).copied().unwrap_or(self.other())
    }

    fn all(&self) -> Bits {
        Bits::all(self.count())
    }

    fn only(&self, names: &[impl AsRef<str>]) -> Bits {
        if names.is_empty() {
            return self.all();
        }
        let mut bits = Bits::none(self.count());
        names.iter().for_each(|name| bits.insert(self.atom(name.as_ref())));
        bits
    }
}

/// The atoms that some policies and questions name. Add everything first, then ask for regions.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    pub(crate) users: Names,
    pub(crate) groups: Names,
    pub(crate) verbs: Names,
    pub(crate) namespaces: Names,
    pub(crate) api_groups: Names,
    pub(crate) resources: Names,
    pub(crate) subresources: Names,
    pub(crate) object_names: Names,
    /// Exact paths, and prefixes (with a final `*`) that stand for what no longer prefix or path names.
    pub(crate) paths: Names,
}

impl Space {
    pub(crate) fn of(policies: &[&Policy]) -> Self {
        let mut space = Self {
            users: Names::default(),
            groups: Names::default(),
            verbs: Names::default(),
            namespaces: Names::default(),
            api_groups: Names::default(),
            resources: Names::default(),
            subresources: Names::default(),
            object_names: Names::default(),
            paths: Names::default(),
        };
        space.users.add(""); // no user
        // Absence is a value of its own.
        space.namespaces.add("");
        space.subresources.add("");
        space.object_names.add("");
        policies.iter().flat_map(|policy| &policy.rules).for_each(|rule| space.name(rule));
        space
    }

    /// Makes atoms of everything a rule names.
    pub(crate) fn name(&mut self, rule: &Rule) {
        // An authenticated user always has a name, so the empty one is free for no user.
        rule.users.iter().filter(|user| !user.is_empty()).for_each(|user| self.users.add(user));
        rule.user_groups.iter().for_each(|group| self.groups.add(group));
        rule.verbs.iter().for_each(|verb| self.verbs.add(verb));
        rule.namespaces.iter().for_each(|namespace| self.namespaces.add(namespace));
        rule.non_resource_urls.iter().for_each(|path| self.paths.add(&path_atom(path)));
        for entry in &rule.resources {
            if entry.group != "*" {
                self.api_groups.add(&entry.group);
            }
            entry.resource_names.iter().for_each(|name| self.object_names.add(name));
            for pattern in patterns(entry) {
                match pattern {
                    Pattern::Exact(resource, subresource) => {
                        self.resources.add(resource);
                        self.subresources.add(subresource);
                    }
                    Pattern::WithSubresources(resource) => self.resources.add(resource),
                    Pattern::OfEveryResource(subresource) => self.subresources.add(subresource),
                    Pattern::StarOnly => {
                        self.resources.add("*");
                        self.subresources.add("*");
                    }
                    Pattern::Everything | Pattern::Nothing => {}
                }
            }
        }
    }

    pub(crate) fn names(&self, side: Side) -> &Names {
        match side {
            Side::User => &self.users,
            Side::Verb => &self.verbs,
            Side::Namespace => &self.namespaces,
            Side::ApiGroup => &self.api_groups,
            Side::Resource => &self.resources,
            Side::Subresource => &self.subresources,
            Side::Name => &self.object_names,
            Side::Path => &self.paths,
        }
    }

    /// The atoms of an attribute that stand for any value. Every path begins with a slash, so nothing is left for
    /// what lies outside a named `/*`.
    pub(crate) fn full(&self, side: Side) -> Bits {
        let mut bits = self.names(side).all();
        if side == Side::Path {
            let (root, any) = (self.paths.index.get("/*"), self.paths.index.get("*"));
            if root.or(any).is_some() {
                bits.remove(self.paths.other());
            }
            if let (Some(_), Some(&any)) = (root, any) {
                bits.remove(any);
            }
        }
        bits
    }

    /// One cell for all resource requests and one for all others.
    pub(crate) fn widest(&self) -> [Cell; 2] {
        let full = |sides: &[Side], is_resource| Cell {
            is_resource,
            sides: sides.iter().map(|&side| self.full(side)).collect(),
            within: Bits::none(self.groups.count()),
            outside: Bits::none(self.groups.count()),
        };
        [full(&Side::RESOURCE, true), full(&Side::PATH, false)]
    }

    pub(crate) fn everything(&self) -> Region {
        Region { cells: self.widest().into() }
    }

    /// The requests that a rule matches by itself.
    pub(crate) fn rule(&self, rule: &Rule) -> Region {
        let [resource, path] = self.widest();
        let mut region = Region::default();
        let selects_paths = !rule.non_resource_urls.is_empty();
        if rule.selects_resources() || !selects_paths {
            let mut cell = self.with_verbs(resource, rule);
            cell.sides[2] = self.namespaces.only(&rule.namespaces);
            for cell in self.with_resources(&cell, rule) {
                self.with_users(&cell, rule, &mut region);
            }
        }
        if !rule.selects_resources() {
            let mut cell = self.with_verbs(path, rule);
            if selects_paths {
                cell.sides[2] = self.path_bits(&rule.non_resource_urls);
            }
            self.with_users(&cell, rule, &mut region);
        }
        region
    }

    fn with_verbs(&self, mut cell: Cell, rule: &Rule) -> Cell {
        cell.sides[1] = self.verbs.only(&rule.verbs);
        cell
    }

    /// One cell for every group of which the user must be in one.
    fn with_users(&self, cell: &Cell, rule: &Rule, region: &mut Region) {
        let mut cell = cell.clone();
        if !rule.users.is_empty() {
            let named: Vec<&String> = rule.users.iter().filter(|user| !user.is_empty()).collect();
            cell.sides[USER] = if named.is_empty() { Bits::none(self.users.count()) } else { self.users.only(&named) };
        }
        if rule.user_groups.is_empty() {
            region.add(cell);
            return;
        }
        for group in &rule.user_groups {
            let mut cell = cell.clone();
            cell.within.insert(self.groups.atom(group));
            region.add(cell);
        }
    }

    fn with_resources(&self, cell: &Cell, rule: &Rule) -> Vec<Cell> {
        if rule.resources.is_empty() {
            return vec![cell.clone()];
        }
        let mut cells = Vec::new();
        for entry in &rule.resources {
            let mut base = cell.clone();
            if entry.group != "*" {
                base.sides[3] = self.api_groups.only(&[&entry.group]);
            }
            if !entry.resources.is_empty() {
                base.sides[6] = self.object_names.only(&entry.resource_names);
            }
            cells.extend(self.with_patterns(&base, &patterns(entry)));
        }
        cells
    }

    /// Patterns of the same shape share a cell.
    fn with_patterns(&self, base: &Cell, patterns: &[Pattern<'_>]) -> Vec<Cell> {
        let none = (Bits::none(self.resources.count()), Bits::none(self.subresources.count()));
        let mut bare = none.0.clone();
        let mut whole = none.0;
        let mut anywhere = none.1;
        let mut by_subresource: BTreeMap<usize, Bits> = BTreeMap::new();
        let mut everything = false;
        for pattern in patterns {
            match *pattern {
                Pattern::Everything => everything = true,
                Pattern::Exact(resource, "") => bare.insert(self.resources.atom(resource)),
                Pattern::Exact(resource, subresource) => by_subresource
                    .entry(self.subresources.atom(subresource))
                    .or_insert_with(|| Bits::none(self.resources.count()))
                    .insert(self.resources.atom(resource)),
                Pattern::WithSubresources(resource) => whole.insert(self.resources.atom(resource)),
                Pattern::OfEveryResource(subresource) => anywhere.insert(self.subresources.atom(subresource)),
                Pattern::StarOnly => {
                    whole.insert(self.resources.atom("*"));
                    anywhere.insert(self.subresources.atom("*"));
                }
                Pattern::Nothing => {}
            }
        }
        if everything {
            return vec![base.clone()];
        }
        let cell = |resources: Bits, subresources: Bits| {
            let mut cell = base.clone();
            cell.sides[4] = resources;
            cell.sides[5] = subresources;
            cell
        };
        let only = |subresource: usize| {
            let mut bits = Bits::none(self.subresources.count());
            bits.insert(subresource);
            bits
        };
        let mut cells = vec![
            cell(bare, only(self.subresources.atom(""))),
            cell(whole, self.subresources.all()),
            cell(self.resources.all(), anywhere),
        ];
        cells.extend(by_subresource.into_iter().map(|(subresource, resources)| cell(resources, only(subresource))));
        cells
    }

    /// The path atoms that patterns cover.
    fn path_bits(&self, patterns: &[String]) -> Bits {
        let mut bits = Bits::none(self.paths.count());
        for pattern in patterns {
            let pattern = path_atom(pattern);
            match pattern.strip_suffix('*') {
                None => bits.insert(self.paths.atom(&pattern)),
                Some(prefix) => {
                    let inside = |atom: &usize| {
                        let name = self.paths.name(*atom);
                        name.is_some_and(|name| name.trim_end_matches('*').starts_with(prefix)) || prefix.is_empty()
                    };
                    (0..self.paths.count()).filter(inside).for_each(|atom| bits.insert(atom));
                }
            }
        }
        bits.and(&self.full(Side::Path))
    }

    /// The atom of a path: itself if it is named, else its longest named prefix.
    fn path(&self, path: &str) -> usize {
        if !path.ends_with('*') && self.paths.index.contains_key(path) {
            return self.paths.atom(path);
        }
        let prefixes = self.paths.names.iter().enumerate().filter_map(|(i, name)| Some((i, name.strip_suffix('*')?)));
        let holding = prefixes.filter(|(_, prefix)| path.starts_with(prefix));
        holding.max_by_key(|(_, prefix)| prefix.len()).map_or(self.paths.other(), |(atom, _)| atom)
    }

    pub(crate) fn atom_of(&self, side: Side, value: &str) -> usize {
        self.names(side).atom(value)
    }

    pub(crate) fn path_atom_of(&self, path: &str) -> usize {
        self.path(path)
    }

    /// Whether a cell holds a request.
    pub(crate) fn holds(&self, cell: &Cell, request: &Request<'_>) -> bool {
        if cell.is_resource != request.resource_request {
            return false;
        }
        let mut atoms: SmallVec<[usize; 7]> = SmallVec::new();
        atoms.push(request.user.as_ref().map_or(NO_USER, |user| self.users.atom(&user.name)));
        atoms.push(self.verbs.atom(&request.verb));
        if request.resource_request {
            atoms.push(self.namespaces.atom(&request.namespace));
            atoms.push(self.api_groups.atom(&request.api_group));
            atoms.push(self.resources.atom(&request.resource));
            atoms.push(self.subresources.atom(&request.subresource));
            atoms.push(self.object_names.atom(&request.name));
        } else {
            atoms.push(self.path(&request.path));
        }
        let in_group = |group: usize| {
            let name = self.groups.name(group).unwrap_or_default();
            request.user.as_ref().is_some_and(|user| user.groups.iter().any(|g| g == name))
        };
        cell.sides.iter().zip(atoms).all(|(side, atom)| side.contains(atom))
            && cell.within.atoms().all(in_group)
            && !cell.outside.atoms().any(in_group)
    }
}

/// A path pattern with exactly one final `*`, or none.
fn path_atom(pattern: &str) -> String {
    if pattern.ends_with('*') { format!("{}*", pattern.trim_end_matches('*')) } else { pattern.to_owned() }
}
