//! `rules import falco`: Falco rules in our own form.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use rule::{Imported, ImportedRule, Source, import_falco};

use crate::exit;

/// Write rules of another language in our own form
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Import {
    /// Falco rules for Kubernetes audit events, as Sigma rules that match the same events
    Falco(Falco),
}

/// What changed and why stands above each rule and is told on standard error.
///
/// Exit codes: 0 every rule was written, 1 some could not be, 3 a file cannot be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct Falco {
    /// Falco rule files, in load order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Directory to write one file a rule to; `-` writes all to standard output
    #[arg(short, long, default_value = "-", value_name = "DIR")]
    output: PathBuf,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Falco(falco) => falco.run(),
        }
    }
}

impl Falco {
    fn run(self) -> anyhow::Result<ExitCode> {
        let sources: Vec<Source> = self.files.iter().map(|path| source(path)).collect::<anyhow::Result<_>>()?;
        let imported = import_falco(&sources);
        if self.output.as_os_str() == "-" {
            let texts: Vec<&str> = imported.rules.iter().map(|rule| rule.yaml.as_str()).collect();
            anstream::stdout().write_all(texts.join("---\n").as_bytes())?;
        } else {
            write_files(&self.output, &imported.rules)?;
        }
        report(&imported)?;
        Ok(exit::found(imported.left_out.is_empty()))
    }
}

fn source(path: &Path) -> anyhow::Result<Source> {
    let bytes = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()).map(String::into_bytes),
        false => std::fs::read(path),
    };
    let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Source::new(path.display().to_string(), String::from_utf8_lossy(&bytes)))
}

/// One file a rule, named after it. A file that is there already is not overwritten.
fn write_files(directory: &Path, rules: &[ImportedRule]) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut names: HashMap<&str, usize> = HashMap::new();
    for rule in rules {
        let count = names.entry(&rule.name).or_default();
        *count += 1;
        let name = if *count == 1 { format!("{}.yml", rule.name) } else { format!("{}-{count}.yml", rule.name) };
        let path = directory.join(name);
        let file = std::fs::File::create_new(&path);
        file.and_then(|mut file| file.write_all(rule.yaml.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn report(imported: &Imported) -> std::io::Result<()> {
    let mut out = anstream::stderr().lock();
    for problem in &imported.problems {
        writeln!(out, "{problem}")?;
    }
    for rule in &imported.rules {
        writeln!(out, "{}", rule.title)?;
        rule.changes.iter().try_for_each(|change| writeln!(out, "  {}", change.trim_end()))?;
    }
    for (name, reason) in &imported.left_out {
        writeln!(out, "{name}\n  left out: {reason}")?;
    }
    writeln!(
        out,
        "{} rules written, {} left out. Falco may report the first rule that matches; here every rule does.",
        imported.rules.len(),
        imported.left_out.len()
    )
}
