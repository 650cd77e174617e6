//! Reference pages that the binary writes about itself stay what it writes.

use std::path::Path;
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
    let mut problems = Vec::new();
    for reference in REFERENCES {
        let page = Path::new(reference.page);
        match reference.print(repository) {
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
    for reference in REFERENCES {
        let path = repository.root.join(reference.page);
        std::fs::write(&path, reference.print(repository)?).with_context(|| reference.page)?;
        println!("{}", reference.page);
    }
    Ok(())
}

impl Reference {
    fn print(&self, repository: &Repository) -> Result<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["run", "--quiet", "--package", "kubewitness", "--"])
            .args(self.arguments)
            .current_dir(&repository.root)
            .output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubewitness {}: {}", self.arguments.join(" "), errors.trim_end());
        Ok(String::from_utf8(output.stdout)?)
    }
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
