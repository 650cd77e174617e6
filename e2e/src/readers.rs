//! Others open the segments as they stand: DuckDB, pandas and pyarrow count what our own answers count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::repository;
use crate::verdicts::Verdicts;

/// Pinned, so that a new release fails by decision and not by surprise.
const PACKAGES: &[&str] = &["duckdb==2.0.0", "pandas==2.3.3", "pyarrow==22.0.0", "pytz==2025.2"];

/// What a reader found.
#[derive(Debug, PartialEq, Deserialize)]
struct Account {
    rows: u64,
    /// Events with the verb `delete`, by resource.
    deletions: BTreeMap<String, u64>,
    /// Events whose annotation says that the authoriser forbade them.
    forbidden: u64,
    /// Time of the oldest, to the second.
    first: String,
}

/// A row of `search`, as far as it is counted.
#[derive(Deserialize)]
struct Row {
    time: String,
    verb: Option<String>,
    resource: Option<String>,
    decision: Option<String>,
}

pub(crate) fn run(kubewitness: &Path, dir: &Path, verdicts: &mut Verdicts) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let recording = repository().join("testdata/lab/events.jsonl.zst");
    said(Command::new(kubewitness).arg("import").arg(recording).current_dir(dir))?;
    let rows = said(Command::new(kubewitness).args(["search", "", "--limit", "0", "-o", "ndjson"]).current_dir(dir))?;
    let ours = account(&rows)?;
    let script = repository().join("e2e/readers.py");
    let told = said(Command::new(python()?).arg(script).arg(dir.join("kubewitness-data/store")))?;
    let accounts: BTreeMap<String, Account> = serde_json::from_str(&told)?;
    for (reader, theirs) in accounts {
        let equal = if theirs == ours { Ok(()) } else { Err(anyhow::anyhow!("{theirs:?} and not {ours:?}")) };
        verdicts.note(&format!("{reader} opens the segments and counts what we count"), equal);
    }
    Ok(())
}

fn account(rows: &str) -> Result<Account> {
    let rows = rows.lines().map(serde_json::from_str).collect::<Result<Vec<Row>, _>>()?;
    let mut deletions = BTreeMap::new();
    for row in rows.iter().filter(|row| row.verb.as_deref() == Some("delete")) {
        *deletions.entry(row.resource.clone().unwrap_or_default()).or_default() += 1;
    }
    let forbidden = rows.iter().filter(|row| row.decision.as_deref() == Some("forbid")).count() as u64;
    let first = rows.iter().map(|row| &row.time).min().context("there are rows")?;
    Ok(Account { rows: rows.len() as u64, deletions, forbidden, first: first[..19].to_owned() })
}

/// A Python that has the readers, made in `.cache` if it is not there.
fn python() -> Result<PathBuf> {
    let home = repository().join("e2e/.cache/python");
    let (python, installed) = (home.join("bin/python"), home.join("installed.txt"));
    if std::fs::read_to_string(&installed).unwrap_or_default() != PACKAGES.join("\n") {
        println!("installing {}", PACKAGES.join(", "));
        said(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        said(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        std::fs::write(installed, PACKAGES.join("\n"))?;
    }
    Ok(python)
}

/// What a program printed, if it ended well.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
