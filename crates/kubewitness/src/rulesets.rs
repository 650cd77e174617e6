//! Which rules run: the built-in ones and files of Sigma and Falco rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rule::{Fidelity, Loaded, Matching, Options, RuleSet, Source};

/// The choice of rules that `scan` and `rules` share.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Choice {
    /// Rule file or directory, Sigma or Falco; can be given several times
    #[arg(long = "rules", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Leave the built-in rules out
    #[arg(long)]
    pub(crate) no_builtin: bool,
    /// Falco rules: report the first rule that matches an event, or all
    #[arg(long, value_enum, default_value = "all", value_name = "WHICH")]
    pub(crate) matching: WhichMatches,
    /// Falco rules: evaluate as Falco itself does, its known defects included
    #[arg(long)]
    pub(crate) parity: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WhichMatches {
    First,
    All,
}

impl From<WhichMatches> for Matching {
    fn from(which: WhichMatches) -> Self {
        match which {
            WhichMatches::First => Self::First,
            WhichMatches::All => Self::All,
        }
    }
}

impl Choice {
    /// Loads and compiles the rules. Files that cannot be read are an error; what is wrong inside them is among
    /// [`RuleSet::problems`].
    pub(crate) fn compile(&self) -> anyhow::Result<Arc<RuleSet>> {
        let mut loaded = if self.no_builtin { Loaded::default() } else { rule::load_builtin() };
        loaded.extend(load_files(&self.paths)?);
        let options = Options {
            matching: self.matching.into(),
            fidelity: if self.parity { Fidelity::Parity } else { Fidelity::Native },
        };
        Ok(Arc::new(RuleSet::compile(loaded, options)))
    }
}

/// Loads files and directories, Sigma and Falco alike. Falco files are one load in the order given, since a later one
/// changes what an earlier one said.
pub(crate) fn load_files(paths: &[PathBuf]) -> anyhow::Result<Loaded> {
    let (mut loaded, mut falco) = (Loaded::default(), Vec::new());
    for path in paths {
        let mut files = Vec::new();
        rule_files(path, &mut files).with_context(|| format!("cannot read rules {}", path.display()))?;
        for file in files {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read rules {}", file.display()))?;
            let source = Source::new(file.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
            match is_falco(&source.text) {
                true => falco.push(source),
                false => loaded.extend(rule::load_sigma(&source)),
            }
        }
    }
    if !falco.is_empty() {
        loaded.extend(rule::load_falco(&falco));
    }
    Ok(loaded)
}

/// A file as it is; of a directory all `.yml` and `.yaml` files below it, in name order.
fn rule_files(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let is_rule = entry.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        if is_rule || (entry.is_dir() && !entry.is_symlink()) {
            rule_files(&entry, files)?;
        }
    }
    Ok(())
}

/// Falco's files are lists of items; Sigma's are mappings.
fn is_falco(text: &str) -> bool {
    let first =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with(['#', '%']) && line.trim() != "---");
    first.is_some_and(|line| line.trim_start().starts_with("- ") || line.trim_start().starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_language() {
        assert!(is_falco("# comment\n\n- required_engine_version: 15\n"));
        assert!(is_falco("---\n- macro: kevt\n"));
        assert!(!is_falco("title: A\nid: b\n"));
        assert!(!is_falco("---\ntitle: A\n"));
        assert!(!is_falco(""));
    }
}
