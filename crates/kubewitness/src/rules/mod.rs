//! `kubewitness rules`: look at rules, check them, test them, and try them on what was recorded.

mod backtest;
mod check;
mod coverage;
mod import;
mod list;
mod show;
mod test;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rule::{Dictionary, Emission, Meta, RuleRef, RuleSet, Source};

use crate::rulesets::Choice;

/// Look at detection rules, check, test and back-test them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Rules {
    /// List the rules, the gravest first
    List(list::List),
    /// Print the text of a rule
    Show(show::Show),
    /// Tell what a rule looks for, in words
    Explain(show::Explain),
    /// Check rule files: what does not load, what can never match
    Check(check::Check),
    /// Run the tests that rules carry
    Test(test::Test),
    /// Show which techniques and ideas the rules cover
    Coverage(coverage::Coverage),
    /// Run rules over recorded events: how often, whom it would wake, what it costs
    Backtest(backtest::Backtest),
    #[command(subcommand)]
    Import(import::Import),
}

impl Rules {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Explain(explain) => explain.run(),
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::Coverage(coverage) => coverage.run(),
            Self::Backtest(backtest) => backtest.run(),
            Self::Import(import) => import.run(),
        }
    }
}

/// A rule or a correlation, as far as they say the same things.
struct Entry<'s> {
    meta: &'s Meta,
    /// Title and description, in the reader's language once they are translated.
    title: &'s str,
    description: &'s str,
    kind: Kind<'s>,
    role: Role,
}

impl<'s> Entry<'s> {
    fn of(meta: &'s Meta, kind: Kind<'s>, role: Role) -> Self {
        Self { meta, title: &meta.title, description: &meta.description, kind, role }
    }

    /// Title and description in another language, if there is a translation.
    fn translate(&mut self, dictionary: Option<&'s Dictionary>) {
        if let Some(told) = dictionary.and_then(|dictionary| dictionary.rule(&self.meta.id)) {
            (self.title, self.description) = (&told.title, &told.description);
        }
    }
}

#[derive(Clone, Copy)]
enum Kind<'s> {
    Rule(&'s rule::Rule),
    Correlation(&'s rule::Correlation),
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It makes findings.
    Rule,
    /// It only feeds correlations.
    Part,
}

/// Rules and correlations, the gravest first, then by title.
fn entries(set: &RuleSet) -> Vec<Entry<'_>> {
    let role = |rule| match set.emission(rule) {
        Emission::Finding => Role::Rule,
        Emission::CorrelationOnly => Role::Part,
    };
    let rules = (0u32..).map(RuleRef).zip(set.rules());
    let rules = rules.map(|(at, rule)| Entry::of(&rule.meta, Kind::Rule(rule), role(at)));
    let correlations = set.correlations().iter().map(|of| Entry::of(&of.meta, Kind::Correlation(of), Role::Rule));
    let mut entries: Vec<_> = rules.chain(correlations).collect();
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.meta.level), entry.title));
    entries
}

/// Finds an entry by id, name, title or the name of its file; the error names the nearest.
fn find<'s>(set: &'s RuleSet, wanted: &str) -> anyhow::Result<Entry<'s>> {
    let is = |entry: &Entry<'_>| {
        entry.meta.id.eq_ignore_ascii_case(wanted)
            || entry.meta.name.as_deref() == Some(wanted)
            || entry.title.eq_ignore_ascii_case(wanted)
    };
    let mut all = entries(set);
    let speaks_for_file =
        |entry: &Entry<'_>| stem(&entry.meta.file) == wanted && !entry.meta.extension.tests.is_empty();
    if let Some(at) = all.iter().position(is).or_else(|| all.iter().position(speaks_for_file)) {
        return Ok(all.swap_remove(at));
    }
    let names = |entry: &Entry<'s>| [entry.meta.name.as_deref(), Some(entry.title), Some(stem(&entry.meta.file))];
    let near = all.iter().flat_map(names).flatten();
    let nearest = near.max_by(|a, b| strsim::jaro_winkler(a, wanted).total_cmp(&strsim::jaro_winkler(b, wanted)));
    match nearest {
        Some(nearest) => anyhow::bail!("no rule `{wanted}`; did you mean `{nearest}`?"),
        None => anyhow::bail!("no rule `{wanted}`: no rules are loaded"),
    }
}

/// The name of a file without folders and extension.
fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(OsStr::to_str).unwrap_or_default()
}

/// The text of a rule file: a built-in one, or one on disk.
fn text_of(file: &str) -> anyhow::Result<String> {
    let builtin: Option<&Source> = rule::builtin().iter().find(|source| source.name == file);
    match builtin {
        Some(source) => Ok(source.text.to_string()),
        None => Ok(std::fs::read_to_string(file)?),
    }
}

fn compile(choice: &Choice) -> anyhow::Result<Arc<RuleSet>> {
    choice.compile()
}
