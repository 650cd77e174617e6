//! A crate exists to forbid something, so the arrows between crates point down only.
//!
//! [`LAYERS`] is the one place that says where a crate stands. `ARCHITECTURE.md` explains it to people
//! and must list the same crates.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::manifest::{self, Package};
use crate::repository::{Problem, Repository};

/// Height of each product crate; a crate may use those of lower layers.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["audit", "query", "policy", "rule", "finding", "tlog"]),
    (1, &["host", "ledger"]),
    (2, &["store", "detect", "sql"]),
    (3, &["ingest", "api"]),
    (4, &["kubewitness"]),
];

/// Arrows inside one layer that are wanted.
const SIDEWAYS: &[(&str, &str)] =
    &[("query", "audit"), ("policy", "audit"), ("rule", "audit"), ("rule", "finding"), ("ledger", "host")];

/// Crates beside the product. The product may use `testkit` in tests, and the others never.
const BESIDE: &[&str] = &["testkit", "e2e", "bench", "fuzz", "xtask"];

/// Layers that `testkit` may use: it must stay below everything whose tests use it.
const TESTKIT_USES_BELOW: u8 = 1;

const ARCHITECTURE: &str = "ARCHITECTURE.md";

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let packages = manifest::packages(&repository.root)?;
    let mut problems: Vec<Problem> = packages.iter().flat_map(|package| wrong_arrows(repository, package)).collect();
    problems.extend(crate_list(repository)?);
    Ok(problems)
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, crates)| crates.contains(&name)).map(|(layer, _)| *layer)
}

fn wrong_arrows(repository: &Repository, package: &Package) -> Vec<Problem> {
    let manifest = package.manifest(&repository.root);
    if layer(&package.name).is_none() && !BESIDE.contains(&package.name.as_str()) {
        return vec![Problem::of(
            manifest,
            format!("{} has no layer; give it one in xtask/src/layers.rs", package.name),
        )];
    }
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    ours.filter_map(|dependency| {
        let reason = forbidden(&package.name, &dependency.name, dependency.kind.as_deref())?;
        Some(Problem::of(manifest, format!("{} may not use {}: {reason}", package.name, dependency.name)))
    })
    .collect()
}

/// Why `from` may not use `to`, if it may not.
fn forbidden(from: &str, to: &str, kind: Option<&str>) -> Option<String> {
    match (layer(from), layer(to)) {
        (Some(_), None) if to == "testkit" => (kind != Some("dev")).then(|| "testkit is for tests alone".to_owned()),
        (Some(_), None) => Some(format!("{to} stands beside the product")),
        (Some(upper), Some(lower)) => {
            let allowed = upper > lower || SIDEWAYS.contains(&(from, to));
            (!allowed).then(|| format!("layer {upper} may use lower layers only, and this is layer {lower}"))
        }
        (None, Some(lower)) if from == "testkit" => {
            (lower > TESTKIT_USES_BELOW).then(|| format!("it is in layer {lower}, whose tests use testkit"))
        }
        (None, _) => None,
    }
}

/// The table in `ARCHITECTURE.md` and the folder `crates/` name the same crates.
fn crate_list(repository: &Repository) -> Result<Vec<Problem>> {
    let page = Path::new(ARCHITECTURE);
    if !repository.holds(page) {
        return Ok(vec![Problem::of(page, "is missing; it lists the crates and what each does not know")]);
    }
    let listed = listed_crates(&repository.read(page)?);
    let present: BTreeSet<String> = repository
        .with_extension("toml")
        .filter_map(|file| file.strip_prefix("crates").ok()?.to_str()?.strip_suffix("/Cargo.toml").map(str::to_owned))
        .filter(|name| !name.contains('/'))
        .collect();
    let missing = present.difference(&listed).map(|name| format!("crates/{name} is not in the table of crates"));
    let extra = listed
        .difference(&present)
        .map(|name| format!("`{name}` is in the table of crates, but crates/{name} is not there"));
    Ok(missing.chain(extra).map(|message| Problem::of(page, message)).collect())
}

/// First cells of the table whose first heading is `crate`.
fn listed_crates(text: &str) -> BTreeSet<String> {
    let first_cell = |line: &str| Some(line.strip_prefix('|')?.split('|').next()?.trim().to_owned());
    text.lines()
        .skip_while(|line| first_cell(line).is_none_or(|cell| !cell.eq_ignore_ascii_case("crate")))
        .map_while(first_cell)
        .filter_map(|cell| Some(cell.strip_prefix('`')?.split('`').next()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{sample, told};

    #[test]
    fn arrows_point_down() {
        let allowed = [
            ("kubewitness", "api", None),
            ("ledger", "host", None),
            ("query", "audit", None),
            ("store", "testkit", Some("dev")),
            ("bench", "store", None),
        ];
        for (from, to, kind) in allowed {
            assert_eq!(forbidden(from, to, kind), None, "{from} -> {to}");
        }
        let refused = [
            ("audit", "query", None),
            ("store", "detect", None),
            ("ledger", "store", Some("dev")),
            ("store", "testkit", None),
            ("api", "bench", Some("dev")),
            ("testkit", "store", None),
        ];
        for (from, to, kind) in refused {
            assert!(forbidden(from, to, kind).is_some(), "{from} -> {to}");
        }
    }

    #[test]
    fn the_table_names_the_folders() {
        let page = "# A\n\n| crate | job |\n|---|---|\n| `audit` | x |\n| `gone` | y |\n\n| `not` | a crate |\n";
        let (_dir, repository) =
            sample(&[("ARCHITECTURE.md", page), ("crates/audit/Cargo.toml", ""), ("crates/new/Cargo.toml", "")]);
        assert_eq!(
            told(&crate_list(&repository).unwrap()),
            [
                "ARCHITECTURE.md: crates/new is not in the table of crates",
                "ARCHITECTURE.md: `gone` is in the table of crates, but crates/gone is not there",
            ]
        );
    }
}
