//! Reference pages that the binary writes about itself stay what it writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::repository::{Problem, Repository};

/// A page and the arguments of `kubewitness` that print it.
struct Reference {
    page: &'static str,
    arguments: &'static [&'static str],
}

/// Every generated page.
const REFERENCES: &[Reference] = &[
    Reference { page: "docs/cli.md", arguments: &["docs", "cli"] },
    Reference { page: "docs/configuration.md", arguments: &["docs", "config"] },
];

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let binary = build(repository)?;
    let mut problems = Vec::new();
    for reference in REFERENCES {
        let page = Path::new(reference.page);
        match reference.print(&binary) {
            Err(error) => {
                problems.push(Problem::of(page, format!("cannot be generated: {error:#}")));
            }
            Ok(fresh) => problems.extend(stale(repository, page, &fresh)?),
        }
    }
    Ok(problems)
}

/// Writes all pages anew.
pub(crate) fn write(repository: &Repository) -> Result<()> {
    let binary = build(repository)?;
    for reference in REFERENCES {
        let path = repository.root.join(reference.page);
        std::fs::write(&path, reference.print(&binary)?).with_context(|| reference.page)?;
        println!("{}", reference.page);
    }
    Ok(())
}

impl Reference {
    fn print(&self, binary: &Path) -> Result<String> {
        let output = Command::new(binary).args(self.arguments).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubewitness {}: {}", self.arguments.join(" "), errors.trim_end());
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The binary as it is now. It is built as a part of the workspace: alone, its dependencies would have other features, and
/// all of them would be built a second time beside those of the tests.
fn build(repository: &Repository) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bin", "kubewitness"])
        .current_dir(&repository.root)
        .status()?;
    ensure!(built.success(), "cargo build: {built}");
    Ok(std::env::current_exe()?.with_file_name(format!("kubewitness{}", std::env::consts::EXE_SUFFIX)))
}

fn stale(repository: &Repository, page: &Path, fresh: &str) -> Result<Option<Problem>> {
    const REMEDY: &str = "run `cargo xtask generate`";
    if !repository.holds(page) {
        return Ok(Some(Problem::of(page, format!("is missing; {REMEDY}"))));
    }
    let kept = repository.read(page)?;
    if kept == fresh {
        return Ok(None);
    }
    let common = kept.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
    Ok(Some(Problem::at(page, common + 1, format!("differs from what the binary prints; {REMEDY}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::sample;

    #[test]
    fn the_first_line_that_differs_is_named() {
        let (_dir, repository) = sample(&[("docs/cli.md", "a\nb\nc\n")]);
        let page = Path::new("docs/cli.md");
        assert!(stale(&repository, page, "a\nb\nc\n").unwrap().is_none());
        let problem = stale(&repository, page, "a\nx\nc\n").unwrap().unwrap();
        assert!(problem.to_string().starts_with("docs/cli.md:2: differs"));
        assert!(stale(&repository, Path::new("docs/none.md"), "").unwrap().is_some());
    }
}
