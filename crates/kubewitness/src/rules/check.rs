//! `rules check`: what does not load, what can never match.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rule::{Loaded, Options, Problem, RuleSet, Severity};
use serde_json::json;

use crate::exit;
use crate::rulesets::load_files;

/// Exit codes: 0 nothing wrong, 1 a rule does not load or can never match, 3 a file cannot be read.
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
        let set = RuleSet::compile(loaded, Options::default());
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Text => text(&mut out, &set)?,
            Output::Json => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&set.problems().iter().map(object).collect::<Vec<_>>())?
            )?,
            Output::Github => set.problems().iter().try_for_each(|problem| writeln!(out, "{}", annotation(problem)))?,
        }
        let least = if self.strict { Severity::Warning } else { Severity::Error };
        let wrong = set.problems().iter().any(|problem| problem.severity >= least);
        Ok(exit::found(!wrong))
    }
}

fn text(out: &mut impl std::io::Write, set: &RuleSet) -> std::io::Result<()> {
    set.problems().iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
    let count = |severity| set.problems().iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    writeln!(
        out,
        "{} rules and {} correlations load; {errors} errors, {warnings} warnings",
        set.rules().len(),
        set.correlations().len()
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
