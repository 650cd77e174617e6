//! Checks about the repository that no compiler makes: `cargo xtask tidy`, and `cargo xtask generate`
//! for the reference pages that the binary writes about itself.
//!
//! Does not know how the product works. It reads files, the manifests and what the binary prints.

mod dependencies;
mod generated;
mod layers;
mod licences;
mod links;
mod manifest;
mod notices;
mod repository;
mod words;

use std::process::ExitCode;

use anyhow::Result;
use repository::{Problem, Repository};

/// One rule of the house.
struct Check {
    name: &'static str,
    run: fn(&Repository) -> Result<Vec<Problem>>,
}

/// Every rule, cheapest first.
const CHECKS: &[Check] = &[
    Check { name: "words", run: words::check },
    Check { name: "notices", run: notices::check },
    Check { name: "links", run: links::check },
    Check { name: "dependencies", run: dependencies::check },
    Check { name: "layers", run: layers::check },
    Check { name: "licences", run: licences::check },
    Check { name: "generated", run: generated::check },
];

const USAGE: &str = "usage: cargo xtask tidy [CHECK…] | generate";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((command, names)) if command == "tidy" => tidy(names),
        Some((command, [])) if command == "generate" => generate(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::from(2)
    })
}

/// Runs the named checks, or all; prints what is wrong as `file:line: message`.
fn tidy(names: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = names.iter().find(|name| !CHECKS.iter().any(|check| check.name == **name)) {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        anyhow::bail!("no check is called {unknown}; there are {}", known.join(", "));
    }
    let repository = Repository::open()?;
    let mut failed = 0;
    let chosen = CHECKS.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name));
    for check in chosen {
        let problems = (check.run)(&repository)?;
        println!("tidy {}: {}", check.name, if problems.is_empty() { "ok" } else { "failed" });
        for problem in &problems {
            println!("{problem}");
        }
        failed += usize::from(!problems.is_empty());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn generate() -> Result<ExitCode> {
    generated::write(&Repository::open()?)?;
    Ok(ExitCode::SUCCESS)
}
