//! `kubewitness policy simulate`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use policy::{Policy, ServerVersion, Tally, Volume, bytes_text};
use serde_json::{Value, json};

use super::input;
use super::traffic::Traffic;
use crate::output::ReportFormat;

/// Exit codes: 0 simulated, 2 wrong command line, 3 a file cannot be read.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Policy file
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    #[command(flatten)]
    traffic: Traffic,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// Users and resources shown
    #[arg(long, default_value_t = 10)]
    top: usize,
    /// API server that loads the policy
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

impl Simulate {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let policy = input::policy(&self.policy, self.server_version)?;
        let (tally, unreadable) = self.traffic.tally(&policy)?;
        let mut out = anstream::stdout();
        match self.output {
            ReportFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&self.json(&tally, unreadable))?)?,
            ReportFormat::Text => self.text(&policy, &tally, unreadable, &mut out)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn json(&self, tally: &Tally, unreadable: u64) -> Value {
        let rules = tally.rules.iter().enumerate().map(|(i, share)| {
            let rule = if i + 1 == tally.rules.len() { Value::Null } else { json!(i) };
            json!({"rule": rule, "kept": share.kept, "dropped": share.dropped})
        });
        let top = |counts: &HashMap<String, Volume>| -> Vec<Value> {
            let named = |(name, volume): (&str, &Volume)| json!({"name": name, "kept": volume});
            largest(counts, self.top).into_iter().map(named).collect()
        };
        json!({
            "preset": self.traffic.preset().map(|preset| preset.name),
            "read": tally.read,
            "kept": tally.kept,
            "dropped": tally.dropped,
            "unreadable": unreadable,
            "seconds": tally.seconds(),
            "bytesPerDay": tally.per_day(tally.kept),
            "eventsPerSecond": tally.seconds().map(|seconds| tally.kept.events as f64 / seconds),
            "rules": rules.collect::<Vec<_>>(),
            "users": top(&tally.users),
            "resources": top(&tally.resources),
            "confidence": tally.confidence(),
        })
    }

    fn text(
        &self,
        policy: &Policy,
        tally: &Tally,
        unreadable: u64,
        out: &mut impl std::io::Write,
    ) -> std::io::Result<()> {
        let line = |volume: Volume| format!("{:>10} events {:>12}", volume.events, bytes_text(volume.bytes as f64));
        writeln!(out, "read     {}", line(tally.read))?;
        writeln!(out, "kept     {}", line(tally.kept))?;
        writeln!(out, "dropped  {}", line(tally.dropped))?;
        if unreadable > 0 {
            writeln!(out, "not audit events: {unreadable}")?;
        }
        if let (Some(bytes), Some(seconds)) = (tally.per_day(tally.kept), tally.seconds()) {
            let rate = tally.kept.events as f64 / seconds;
            writeln!(out, "rate     {rate:.1} events/s, {} a day", bytes_text(bytes))?;
        }
        writeln!(out, "\n{:>5} {:<15} {:>31} {:>31}", "RULE", "LEVEL", "KEPT", "DROPPED")?;
        for (i, share) in tally.rules.iter().enumerate() {
            let (name, level) = match policy.rules.get(i) {
                Some(rule) => ((i + 1).to_string(), rule.level.name()),
                None => ("none".to_owned(), "None"),
            };
            writeln!(out, "{name:>5} {level:<15} {} {}", line(share.kept), line(share.dropped))?;
        }
        for (title, counts) in [("USER", &tally.users), ("RESOURCE", &tally.resources)] {
            writeln!(out, "\n{title}")?;
            for (name, volume) in largest(counts, self.top) {
                writeln!(out, "{}  {name}", line(*volume))?;
            }
        }
        writeln!(out, "\nHow sure this is:")?;
        tally.confidence().iter().try_for_each(|sentence| writeln!(out, "- {sentence}"))
    }
}

/// The names with most bytes, largest first.
fn largest(counts: &HashMap<String, Volume>, count: usize) -> Vec<(&str, &Volume)> {
    let mut all: Vec<(&str, &Volume)> = counts.iter().map(|(name, volume)| (name.as_str(), volume)).collect();
    all.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(b.0)));
    all.truncate(count);
    all
}
