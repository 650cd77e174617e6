//! What needs ask for, as rules that record it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::api::VERBS;
use crate::generate::{Reasoned, busy};
use crate::model::{GroupResources, Level, Rule};
use crate::need::{Identities, Need};
use crate::remedy;
use crate::version::ServerVersion;

/// What needs ask for of one resource.
struct Ask<'n> {
    level: Level,
    /// Of which the user is in one; empty for all.
    user_groups: &'n [String],
    group: &'n str,
    resource: &'n str,
    verbs: Vec<&'n str>,
    never: &'n Identities,
}

/// What needs ask for by name of resources whose bodies may be recorded. A pattern for a whole group counts as `*`.
fn asks<'n>(needs: &[&'n Need]) -> Vec<Ask<'n>> {
    let patterns = needs.iter().flat_map(|&need| need.requests.iter().map(move |pattern| (need, pattern)));
    let named = patterns.filter(|(_, pattern)| !pattern.is_general() && pattern.paths.is_empty());
    let asks = named.flat_map(|(need, pattern)| {
        let whole = pattern.resources.is_empty().then_some("*");
        let resources = pattern.resources.iter().map(String::as_str).chain(whole);
        let is_asked = |resource: &&str| {
            let is_busy = pattern.is_incidental(resource) && holds(&remedy::busy(), &pattern.group, resource);
            !is_busy && !holds(&remedy::secrets(), &pattern.group, resource)
        };
        let all = if pattern.verbs.is_empty() { VERBS.as_slice() } else { &[] };
        let ask = move |resource| {
            let verbs = pattern.verbs.iter().map(String::as_str).chain(all.iter().copied()).collect();
            Ask {
                level: need.level,
                user_groups: &pattern.groups,
                group: &pattern.group,
                resource,
                verbs,
                never: &need.never,
            }
        };
        resources.filter(is_asked).map(ask).collect::<Vec<_>>()
    });
    asks.collect()
}

/// Whether a rule names a resource.
fn holds(rule: &Rule, group: &str, resource: &str) -> bool {
    rule.resources.iter().any(|entry| entry.group == group && entry.resources.iter().any(|known| known == resource))
}

/// The bodies that needs ask for, deepest first: a rule for each API group, and one for every other kind where needs look
/// into the bodies of everything.
pub(crate) fn bodies(needs: &[&Need], server: ServerVersion) -> Vec<Reasoned> {
    let mut shapes = Shapes::new();
    let mut anywhere: BTreeMap<Reverse<Level>, BTreeSet<&str>> = BTreeMap::new();
    for ask in asks(needs).into_iter().filter(|ask| ask.level > Level::Metadata) {
        let level = Reverse(ask.level);
        match ask.group == "*" && !server.has_any_group() {
            true => anywhere.entry(level).or_default().extend(ask.verbs),
            false => shapes.entry((level, ask.group)).or_default().entry(ask.resource).or_default().extend(ask.verbs),
        }
    }
    for need in needs.iter().filter(|need| need.level > Level::Metadata) {
        for pattern in need.requests.iter().filter(|pattern| pattern.is_general() && pattern.paths.is_empty()) {
            anywhere.entry(Reverse(need.level)).or_default().extend(pattern.verbs.iter().map(String::as_str));
        }
    }
    let mut rules = by_verbs(shapes);
    if !anywhere.is_empty() {
        rules.push(busy());
    }
    rules.extend(anywhere.into_iter().map(|(Reverse(level), verbs)| {
        let verbs = verbs.into_iter().map(str::to_owned).collect();
        Reasoned::new(Rule { level, verbs, ..Rule::default() }, "Bodies of every other kind.")
    }));
    rules
}

/// What is busy because of nodes, where needs ask for its bodies and none of them is about nodes.
pub(crate) fn busy_nodes(needs: &[&Need]) -> Option<Reasoned> {
    const NODES: &str = "system:nodes";
    let asks = asks(needs);
    let mut busy =
        asks.iter().filter(|ask| ask.level > Level::Metadata && holds(&remedy::busy(), ask.group, ask.resource));
    let is_of_others = |ask: &Ask<'_>| ask.never.groups.iter().any(|group| group == NODES);
    let is_asked = busy.clone().next().is_some();
    let rule = Rule { user_groups: vec![NODES.to_owned()], ..remedy::busy() };
    (is_asked && busy.all(is_of_others))
        .then(|| Reasoned::new(rule, "Nodes send most of these, and bodies would only cost."))
}

/// Verbs by level and group, and then by resource.
type Shapes<'n> = BTreeMap<(Reverse<Level>, &'n str), BTreeMap<&'n str, BTreeSet<&'n str>>>;

/// A rule for every level, group and set of verbs.
fn by_verbs(shapes: Shapes<'_>) -> Vec<Reasoned> {
    let mut rules = Vec::new();
    for ((Reverse(level), group), resources) in shapes {
        let mut sets: BTreeMap<BTreeSet<&str>, Vec<String>> = BTreeMap::new();
        for (resource, verbs) in resources {
            sets.entry(verbs).or_default().push(resource.to_owned());
        }
        rules.extend(sets.into_iter().map(|(verbs, resources)| {
            let entry = GroupResources { group: group.to_owned(), resources, ..GroupResources::default() };
            let verbs = verbs.into_iter().map(str::to_owned).collect();
            Reasoned::new(Rule { level, verbs, resources: vec![entry], ..Rule::default() }, "")
        }));
    }
    rules
}

/// What needs name without asking for bodies, as far as it is done with one of `verbs`: a rule for each set of them, and
/// one for paths.
pub(crate) fn named(needs: &[&Need], verbs: &[&str], server: ServerVersion) -> Vec<Reasoned> {
    /// User groups, API group and resource.
    type Place<'n> = (&'n [String], &'n str, &'n str);
    let mut verbs_of: BTreeMap<Place<'_>, BTreeSet<&str>> = BTreeMap::new();
    for ask in asks(needs).into_iter().filter(|ask| ask.level == Level::Metadata) {
        let asked = ask.verbs.into_iter().filter(|verb| verbs.contains(verb));
        if ask.group != "*" || server.has_any_group() {
            verbs_of.entry((ask.user_groups, ask.group, ask.resource)).or_default().extend(asked);
        }
    }
    /// Verbs and user groups; resources by API group.
    type Sets<'n> = BTreeMap<(BTreeSet<&'n str>, &'n [String]), BTreeMap<&'n str, BTreeSet<&'n str>>>;
    let mut sets = Sets::new();
    for ((users, group, resource), verbs) in verbs_of.into_iter().filter(|(_, verbs)| !verbs.is_empty()) {
        sets.entry((verbs, users)).or_default().entry(group).or_default().insert(resource);
    }
    let owned = |values: BTreeSet<&str>| values.into_iter().map(str::to_owned).collect();
    let entry = |(group, resources): (&str, BTreeSet<&str>)| GroupResources {
        group: group.to_owned(),
        resources: owned(resources),
        ..GroupResources::default()
    };
    let of_resources = sets.into_iter().map(|((verbs, users), groups)| {
        let (user_groups, resources) = (users.to_vec(), groups.into_iter().map(entry).collect());
        Rule { level: Level::Metadata, user_groups, verbs: owned(verbs), resources, ..Rule::default() }
    });
    let paths: BTreeSet<&str> = needs.iter().flat_map(|need| named_paths(need)).collect();
    let of_paths = Rule { level: Level::Metadata, non_resource_urls: owned(paths), ..Rule::default() };
    let of_paths = (!of_paths.non_resource_urls.is_empty()).then_some(of_paths);
    of_resources.chain(of_paths).map(|rule| Reasoned::new(rule, "")).collect()
}

fn named_paths(need: &Need) -> impl Iterator<Item = &str> {
    let named = need.requests.iter().filter(|pattern| !pattern.is_general());
    named.flat_map(|pattern| &pattern.paths).map(String::as_str)
}
