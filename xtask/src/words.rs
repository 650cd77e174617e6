//! What must not be in a file: leftovers, paths of somebody's own machine, and more bytes than a
//! clone should carry.

use std::path::Path;

use anyhow::Result;

use crate::repository::{Problem, Repository};

/// Largest file that the repository takes. Larger data is generated, or compressed first.
const FILE_BYTES_MAX: u64 = 3 << 20;

/// Words that mark unfinished work or a slip, with the reason. Each is written in two parts, so that
/// this file does not hold it.
const FORBIDDEN: &[([&str; 2], &str)] = &[
    (["todo", "!("], "unfinished code"),
    (["unimplemented", "!("], "unfinished code"),
    (["dbg", "!("], "a debugging leftover"),
    (["FIX", "ME"], "say it in an issue, or assert the wrong behaviour in a test with `fixme`"),
    (["<<<<", "<<< "], "a merge conflict"),
    (["/ho", "me/"], "a path of somebody's machine"),
    (["/Use", "rs/"], "a path of somebody's machine"),
    (["/wo", "rk/"], "a path of somebody's machine"),
    (["/tmp", "/kw"], "a path of somebody's machine"),
];

/// Kinds of file that people write. Data may hold any word.
const WRITTEN: &[&str] = &["rs", "md", "toml", "go", "py", "sh"];

/// Folders whose files were recorded, not written.
const RECORDED: &[&str] = &["data", "testdata", "corpus", "fixtures"];

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for file in &repository.files {
        let bytes = std::fs::metadata(repository.root.join(file))?.len();
        if bytes > FILE_BYTES_MAX {
            problems.push(Problem::of(file, format!("{bytes} bytes; the limit is {FILE_BYTES_MAX}")));
        }
        if is_written(file) {
            problems.extend(forbidden_words(file, &repository.read(file)?));
        }
    }
    Ok(problems)
}

fn is_written(file: &Path) -> bool {
    let recorded = file.iter().any(|part| RECORDED.iter().any(|folder| part == *folder));
    let extension = file.extension().and_then(|extension| extension.to_str());
    !recorded && extension.is_none_or(|extension| WRITTEN.contains(&extension))
}

fn forbidden_words(file: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (parts, reason) in FORBIDDEN {
        let word = parts.concat();
        let hits = text.lines().enumerate().filter(|(_, line)| line.contains(&word));
        problems.extend(hits.map(|(index, _)| Problem::at(file, index + 1, format!("`{word}`: {reason}"))));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{sample, told};

    #[test]
    fn leftovers_are_found_with_their_line() {
        let unfinished = format!("fn a() {{\n    {}!()\n}}", "todo");
        let (_dir, repository) = sample(&[("a.rs", &unfinished), ("tests/data/b.md", &unfinished)]);
        assert_eq!(told(&check(&repository).unwrap()), [format!("a.rs:2: `{}!(`: unfinished code", "todo")]);
    }

    #[test]
    fn a_large_file_is_refused() {
        let large = "x".repeat(FILE_BYTES_MAX as usize + 1);
        let (_dir, repository) = sample(&[("large.bin", &large)]);
        assert_eq!(check(&repository).unwrap().len(), 1);
    }
}
