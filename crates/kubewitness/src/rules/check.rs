//! `rules check`: what does not load, what can never match.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rule::{Difference, Loaded, Options, Problem, RuleSet, Severity};
use serde_json::json;

use crate::exit;
use crate::rulesets::{WhichMatches, load_files};

/// Errors are rules that do not load, can never match or name a field that no event has; warnings are what is probably a
/// mistake; notes tell what is read in another way than it is written, which parts of a rule can never match, and where a
/// Falco rule natively means something else than in Falco (see `scan --parity`).
///
/// Exit codes: 0 nothing wrong, 1 an error (with --strict: or a warning), 3 a file cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Rule files and directories, Sigma or Falco; without any, the built-in rules
    paths: Vec<PathBuf>,
    /// Output
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    /// Exit with 1 for warnings as well
    #[arg(long)]
    strict: bool,
    /// Falco rules: with `first`, those that never report because an earlier one always does are errors, not notes
    #[arg(long, value_enum, default_value = "all", value_name = "WHICH")]
    matching: WhichMatches,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    /// Annotations of a GitHub workflow
    Github,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let loaded: Loaded = if self.paths.is_empty() { rule::load_builtin() } else { load_files(&self.paths)? };
        let set = RuleSet::compile(loaded, Options { matching: self.matching.into(), ..Options::default() });
        let problems = problems(&set);
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Text => text(&mut out, &set, &problems)?,
            Output::Json => {
                let objects: Vec<_> = problems.iter().map(object).collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&objects)?)?;
            }
            Output::Github => problems.iter().try_for_each(|problem| writeln!(out, "{}", annotation(problem)))?,
        }
        let least = if self.strict { Severity::Warning } else { Severity::Error };
        Ok(exit::found(problems.iter().all(|problem| problem.severity < least)))
    }
}

/// What loading, the linter and the comparison with Falco say, in the order of the files.
fn problems(set: &RuleSet) -> Vec<Problem> {
    let difference = |difference: Difference| {
        let rule = set.rule(difference.rule);
        Problem {
            file: rule.meta.file.clone(),
            place: rule.meta.place,
            severity: Severity::Note,
            what: format!("`{}` is not as in Falco: {}", rule.meta.title, difference.what),
            hint: None,
        }
    };
    let mut problems = set.problems().to_vec();
    problems.extend(set.check());
    problems.extend(set.differences().into_iter().map(difference));
    problems.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
    problems
}

fn text(out: &mut impl std::io::Write, set: &RuleSet, problems: &[Problem]) -> std::io::Result<()> {
    problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let (rules, correlations) = (set.rules().len(), set.correlations().len());
    writeln!(
        out,
        "{rules} rules and {correlations} correlations load; {errors} errors, {warnings} warnings, {notes} notes"
    )
}

fn object(problem: &Problem) -> serde_json::Value {
    json!({
        "file": problem.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "severity": problem.severity.to_string(),
        "what": problem.what,
        "hint": problem.hint,
    })
}

fn annotation(problem: &Problem) -> String {
    let kind = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let text = problem.what.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    format!("::{kind} file={},line={},col={}::{text}", problem.file, problem.place.line, problem.place.column)
}
