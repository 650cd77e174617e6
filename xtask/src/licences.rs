//! Everything that is built into the product is under a licence that `deny.toml` allows: the part of `cargo deny check
//! licenses` that needs no tool beyond the toolchain, over all features and targets.

use std::path::Path;

use anyhow::Result;
use spdx::{Expression, ParseMode};

use crate::manifest::{self, Crate};
use crate::repository::{Problem, Repository};

const ALLOWED: &str = "deny.toml";

pub(crate) fn check(repository: &Repository) -> Result<Vec<Problem>> {
    let allowed = allowed(&repository.read(Path::new(ALLOWED))?);
    let crates = manifest::crates(&repository.root)?;
    Ok(crates.iter().filter_map(|one| objection(one, &allowed)).collect())
}

/// The strings of `allow = […]` below `[licenses]`.
fn allowed(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[licenses]").skip_while(|line| *line != "allow = [");
    lines
        .skip(1)
        .take_while(|line| *line != "]")
        .filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once('"')?.0.to_owned()))
        .collect()
}

fn objection(one: &Crate, allowed: &[String]) -> Option<Problem> {
    let problem = |what: String| Some(Problem::of(ALLOWED, format!("{} {}: {what}", one.name, one.version)));
    let Some(text) = &one.license else {
        return problem("names no licence".to_owned());
    };
    match Expression::parse_mode(text, ParseMode::LAX) {
        Ok(licence) if licence.evaluate(|needed| allowed.contains(&needed.to_string())) => None,
        Ok(_) => problem(format!("its licence, {text}, is not among those allowed")),
        Err(error) => problem(format!("its licence, {text}, cannot be read: {}", error.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::told;

    #[test]
    fn one_allowed_choice_is_enough() {
        let allowed =
            allowed("[licenses]\n# why\nallow = [\n    \"MIT\",\n    \"Apache-2.0\",\n]\nignore = [\n    \"X\",\n]\n");
        assert_eq!(allowed, ["MIT", "Apache-2.0"]);
        let of = |license: Option<&str>| {
            let one = Crate { name: "a".into(), version: "1.0.0".into(), license: license.map(str::to_owned) };
            told(&Vec::from_iter(objection(&one, &allowed)))
        };
        assert!(of(Some("MIT OR GPL-3.0-only")).is_empty());
        assert!(of(Some("Apache-2.0/MIT")).is_empty());
        assert_eq!(
            of(Some("MIT AND Zlib")),
            ["deny.toml: a 1.0.0: its licence, MIT AND Zlib, is not among those allowed"]
        );
        assert_eq!(of(None), ["deny.toml: a 1.0.0: names no licence"]);
    }
}
