//! Whose work is in here: the licence of the product, and a notice beside all recorded data.

use std::path::Path;

use anyhow::Result;

use crate::manifest;
use crate::repository::{Problem, Repository};

const LICENSE: &str = "Apache-2.0";

/// Names of folders that hold recorded data.
const DATA_FOLDERS: &[&str] = &["data", "testdata"];

/// How the name of a file that says where data comes from may begin.
const NOTICES: &[&str] = &["README", "PROVENANCE", "LICENSE", "NOTICE"];

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !repository.holds(Path::new("LICENSE")) {
        problems.push(Problem::of("LICENSE", "is missing"));
    }
    for package in manifest::packages(&repository.root)? {
        let manifest = package.manifest(&repository.root);
        if package.license.as_deref() != Some(LICENSE) {
            problems.push(Problem::of(manifest, "the licence is not the workspace's: `license.workspace = true`"));
        }
        if package.description.is_none() {
            problems.push(Problem::of(manifest, "has no description"));
        }
    }
    problems.extend(without_notice(repository));
    Ok(problems)
}

/// Recorded files with no notice in their folder or in one between it and the data folder.
fn without_notice(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut told = None;
    for file in &repository.files {
        let Some(folder) = file.parent().filter(|folder| data_root(folder).is_some()) else {
            continue;
        };
        if told != Some(folder) && !has_notice(repository, folder) {
            problems
                .push(Problem::of(folder, "say where this data comes from and under which licence, in a README.md"));
        }
        told = Some(folder);
    }
    problems
}

/// The outermost data folder above or at `folder`.
fn data_root(folder: &Path) -> Option<&Path> {
    let is_data = |path: &&Path| path.file_name().is_some_and(|name| DATA_FOLDERS.iter().any(|data| name == *data));
    folder.ancestors().filter(is_data).last()
}

fn has_notice(repository: &Repository, folder: &Path) -> bool {
    let root = data_root(folder);
    let between = folder.ancestors().take_while(|path| root.is_some_and(|root| path.starts_with(root)));
    let is_notice = |name: &str| NOTICES.iter().any(|notice| name.starts_with(notice));
    between.into_iter().any(|path| {
        let inside = repository.files.iter().filter(|file| file.parent() == Some(path));
        inside.filter_map(|file| file.file_name()?.to_str()).any(is_notice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{sample, told};

    #[test]
    fn data_needs_a_notice_at_or_above_it() {
        let (_dir, repository) = sample(&[
            ("crates/a/tests/data/x/events.jsonl", ""),
            ("crates/b/tests/data/PROVENANCE.md", ""),
            ("crates/b/tests/data/y/events.jsonl", ""),
            ("README.md", ""),
        ]);
        assert_eq!(
            told(&without_notice(&repository)),
            ["crates/a/tests/data/x: say where this data comes from and under which licence, in a README.md"]
        );
    }
}
