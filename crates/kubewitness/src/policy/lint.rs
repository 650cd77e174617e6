//! `kubewitness policy lint`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use policy::{LintOptions, ServerVersion, Severity};
use serde_json::{Value, json};

use super::input;
use super::render::{self, FileIssues};
use crate::exit;

/// Exit codes: 0 clean, 1 issues at or above --fail-on or a document that does not load, 2 wrong command line,
/// 3 a file cannot be read or written.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Policy files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only load, as the API server would: what it accepts, refuses and warns about
    #[arg(long)]
    load_only: bool,
    /// Repair what can be repaired, leaving comments and layout alone (standard input goes to standard output)
    #[arg(long, conflicts_with = "load_only")]
    fix: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// API server that shall load the policy, 1.23 to 1.37
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
    /// What the cluster serves: output of `kubectl api-resources`
    #[arg(long, value_name = "FILE")]
    api_resources: Option<PathBuf>,
    /// Least severity that makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Warning)]
    fail_on: FailOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
    Sarif,
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Note,
    Warning,
    Error,
    Never,
}

impl FailOn {
    fn is_reached(self, severity: Severity) -> bool {
        match self {
            Self::Note => true,
            Self::Warning => severity >= Severity::Warning,
            Self::Error => severity >= Severity::Error,
            Self::Never => false,
        }
    }
}

/// A linted file.
struct Linted {
    issues: FileIssues,
    /// The server's answer: `ok`, `error`, `warning`, `policy`.
    load: Value,
    loads: bool,
}

impl Lint {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let options = self.options()?;
        let linted: Vec<Linted> =
            self.files.iter().map(|file| self.file(file, &options)).collect::<anyhow::Result<_>>()?;
        let failed = linted.iter().any(|file| {
            !file.loads || file.issues.issues.iter().any(|issue| self.fail_on.is_reached(issue.lint.severity))
        });
        self.print(linted)?;
        Ok(exit::found(!failed))
    }

    fn options(&self) -> anyhow::Result<LintOptions> {
        let api = input::api(self.api_resources.as_deref(), self.server_version)?;
        Ok(LintOptions { server: self.server_version, api })
    }

    fn file(&self, path: &PathBuf, options: &LintOptions) -> anyhow::Result<Linted> {
        let mut bytes = input::document(path)?;
        let mut fixed = Vec::new();
        if self.fix {
            let text = std::str::from_utf8(&bytes)
                .with_context(|| format!("{} is not UTF-8: convert it before fixing it", path.display()))?;
            let (text, issues) = policy::fix(text.trim_start_matches('\u{feff}'), options);
            fixed = issues;
            if input::is_stdin(path) {
                anstream::stdout().write_all(text.as_bytes())?;
            } else if text.as_bytes() != bytes {
                std::fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            }
            bytes = text.into_bytes();
        }
        let (loaded, issues) = if self.load_only {
            (policy::load(&bytes, self.server_version), Vec::new())
        } else {
            let report = policy::lint(&bytes, options);
            (report.loaded, report.issues)
        };
        let mut load = json!({"ok": loaded.policy.is_ok()});
        match &loaded.policy {
            Ok(policy) => load["policy"] = serde_json::from_str(&policy.to_json())?,
            Err(error) => load["error"] = json!(error.to_string()),
        }
        if let Some(warning) = &loaded.warning {
            load["warning"] = json!(warning);
        }
        let file = path.display().to_string();
        Ok(Linted { issues: FileIssues { file, issues, fixed }, load, loads: loaded.policy.is_ok() })
    }

    fn print(&self, linted: Vec<Linted>) -> anyhow::Result<()> {
        let to_stdout = self.fix && self.files.iter().any(|file| input::is_stdin(file));
        let mut out: Box<dyn std::io::Write> =
            if to_stdout { Box::new(anstream::stderr()) } else { Box::new(anstream::stdout()) };
        if self.output == Output::Json {
            for file in &linted {
                writeln!(out, "{}", self.json(file))?;
            }
            return Ok(());
        }
        if self.load_only && self.output == Output::Text {
            for file in &linted {
                load_text(file, &mut *out)?;
            }
            return Ok(());
        }
        let files: Vec<FileIssues> = linted.into_iter().map(|file| file.issues).collect();
        match self.output {
            Output::Sarif => writeln!(out, "{:#}", render::sarif(&files))?,
            Output::Github => render::github(&files, &mut *out)?,
            Output::Text | Output::Json => render::text(&files, &mut *out)?,
        }
        Ok(())
    }

    fn json(&self, file: &Linted) -> Value {
        let mut value = file.load.clone();
        if self.files.len() > 1 || !self.load_only {
            value["file"] = json!(file.issues.file);
        }
        if !self.load_only {
            let list = |issues: &[policy::Issue]| issues.iter().map(render::issue_json).collect::<Vec<_>>();
            value["issues"] = json!(list(&file.issues.issues));
            if self.fix {
                value["fixed"] = json!(list(&file.issues.fixed));
            }
        }
        value
    }
}

fn load_text(file: &Linted, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let name = &file.issues.file;
    if let Some(warning) = file.load["warning"].as_str() {
        writeln!(out, "{name}: warning: Audit policy contains errors, falling back to lenient decoding: {warning}")?;
    }
    match file.load["error"].as_str() {
        Some(error) => writeln!(out, "{name}: error: loading audit policy file: {error}: from file {name}"),
        None => writeln!(out, "{name}: ok"),
    }
}
