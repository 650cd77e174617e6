//! The space of requests, cut along everything that rules name: exact answers about all requests at once.
//!
//! For every attribute the values that some rule names are *atoms*, and all other values together are one
//! more. No policy can tell two requests of the same atoms apart, so a set of requests is a list of boxes: a
//! set of atoms for each attribute. Groups are different, a user is in many: each named group is required,
//! forbidden or left open.
//!
//! Requests that no server produces, such as a resource name with a slash, are not part of the space.

mod atoms;
mod describe;
mod region;

pub(crate) use atoms::Space;
pub use describe::{Area, Choice};
pub(crate) use region::Region;
pub use region::TooComplex;

use crate::model::{GroupResources, Policy};

/// A policy with the requests that each of its rules decides.
pub(crate) struct Map {
    /// What each rule matches by itself.
    pub(crate) matched: Vec<Region>,
    /// What each rule decides: what it matches and no rule before it.
    pub(crate) decided: Vec<Region>,
    /// What no rule matches.
    pub(crate) unmatched: Region,
}

impl Map {
    /// Cuts the space along a policy. Gives up, rather than guess, where a policy is too tangled.
    pub(crate) fn new(space: &Space, policy: &Policy) -> Result<Self, TooComplex> {
        let matched: Vec<Region> = policy.rules.iter().map(|rule| space.rule(rule)).collect();
        let mut rest = space.everything();
        let mut decided = Vec::with_capacity(matched.len());
        for (i, region) in matched.iter().enumerate() {
            let mut own = region.clone();
            for earlier in &matched[..i] {
                own = own.minus(earlier)?;
            }
            rest = rest.minus(region)?;
            decided.push(own);
        }
        Ok(Self { matched, decided, unmatched: rest })
    }
}

/// What a resource pattern of a policy stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern<'p> {
    /// `*`: everything of the group.
    Everything,
    /// `pods` or, with a subresource, `pods/log`.
    Exact(&'p str, &'p str),
    /// `pods/*`: the resource and all its subresources.
    WithSubresources(&'p str),
    /// `*/scale`: the subresource of every resource.
    OfEveryResource(&'p str),
    /// `*/*`: only a resource or subresource that is called `*`.
    StarOnly,
    /// Nothing that a URL can name.
    Nothing,
}

impl<'p> Pattern<'p> {
    pub(crate) fn parse(text: &'p str) -> Self {
        if text == "*" {
            return Self::Everything;
        }
        match text.split_once('/') {
            None => Self::Exact(text, ""),
            Some(("*", "*")) => Self::StarOnly,
            Some((_, "")) => Self::Nothing,
            Some((_, rest)) if rest.contains('/') => Self::Nothing,
            Some(("*", subresource)) => Self::OfEveryResource(subresource),
            Some((resource, "*")) => Self::WithSubresources(resource),
            Some((resource, subresource)) => Self::Exact(resource, subresource),
        }
    }
}

/// An entry's patterns; an entry without patterns stands for everything of its group.
pub(crate) fn patterns(entry: &GroupResources) -> Vec<Pattern<'_>> {
    if entry.resources.is_empty() {
        return vec![Pattern::Everything];
    }
    entry.resources.iter().map(|text| Pattern::parse(text)).collect()
}
