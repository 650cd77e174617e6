//! `rules show` and `rules explain`.

use std::io::Write;
use std::process::ExitCode;

use rule::{Condition, RuleSet};

use super::{Entry, Kind, compile, find, text_of};
use crate::rulesets::Choice;

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Id, name or title of the rule
    rule: String,
    #[command(flatten)]
    rules: Choice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// Id, name or title of the rule
    rule: String,
    #[command(flatten)]
    rules: Choice,
}

impl Show {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let entry = find(&set, &self.rule)?;
        let mut out = anstream::stdout().lock();
        writeln!(out, "# {}", entry.file)?;
        out.write_all(text_of(entry.file)?.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let entry = find(&set, &self.rule)?;
        tell(&mut anstream::stdout().lock(), &set, &entry)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(out: &mut impl Write, set: &RuleSet, entry: &Entry<'_>) -> std::io::Result<()> {
    writeln!(out, "{} [{}]\n", entry.title, entry.level.name())?;
    if !entry.description.trim().is_empty() {
        writeln!(out, "{}\n", entry.description.trim())?;
    }
    match entry.kind {
        Kind::Rule(rule) => {
            writeln!(out, "It matches when:")?;
            condition(out, &rule.condition, 1)?;
            needs(out, rule)?;
        }
        Kind::Correlation(correlation) => {
            writeln!(out, "It is a correlation ({}) of: {}", correlation.kind.name(), correlation.rules.join(", "))?;
            writeln!(out, "  within {} s, by {}", correlation.timespan_seconds, list(&correlation.group_by))?;
            for (order, bound) in &correlation.bounds.0 {
                writeln!(out, "  when the number is {} {bound}", order.sign())?;
            }
        }
    }
    section(out, "ATT&CK", entry.techniques)?;
    section(out, "What makes it a false alarm", entry.false_positives)?;
    if !entry.extension.containment.trim().is_empty() {
        writeln!(out, "\nContainment:\n  {}", entry.extension.containment.trim().replace('\n', "\n  "))?;
    }
    section(out, "References", entry.references)?;
    let problems = set.problems().iter().filter(|problem| problem.file == entry.file);
    problems.into_iter().try_for_each(|problem| writeln!(out, "\n{problem}"))
}

fn needs(out: &mut impl Write, rule: &rule::Rule) -> std::io::Result<()> {
    let level = rule.needs.level.map_or("any", audit::Level::name);
    let stages: Vec<String> = rule.needs.stages.iter().map(|stage| stage.name().to_owned()).collect();
    let stages = if stages.is_empty() { "the last of a request".to_owned() } else { stages.join(", ") };
    writeln!(out, "\nNeeds: audit level {level}, stage {stages}")?;
    writeln!(out, "Reads: {}", list(&rule.needs.fields))
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn section(out: &mut impl Write, title: &str, lines: &[String]) -> std::io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}:")?;
    lines.iter().try_for_each(|line| writeln!(out, "  - {line}"))
}

/// The condition as an indented tree. Conditions are bounded in depth when they are loaded.
fn condition(out: &mut impl Write, tree: &Condition, depth: usize) -> std::io::Result<()> {
    let pad = "  ".repeat(depth);
    let (word, parts): (&str, &[Condition]) = match tree {
        Condition::All(parts) => ("all of", parts),
        Condition::Any(parts) => ("any of", parts),
        Condition::Not(inner) => ("not", std::slice::from_ref(&**inner)),
        Condition::Test(predicate) => {
            return writeln!(out, "{pad}{} {}", predicate.field.name(), rule::test_in_words(&predicate.test));
        }
        Condition::Always(truth) => return writeln!(out, "{pad}always {truth:?}"),
    };
    if let [only] = parts
        && word != "not"
    {
        return condition(out, only, depth);
    }
    writeln!(out, "{pad}{word}")?;
    parts.iter().try_for_each(|part| condition(out, part, depth + 1))
}
