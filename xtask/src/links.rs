//! Relative links in the documents lead somewhere, and so do the headings they name.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::repository::{Problem, Repository};

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for file in repository.with_extension("md") {
        for link in links(&repository.read(file)?) {
            if let Some(message) = broken(repository, file, &link.target)? {
                problems.push(Problem::at(file, link.line, message));
            }
        }
    }
    Ok(problems)
}

struct Link {
    line: usize,
    target: String,
}

/// Inline links and images outside code.
fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let mut rest = prose.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push(Link { line, target: target.to_owned() });
            rest = &rest[end..];
        }
    }
    found
}

/// Lines outside fenced blocks, with their numbers and without their code spans.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let outside_code = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        (!fenced).then_some((index + 1, outside_code))
    })
}

/// Why a link leads nowhere, if it does.
fn broken(repository: &Repository, file: &Path, target: &str) -> Result<Option<String>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None); // nobody asks the network here
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let page = if path.is_empty() { Some(file.to_owned()) } else { resolve(file, path) };
    let Some(page) = page.filter(|page| repository.holds(page)) else {
        return Ok(Some(format!("{target} is not in the repository")));
    };
    let is_page = page.extension().is_some_and(|extension| extension == "md");
    let Some(heading) = heading.filter(|_| is_page) else {
        return Ok(None);
    };
    let known = anchors(&repository.read(&page)?);
    Ok((!known.iter().any(|anchor| anchor == heading)).then(|| format!("{} has no heading #{heading}", page.display())))
}

/// The path from the root that `path` means in `file`; none if it leaves the repository.
fn resolve(file: &Path, path: &str) -> Option<PathBuf> {
    let mut resolved = file.parent()?.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !resolved.pop() {
                    return None;
                }
            }
            Component::Normal(name) => resolved.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

/// Anchors that code hosts make of headings: lower case, spaces to hyphens, other signs dropped.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let Some(title) = line.strip_prefix('#').filter(|_| !fenced) else {
            continue;
        };
        let anchor: String = title
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|sign| match sign {
                ' ' => Some('-'),
                '-' | '_' => Some(sign),
                _ => sign.is_alphanumeric().then_some(sign),
            })
            .collect();
        let earlier = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{sample, told};

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let (_dir, repository) = sample(&[
            ("README.md", "[a](docs/a.md) [b](docs/b.md)\n[c](https://example.org) `[d](d.md)`\n```\n[e](e.md)\n```\n"),
            (
                "docs/a.md",
                "# Life of an event\n[up](../README.md) [out](../../x.md)\n[here](#life-of-an-event) [no](#death)\n",
            ),
        ]);
        assert_eq!(
            told(&check(&repository).unwrap()),
            [
                "README.md:1: docs/b.md is not in the repository",
                "docs/a.md:2: ../../x.md is not in the repository",
                "docs/a.md:3: docs/a.md has no heading #death",
            ]
        );
    }
}
