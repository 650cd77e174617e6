//! `rules coverage`: which techniques, tactics and ideas the rules cover.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{Entry, compile, entries};
use crate::rulesets::Choice;

#[derive(Debug, clap::Args)]
pub(crate) struct Coverage {
    #[command(flatten)]
    rules: Choice,
    /// Output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Output {
    Table,
    Json,
    /// A layer for the ATT&CK Navigator
    Navigator,
}

impl Coverage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let entries = entries(&set);
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Table => table(&mut out, &entries)?,
            Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&document(&entries))?)?,
            Output::Navigator => writeln!(out, "{}", serde_json::to_string_pretty(&navigator(&entries))?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn by<'e>(entries: &'e [Entry<'e>], keys: impl Fn(&'e Entry<'e>) -> &'e [String]) -> BTreeMap<&'e str, Vec<&'e str>> {
    let mut map: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        keys(entry).iter().for_each(|key| map.entry(key).or_default().push(entry.title));
    }
    map
}

fn ideas(entries: &[Entry<'_>]) -> BTreeSet<u32> {
    entries.iter().flat_map(|entry| entry.meta.extension.matrix.iter().copied()).collect()
}

fn table(out: &mut impl Write, entries: &[Entry<'_>]) -> std::io::Result<()> {
    writeln!(out, "{:<22} {:>5}", "TACTIC", "RULES")?;
    for (tactic, rules) in by(entries, |entry| &entry.meta.tactics) {
        writeln!(out, "{tactic:<22} {:>5}", rules.len())?;
    }
    writeln!(out, "\n{:<22} {:>5}  FOR EXAMPLE", "TECHNIQUE", "RULES")?;
    for (technique, rules) in by(entries, |entry| &entry.meta.techniques) {
        writeln!(out, "{technique:<22} {:>5}  {}", rules.len(), rules[0])?;
    }
    writeln!(out, "\n{} rules, {} of the field's 135 ideas", entries.len(), ideas(entries).len())
}

fn document(entries: &[Entry<'_>]) -> serde_json::Value {
    json!({
        "rules": entries.len(),
        "ideas": ideas(entries),
        "tactics": by(entries, |entry| &entry.meta.tactics),
        "techniques": by(entries, |entry| &entry.meta.techniques),
    })
}

fn navigator(entries: &[Entry<'_>]) -> serde_json::Value {
    let techniques: Vec<_> = by(entries, |entry| &entry.meta.techniques)
        .into_iter()
        .map(|(technique, rules)| json!({"techniqueID": technique, "score": rules.len(), "comment": rules.join("\n")}))
        .collect();
    json!({
        "name": "KubeWitness",
        "versions": {"layer": "4.5"},
        "domain": "enterprise-attack",
        "techniques": techniques,
        "gradient": {"colors": ["#d6eaf8", "#1f618d"], "minValue": 1, "maxValue": 8},
    })
}
