//! Field modifiers: what stands behind `|` in a field name.

use crate::condition::{Case, Order, TimePart};
use crate::problem::{Fault, Place};

use super::text::Utf16;

/// What a value is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
    Regex,
    Cidr,
    Exists,
    Number(Order),
}

/// How the values of a test become others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewriting {
    Base64,
    Base64Offset,
    Utf16(Utf16),
    Windash,
}

/// All modifiers of one field, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modifiers {
    pub(super) comparison: Comparison,
    pub(super) case: Case,
    pub(super) links: Links,
    pub(super) negated: bool,
    pub(super) expands: bool,
    pub(super) refers: bool,
    pub(super) time: Option<TimePart>,
    pub(super) rewritings: Vec<Rewriting>,
    /// Inline flags of a regular expression.
    pub(super) flags: String,
}

/// Which of the listed values must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Any,
    All,
    /// Ours: every value of the field must fit one of the list.
    Within,
}

const NAMES: [&str; 34] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "within",
    "exists",
    "cased",
    "neq",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "lt",
    "lte",
    "gt",
    "gte",
    "base64",
    "base64offset",
    "utf16",
    "utf16le",
    "utf16be",
    "wide",
    "windash",
    "expand",
    "fieldref",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "ignorecase",
    "multiline",
];

impl Modifiers {
    pub(super) fn parse(names: &[&str], place: Place) -> Result<Self, Fault> {
        let mut modifiers = Self {
            comparison: Comparison::Equals,
            case: Case::Folded,
            links: Links::Any,
            negated: false,
            expands: false,
            refers: false,
            time: None,
            rewritings: Vec::new(),
            flags: String::new(),
        };
        for name in names {
            modifiers.add(name, place)?;
        }
        modifiers.check(place)?;
        Ok(modifiers)
    }

    fn add(&mut self, name: &str, place: Place) -> Result<(), Fault> {
        match name {
            "contains" => self.compare_by(Comparison::Contains, place)?,
            "startswith" => self.compare_by(Comparison::StartsWith, place)?,
            "endswith" => self.compare_by(Comparison::EndsWith, place)?,
            "re" => self.compare_by(Comparison::Regex, place)?,
            "cidr" => self.compare_by(Comparison::Cidr, place)?,
            "exists" => self.compare_by(Comparison::Exists, place)?,
            "lt" => self.compare_by(Comparison::Number(Order::Less), place)?,
            "lte" => self.compare_by(Comparison::Number(Order::LessOrEqual), place)?,
            "gt" => self.compare_by(Comparison::Number(Order::Greater), place)?,
            "gte" => self.compare_by(Comparison::Number(Order::GreaterOrEqual), place)?,
            "all" => self.links = Links::All,
            "within" => self.links = Links::Within,
            "cased" => self.case = Case::Exact,
            "neq" => self.negated = true,
            "expand" => self.expands = true,
            "fieldref" => self.refers = true,
            "i" | "ignorecase" => self.flags.push('i'),
            "m" | "multiline" => self.flags.push('m'),
            "s" | "dotall" => self.flags.push('s'),
            "base64" => self.rewritings.push(Rewriting::Base64),
            "base64offset" => self.rewritings.push(Rewriting::Base64Offset),
            "utf16" => self.rewritings.push(Rewriting::Utf16(Utf16::Marked)),
            "utf16le" | "wide" => self.rewritings.push(Rewriting::Utf16(Utf16::Little)),
            "utf16be" => self.rewritings.push(Rewriting::Utf16(Utf16::Big)),
            "windash" => self.rewritings.push(Rewriting::Windash),
            "minute" => self.time = Some(TimePart::Minute),
            "hour" => self.time = Some(TimePart::Hour),
            "day" => self.time = Some(TimePart::Day),
            "week" => self.time = Some(TimePart::Week),
            "month" => self.time = Some(TimePart::Month),
            "year" => self.time = Some(TimePart::Year),
            other => return Err(Fault::error(place, format!("unknown modifier `{other}`")).nearest(other, NAMES)),
        }
        Ok(())
    }

    fn compare_by(&mut self, comparison: Comparison, place: Place) -> Result<(), Fault> {
        if self.comparison != Comparison::Equals {
            return Err(Fault::error(place, "more than one modifier says how to compare"));
        }
        self.comparison = comparison;
        Ok(())
    }

    fn check(&self, place: Place) -> Result<(), Fault> {
        let needs_text = matches!(
            self.comparison,
            Comparison::Equals | Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith
        );
        if !self.flags.is_empty() && self.comparison != Comparison::Regex {
            return Err(Fault::error(place, "`i`, `m` and `s` are flags of `re`"));
        }
        if self.links == Links::Within && (!needs_text || self.refers || !self.rewritings.is_empty()) {
            return Err(Fault::error(place, "`within` compares as text"));
        }
        if !self.rewritings.is_empty() && !needs_text {
            return Err(Fault::error(place, "a modifier that encodes the value needs a comparison of text"));
        }
        if self.refers
            && (!needs_text || !self.rewritings.is_empty())
            && !matches!(self.comparison, Comparison::Number(_))
        {
            return Err(Fault::error(place, "`fieldref` compares as text or number only"));
        }
        if self.time.is_some() && !matches!(self.comparison, Comparison::Equals | Comparison::Number(_)) {
            return Err(Fault::error(place, "a part of a time is compared as a number"));
        }
        let utf16 = self.rewritings.iter().position(|r| matches!(r, Rewriting::Utf16(_)));
        let base64 = self.rewritings.iter().position(|r| matches!(r, Rewriting::Base64 | Rewriting::Base64Offset));
        match (utf16, base64) {
            (Some(_), None) => {
                Err(Fault::error(place, "a UTF-16 modifier must be followed by `base64` or `base64offset`"))
            }
            (Some(utf16), Some(base64)) if base64 < utf16 => {
                Err(Fault::error(place, "a UTF-16 modifier must stand before `base64` or `base64offset`"))
            }
            _ => Ok(()),
        }
    }
}
