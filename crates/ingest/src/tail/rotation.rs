//! Which files belong to one log: the live one and those it was rotated to, oldest first.
//!
//! | made by | name beside `audit.log` |
//! |---|---|
//! | the API server itself (lumberjack) | `audit-2026-01-02T03-04-05.678.log`, also `.gz` |
//! | logrotate | `audit.log.1`, `audit.log.2.gz` |
//! | logrotate with `dateext` | `audit.log-20260102`, also `.gz` or `.zst` |

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How the bytes of a file are packed, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Packing {
    /// As they are.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// Packing of `path` and its name without the packing's ending.
    pub(crate) fn of(name: &str) -> (Self, &str) {
        if let Some(rest) = name.strip_suffix(".gz") {
            return (Self::Gzip, rest);
        }
        match name.strip_suffix(".zst") {
            Some(rest) => (Self::Zstd, rest),
            None => (Self::Plain, name),
        }
    }
}

/// Age of a rotated file as its name tells it; greater is newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Dated(String),
    Numbered(Reverse<u64>),
}

/// The files that `live` was rotated to, oldest first.
///
/// While a file is being compressed both forms exist; only the uncompressed one is then listed.
pub(crate) fn rotated(live: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = parent(live);
    let Some(live_name) = live.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (packing, unpacked) = Packing::of(name);
        let Some(age) = age(live_name, unpacked) else { continue };
        found.push((age, unpacked.to_owned(), packing, entry.path()));
    }
    let plain: HashSet<String> =
        found.iter().filter(|file| file.2 == Packing::Plain).map(|file| file.1.clone()).collect();
    found.retain(|(_, unpacked, packing, _)| *packing == Packing::Plain || !plain.contains(unpacked));
    found.sort();
    Ok(found.into_iter().map(|file| file.3).collect())
}

fn age(live: &str, name: &str) -> Option<Age> {
    if let Some(rest) = name.strip_prefix(live) {
        if let Some(number) = rest.strip_prefix('.') {
            return number.parse().ok().map(|number| Age::Numbered(Reverse(number)));
        }
        let date = rest.strip_prefix('-')?;
        let dated = date.len() >= 8 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        return dated.then(|| Age::Dated(date.to_owned()));
    }
    let (stem, ending) = match live.rfind('.') {
        Some(dot) => live.split_at(dot),
        None => (live, ""),
    };
    let stamp = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(ending)?;
    is_lumberjack_stamp(stamp).then(|| Age::Dated(stamp.to_owned()))
}

/// `2006-01-02T15-04-05.000`, the form that lumberjack writes.
fn is_lumberjack_stamp(stamp: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00-00-00.000";
    stamp.len() == SHAPE.len()
        && stamp.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *shape,
        })
}

/// Whether a pattern also names the files that another match was rotated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotated {
    Included,
    LeftOut,
}

/// Files that a pattern names: the path itself, or every file whose name matches when its last part has `*` or `?`.
/// Hidden files are matched by hidden patterns only.
pub(crate) fn matching(pattern: &Path, rotated: Rotated) -> io::Result<Vec<PathBuf>> {
    let Some(wanted) = pattern.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    if !wanted.contains(['*', '?']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(parent(pattern))? {
        let entry = entry?;
        let name = entry.file_name();
        let fits = |name: &&str| fits(wanted, name) && wanted.starts_with('.') == name.starts_with('.');
        if let Some(name) = name.to_str().filter(fits) {
            names.push((name.to_owned(), entry.path()));
        }
    }
    names.sort();
    let is_rotated = |name: &str| {
        let unpacked = Packing::of(name).1;
        rotated == Rotated::LeftOut && names.iter().any(|(live, _)| live != name && age(live, unpacked).is_some())
    };
    Ok(names.iter().filter(|(name, _)| !is_rotated(name)).map(|(_, path)| path.clone()).collect())
}

/// Whether `name` fits a pattern of `*` (any text) and `?` (any character). Linear in practice, never exponential.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name, mut star) = (0, 0, None);
    while in_name < name.len() {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at, in_name));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == '?' || pattern[at] == name[in_name]) {
            at += 1;
            in_name += 1;
        } else if let Some((star_at, taken)) = star {
            at = star_at + 1;
            in_name = taken + 1;
            star = Some((star_at, taken + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(directory.path().join(name), b"").unwrap();
        }
        directory
    }

    fn names(paths: Vec<PathBuf>) -> Vec<String> {
        paths.into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_kind_of_rotation_is_found_oldest_first() {
        let directory = directory(&[
            "audit.log",
            "audit-2026-01-02T03-04-05.678.log",
            "audit-2026-01-01T03-04-05.678.log.gz",
            "audit-2026-01-03T03-04-05.678.log",
            "audit-2026-01-03T03-04-05.678.log.gz",
            "audit-other.log",
            "audit.log.10.gz",
            "audit.log.1",
            "audit.log-20260101.zst",
            "audit.log.bak",
            "another.log",
        ]);
        assert_eq!(
            names(rotated(&directory.path().join("audit.log")).unwrap()),
            [
                "audit-2026-01-01T03-04-05.678.log.gz",
                "audit-2026-01-02T03-04-05.678.log",
                "audit-2026-01-03T03-04-05.678.log",
                "audit.log-20260101.zst",
                "audit.log.10.gz",
                "audit.log.1",
            ]
        );
    }

    #[test]
    fn a_pattern_names_live_files_only() {
        let directory = directory(&["a.log", "a.log.1", "b.log", "b-2026-01-02T03-04-05.678.log", "c.txt"]);
        assert_eq!(names(matching(&directory.path().join("*.log*"), Rotated::LeftOut).unwrap()), ["a.log", "b.log"]);
        assert_eq!(names(matching(&directory.path().join("absent.log"), Rotated::LeftOut).unwrap()), ["absent.log"]);
    }

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**a**", "bab", true),
            ("*aaaaaaaaaaaaaab", &"a".repeat(2_000), false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
