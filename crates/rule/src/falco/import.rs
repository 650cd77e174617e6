//! Falco rules written in our own form: Sigma, with what changed said at the top of each.

use std::collections::BTreeSet;

use super::collect::{Collected, RawRule};
use super::detection::{self, quoted};
use super::resolve::Resolver;
use crate::problem::{Problem, Source};
use crate::rule::{Level, Rule};

/// The rules of Falco files in our own form.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// The rules that could be written, in load order.
    pub rules: Vec<ImportedRule>,
    /// Those that could not, with the reason: name, reason.
    pub left_out: Vec<(String, String)>,
    /// What is wrong with the files.
    pub problems: Vec<Problem>,
}

/// One rule in our own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRule {
    /// Name in Falco; the title here.
    pub title: String,
    /// Name for a file: lower-case words with hyphens. Two rules may share one.
    pub name: String,
    /// What is not as it was, and why, in sentences.
    pub changes: Vec<String>,
    /// The text of the rule.
    pub yaml: String,
}

/// Writes the rules of Falco files, in this order, as Sigma rules that match the same events.
pub fn import_falco(sources: &[Source]) -> Imported {
    let mut collected = Collected::default();
    for source in sources {
        collected.add(source);
    }
    let mut imported = Imported::default();
    let mut problems = std::mem::take(&mut collected.problems);
    let resolver = Resolver::new(&collected, &mut problems);
    for raw in &collected.rules.items {
        let outcome = match resolver.rule(raw) {
            Ok(rule) => written(raw, &rule, &resolver),
            Err(problem) => Err(problem.what),
        };
        match outcome {
            Ok(rule) => imported.rules.push(rule),
            Err(reason) => imported.left_out.push((raw.name.clone(), reason)),
        }
    }
    imported.problems = problems;
    imported
}

fn written(raw: &RawRule, rule: &Rule, resolver: &Resolver<'_>) -> Result<ImportedRule, String> {
    if raw.source != super::SOURCE {
        return Err(format!("its source is `{}`, not {}", raw.source, super::SOURCE));
    }
    if !raw.enabled {
        return Err("it is switched off".to_owned());
    }
    let detection = detection::of(&rule.condition)?;
    let mut changes = changes(raw, rule, resolver);
    changes.extend(detection.remarks.iter().map(|remark| format!("Not exactly the same: {remark}.")));
    let name = slug(&raw.name);
    let mut yaml = format!("# Imported from Falco rules: {}, line {}.\n", file_name(&raw.file), raw.place.line);
    changes.iter().for_each(|change| yaml.push_str(&format!("# {}\n", one_line(change))));
    yaml.push_str(&format!("title: {}\nid: {}\nname: {name}\nstatus: test\n", quoted(&raw.name), id(&raw.name)));
    yaml.push_str(&format!("description: {}\n", quoted(&one_line(&rule.meta.description))));
    let tags = rule.meta.tactics.iter().cloned().chain(rule.meta.techniques.iter().map(|id| id.to_lowercase()));
    let tags: Vec<String> = tags.map(|tag| format!("  - attack.{tag}\n")).collect();
    if !tags.is_empty() {
        yaml.push_str(&format!("tags:\n{}", tags.concat()));
    }
    yaml.push_str("logsource:\n  product: kubernetes\n  service: audit\ndetection:\n");
    yaml.push_str(&detection.to_yaml());
    yaml.push_str(&format!("level: {}\n", rule.meta.level.name()));
    Ok(ImportedRule { title: raw.name.clone(), name, changes, yaml })
}

fn changes(raw: &RawRule, rule: &Rule, resolver: &Resolver<'_>) -> Vec<String> {
    let mut changes = Vec::new();
    let (macros, lists) = resolver.parts_of(raw);
    let mut put_in = |what: &str, names: &BTreeSet<&str>| {
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().copied().collect();
            changes.push(format!("Its {what} stand in it, since a rule here stands alone: {}.", names.join(", ")));
        }
    };
    put_in("macros", &macros);
    put_in("lists", &lists);
    if raw.exceptions.iter().any(|exception| exception.has_values()) {
        changes.push("Its exceptions are part of the condition, as `and not`.".to_owned());
    }
    changes.push("Values are compared with `cased`, since Falco tells upper from lower case.".to_owned());
    let priority = rule.priority().map_or("", |priority| priority.name());
    if !Level::ALL.iter().any(|level| level.name().eq_ignore_ascii_case(priority)) {
        changes.push(format!("Its priority {priority} is the level {} here.", rule.meta.level.name()));
    }
    changes.push(format!("A finding tells its own story; the output was: {}", raw.output.text));
    changes
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Text without line breaks or control characters, for a comment or a description.
fn one_line(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-case words with hyphens.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "rule".to_owned() } else { slug }
}

/// A UUID of version 8 that is the same for the same name.
fn id(name: &str) -> String {
    /// FNV-1a, 64 bits.
    fn hash(text: &str) -> u64 {
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
    let (high, low) = (hash(&format!("falco {name}")), hash(&format!("ours {name}")));
    let (high, low) = (high & !0xf000 | 0x8000, low & !(0b11 << 62) | 0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
