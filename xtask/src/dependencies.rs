//! Every dependency is named once in the workspace manifest, used by somebody, and has its reason in
//! `docs/dependencies.md`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::manifest::{self, Package};
use crate::repository::{Problem, Repository};

const MANIFEST: &str = "Cargo.toml";
const REASONS: &str = "docs/dependencies.md";

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let packages = manifest::packages(&repository.root)?;
    let declared = declared(&repository.read(Path::new(MANIFEST))?);
    let reasons = reasons(&repository.read(Path::new(REASONS))?);
    let mut problems = without_reason(&declared, &reasons);
    problems.extend(unused(&declared, &packages));
    problems.extend(unshared(repository, &packages)?);
    Ok(problems)
}

/// A name with the line it stands on.
type Named = (String, usize);

/// External dependencies of the workspace manifest: lines `name = …` that are not paths.
fn declared(manifest: &str) -> Vec<Named> {
    let lines = manifest.lines().enumerate().skip_while(|(_, line)| *line != "[workspace.dependencies]").skip(1);
    lines
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| !line.starts_with('#') && !line.contains("path ="))
        .filter_map(|(index, line)| Some((line.split_once(" = ")?.0.to_owned(), index + 1)))
        .collect()
}

/// First cells in backticks of the tables under the heading `## Crates`.
fn reasons(page: &str) -> Vec<Named> {
    let lines = page.lines().enumerate().skip_while(|(_, line)| *line != "## Crates").skip(1);
    lines
        .take_while(|(_, line)| !line.starts_with("## "))
        .filter_map(|(index, line)| Some((line.strip_prefix("| `")?.split_once('`')?.0.to_owned(), index + 1)))
        .collect()
}

fn without_reason(declared: &[Named], reasons: &[Named]) -> Vec<Problem> {
    let missing = |known: &[Named], name: &str| !known.iter().any(|(other, _)| other == name);
    let silent = declared
        .iter()
        .filter(|(name, _)| missing(reasons, name))
        .map(|(name, line)| Problem::at(MANIFEST, *line, format!("{name} has no reason in {REASONS}")));
    let stale = reasons
        .iter()
        .filter(|(name, _)| missing(declared, name))
        .map(|(name, line)| Problem::at(REASONS, *line, format!("{name} is not a dependency of the workspace")));
    silent.chain(stale).collect()
}

fn unused(declared: &[Named], packages: &[Package]) -> Vec<Problem> {
    let used: BTreeSet<&str> =
        packages.iter().flat_map(|package| &package.dependencies).map(|dependency| dependency.name.as_str()).collect();
    let idle = declared.iter().filter(|(name, _)| !used.contains(name.as_str()));
    idle.map(|(name, line)| Problem::at(MANIFEST, *line, format!("no crate uses {name}"))).collect()
}

/// Dependencies that a member gives a version of its own.
fn unshared(repository: &Repository, packages: &[Package]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for package in packages {
        let manifest = package.manifest(&repository.root);
        let text = repository.read(manifest)?;
        let mut inside = false;
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            } else if inside && line.contains('=') && !line.starts_with('#') && !line.contains("workspace = true") {
                problems.push(Problem::at(
                    manifest,
                    index + 1,
                    "take the version from the workspace: `name.workspace = true`",
                ));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::told;

    #[test]
    fn every_dependency_has_a_reason_and_every_reason_a_dependency() {
        let manifest = "[workspace.dependencies]\n# ours\naudit = { path = \"crates/audit\" }\nserde = \"1\"\nzstd = \"0.13\"\n\n[profile.dev]\nx = 1\n";
        let page = "# D\n\n## Crates\n\n| crate | reason |\n|---|---|\n| `serde` | a |\n| `gone` | b |\n\n## Others\n\n| `go` | c |\n";
        assert_eq!(
            told(&without_reason(&declared(manifest), &reasons(page))),
            [
                "Cargo.toml:5: zstd has no reason in docs/dependencies.md",
                "docs/dependencies.md:8: gone is not a dependency of the workspace",
            ]
        );
    }
}
