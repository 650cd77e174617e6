//! Regions in words, and examples of requests in them.

use std::borrow::Cow;

use serde::Serialize;

use super::atoms::{Names, Side, Space};
use super::region::{Bits, Cell, NO_USER, USER};
use crate::request::{Request, User};

/// One box of requests as a person reads it. An empty list does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Area {
    /// `resource` or `path`.
    pub kind: &'static str,
    /// User names, `not authenticated`, or a negated list.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub users: Choice,
    /// Groups the user is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_groups: Vec<String>,
    /// Groups the user is not in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_in_groups: Vec<String>,
    /// Verbs.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub verbs: Choice,
    /// Namespaces.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub namespaces: Choice,
    /// API groups.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub api_groups: Choice,
    /// Resources.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub resources: Choice,
    /// Subresources.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub subresources: Choice,
    /// Object names.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub names: Choice,
    /// Paths.
    #[serde(skip_serializing_if = "Choice::is_any")]
    pub paths: Choice,
}

/// Which values of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// Every value.
    Any,
    /// These values.
    Only(Vec<String>),
    /// Every value but these.
    Not(Vec<String>),
}

impl Choice {
    /// Whether it does not restrict.
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// How the empty value of an attribute reads.
fn empty_name(side: Side) -> &'static str {
    match side {
        Side::User => "(not authenticated)",
        Side::Namespace => "(none)",
        Side::ApiGroup => "core",
        Side::Subresource => "(none)",
        Side::Name => "(none)",
        Side::Verb | Side::Resource | Side::Path => "\"\"",
    }
}

fn choice(bits: &Bits, space: &Space, side: Side) -> Choice {
    let names = space.names(side);
    if *bits == space.full(side) {
        return Choice::Any;
    }
    let shown = |atom: usize| match names.name(atom) {
        Some("") => empty_name(side).to_owned(),
        Some(name) => name.to_owned(),
        None => "(any other)".to_owned(),
    };
    if bits.contains(names.other()) {
        return Choice::Not((0..names.other()).filter(|&atom| !bits.contains(atom)).map(shown).collect());
    }
    Choice::Only(bits.atoms().map(shown).collect())
}

impl Space {
    pub(crate) fn area(&self, cell: &Cell) -> Area {
        let sides: &[Side] = if cell.is_resource { &Side::RESOURCE } else { &Side::PATH };
        let of = |wanted: Side| {
            let at = sides.iter().position(|&side| side == wanted);
            at.map_or(Choice::Any, |at| choice(&cell.sides[at], self, wanted))
        };
        let groups = |bits: &Bits| -> Vec<String> {
            bits.atoms().filter_map(|g| self.groups.name(g)).map(str::to_owned).collect()
        };
        let (in_groups, not_in_groups) = (groups(&cell.within), groups(&cell.outside));
        let authenticated = !in_groups.is_empty() && of(Side::User) == Choice::Not(vec![empty_name(Side::User).into()]);
        Area {
            kind: if cell.is_resource { "resource" } else { "path" },
            users: if authenticated { Choice::Any } else { of(Side::User) },
            in_groups,
            not_in_groups,
            verbs: of(Side::Verb),
            namespaces: of(Side::Namespace),
            api_groups: of(Side::ApiGroup),
            resources: of(Side::Resource),
            subresources: of(Side::Subresource),
            names: of(Side::Name),
            paths: of(Side::Path),
        }
    }

    /// A request of a cell, as ordinary as the cell allows.
    pub(crate) fn example(&self, cell: &Cell) -> Request<'static> {
        let pick = |at: usize, side: Side, ordinary: &[&str]| self.pick(&cell.sides[at], side, ordinary);
        let mut request = Request { resource_request: cell.is_resource, ..Request::default() };
        if cell.sides[USER].atoms().any(|atom| atom != NO_USER) {
            let groups = cell.within.atoms().filter_map(|g| self.groups.name(g));
            let mut groups: Vec<Cow<'static, str>> = groups.map(|g| Cow::Owned(g.to_owned())).collect();
            let usual = "system:authenticated";
            let forbidden = cell.outside.atoms().any(|g| self.groups.name(g) == Some(usual));
            if !forbidden && !groups.iter().any(|g| g == usual) {
                groups.push(Cow::Borrowed(usual));
            }
            request.user = Some(User { name: Cow::Owned(self.user(&cell.sides[USER])), groups });
        }
        if cell.is_resource {
            request.verb = pick(1, Side::Verb, &["get", "list", "create", "update", "delete"]);
            request.namespace = pick(2, Side::Namespace, &["default", "team-a", ""]);
            request.api_group = pick(3, Side::ApiGroup, &["", "apps", "example.com"]);
            request.resource = pick(4, Side::Resource, &["pods", "configmaps", "widgets"]);
            request.subresource = pick(5, Side::Subresource, &["", "status", "scale"]);
            request.name = pick(6, Side::Name, &["example", ""]);
            if matches!(&*request.verb, "list" | "create" | "deletecollection" | "watch") && cell.sides[6].contains(0) {
                request.name = Cow::Borrowed("");
            }
        } else {
            request.verb = pick(1, Side::Verb, &["get", "post"]);
            request.path = pick(2, Side::Path, &["/version", "/openapi/v3", "/metrics", "/livez"]);
        }
        request
    }

    fn user(&self, bits: &Bits) -> String {
        if bits.contains(self.users.other()) {
            return self.unused(&self.users, "alice");
        }
        bits.atoms().find(|&atom| atom != NO_USER).and_then(|atom| self.users.name(atom)).unwrap_or("alice").to_owned()
    }

    /// The first ordinary value that the bits allow, else any.
    fn pick(&self, bits: &Bits, side: Side, ordinary: &[&str]) -> Cow<'static, str> {
        let names = self.names(side);
        let atom_of = |value: &str| {
            if side == Side::Path { self.path_atom_of(value) } else { self.atom_of(side, value) }
        };
        if let Some(value) = ordinary.iter().find(|value| bits.contains(atom_of(value))) {
            return Cow::Owned((*value).to_owned());
        }
        let Some(atom) = bits.atoms().next() else { return Cow::Borrowed("") };
        match names.name(atom) {
            Some(name) if side == Side::Path && name.ends_with('*') => Cow::Owned(self.path_under(name)),
            Some(name) => Cow::Owned(name.to_owned()),
            None if side == Side::Path => Cow::Owned(self.unused(names, "/other")),
            None => Cow::Owned(self.unused(names, "other")),
        }
    }

    /// A path of a prefix atom that no longer prefix or exact path takes.
    fn path_under(&self, atom: &str) -> String {
        let prefix = atom.trim_end_matches('*');
        let candidates = ["", "/", "x", "/x", "-x", "zzz", "/zzz"];
        let wanted = self.atom_of(Side::Path, atom);
        let candidates = candidates.iter().map(|rest| format!("{prefix}{rest}")).filter(|p| p.starts_with('/'));
        let mut fitting = candidates.filter(|path| self.path_atom_of(path) == wanted);
        fitting.next().unwrap_or_else(|| format!("{prefix}zzzz"))
    }

    fn unused(&self, names: &Names, base: &str) -> String {
        let taken = |name: &str| (0..names.other()).any(|atom| names.name(atom) == Some(name));
        let mut name = base.to_owned();
        while taken(&name) {
            name.push('x');
        }
        name
    }
}

impl Choice {
    fn words(&self, label: &str) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Only(values) => Some(format!("{label} {}", values.join(", "))),
            Self::Not(values) => Some(format!("{label} other than {}", values.join(", "))),
        }
    }
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        let resource = match (&self.resources, &self.subresources) {
            (Choice::Only(resources), Choice::Only(subresources)) => {
                let plain = subresources.len() == 1 && subresources[0] == "(none)";
                let combine = |r: &String| {
                    let with = |s: &String| if s == "(none)" { r.clone() } else { format!("{r}/{s}") };
                    subresources.iter().map(with).collect::<Vec<_>>().join(", ")
                };
                let list = if plain { resources.clone() } else { resources.iter().map(combine).collect() };
                Some(list.join(", "))
            }
            (Choice::Only(resources), Choice::Any) => {
                Some(resources.iter().map(|r| format!("{r}/*")).collect::<Vec<_>>().join(", "))
            }
            (resources, subresources) => {
                let words = [resources.words("resources"), subresources.words("subresources")];
                let words: Vec<String> = words.into_iter().flatten().collect();
                (!words.is_empty()).then(|| words.join(", "))
            }
        };
        let kind = if self.kind == "resource" { "resource requests" } else { "path requests" };
        parts.push(kind.to_owned());
        parts.extend(self.verbs.words("verbs"));
        parts.extend(resource);
        parts.extend(self.api_groups.words("API group"));
        parts.extend(self.names.words("name"));
        parts.extend(self.namespaces.words("namespace"));
        parts.extend(self.paths.words("path"));
        parts.extend(self.users.words("user"));
        if !self.in_groups.is_empty() {
            parts.push(format!("user in {}", self.in_groups.join(" and ")));
        }
        if !self.not_in_groups.is_empty() {
            parts.push(format!("user not in {}", self.not_in_groups.join(" or ")));
        }
        f.write_str(&parts.join("; "))
    }
}
