//! `kubewitness policy diff`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use policy::{Balance, Balances, Change, Difference, Preset, Request, ServerVersion, Treatment, Volume, bytes_text};
use serde_json::{Value, json};

use super::input;
use super::traffic::Traffic;
use crate::output::ReportFormat;

/// Exit codes: 0 the policies mean the same, 1 they differ, 2 wrong command line, 3 a file cannot be read.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The policy in force
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy that shall replace it
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    traffic: Traffic,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// API server that loads the policies
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

impl Diff {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let old = input::policy(&self.old, self.server_version)?;
        let new = input::policy(&self.new, self.server_version)?;
        let difference = policy::diff(&old, &new)?;
        let preset = self.traffic.preset();
        let mut balances = Balances::new(&difference, preset);
        self.traffic.read(&mut |event| balances.add(event))?;
        let mut out = anstream::stdout();
        match self.output {
            ReportFormat::Json => writeln!(out, "{:#}", json(&difference, &balances, preset)?)?,
            ReportFormat::Text if difference.changes.is_empty() => writeln!(out, "the policies mean the same")?,
            ReportFormat::Text => {
                for (change, balance) in difference.changes.iter().zip(&balances.changes) {
                    text(change, &mut out)?;
                    writeln!(out, "  {}\n", volume_text(balance, &balances))?;
                }
                writeln!(out, "all changes: {}", volume_text(&balances.total(), &balances))?;
                writeln!(out, "How sure this is:")?;
                balances.confidence().iter().try_for_each(|sentence| writeln!(out, "- {sentence}"))?;
            }
        }
        Ok(crate::exit::found(difference.changes.is_empty()))
    }
}

fn json(difference: &Difference, balances: &Balances<'_>, preset: Option<Preset>) -> serde_json::Result<Value> {
    let per_day = |volume| balances.per_day(volume).map(|(events, bytes)| json!({"events": events, "bytes": bytes}));
    let volume = |balance: &Balance| {
        let Balance { before, after, deeper } = *balance;
        json!({
            "before": before, "after": after, "deeper": deeper,
            "perDay": {"before": per_day(before), "after": per_day(after)},
        })
    };
    let changes = difference.changes.iter().zip(&balances.changes).map(|(change, balance)| {
        let mut value = serde_json::to_value(change)?;
        value["volume"] = volume(balance);
        Ok(value)
    });
    let changes: Vec<Value> = changes.collect::<serde_json::Result<_>>()?;
    Ok(json!({
        "same": changes.is_empty(),
        "preset": preset.map(|preset| preset.name),
        "changes": changes,
        "volume": volume(&balances.total()),
        "confidence": balances.confidence(),
    }))
}

/// What a change gains or loses: over a day, or over the events themselves where they span no time.
fn volume_text(balance: &Balance, balances: &Balances<'_>) -> String {
    let Balance { before, after, .. } = *balance;
    if before == after {
        return match before.events {
            0 => "volume: none of the traffic is among these requests".to_owned(),
            _ => "volume: the same".to_owned(),
        };
    }
    let signed = |number: f64, text: String| if number < 0.0 { format!("-{text}") } else { format!("+{text}") };
    let line = |before: (f64, f64), after: (f64, f64), unit: &str| {
        let (events, bytes) = (after.0 - before.0, after.1 - before.1);
        format!(
            "volume: {} events{unit}, {}{unit} ({:.0} -> {:.0} events, {} -> {})",
            signed(events, format!("{:.0}", events.abs())),
            signed(bytes, bytes_text(bytes.abs())),
            before.0,
            after.0,
            bytes_text(before.1),
            bytes_text(after.1)
        )
    };
    match (balances.per_day(before), balances.per_day(after)) {
        (Some(before), Some(after)) => line(before, after, " a day"),
        _ => {
            let whole = |volume: Volume| (volume.events as f64, volume.bytes as f64);
            line(whole(before), whole(after), " in the recording")
        }
    }
}

fn words(treatment: &Treatment) -> String {
    let stages: Vec<&str> = treatment.omit_stages.iter().map(|stage| stage.name()).collect();
    let stages = if stages.is_empty() { String::new() } else { format!(" without {}", stages.join(", ")) };
    let managed = if treatment.omit_managed_fields { " without managedFields" } else { "" };
    format!("{}{stages}{managed}", treatment.level)
}

fn rules(rules: &[Option<usize>]) -> String {
    let name = |rule: &Option<usize>| rule.map_or("no rule".to_owned(), |rule| format!("rule {}", rule + 1));
    rules.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A request as `explain` takes it, as far as it can be written in a line.
pub(super) fn example(request: &Request<'_>) -> String {
    let user = request.user.as_ref().map_or("(not authenticated)".to_owned(), |user| {
        let groups: Vec<&str> =
            user.groups.iter().map(|group| &**group).filter(|g| *g != "system:authenticated").collect();
        if groups.is_empty() { user.name.to_string() } else { format!("{}[{}]", user.name, groups.join(",")) }
    });
    if !request.resource_request {
        return format!("{user} {} {}", request.verb, request.path);
    }
    let group = if request.api_group.is_empty() { String::new() } else { format!(".{}", request.api_group) };
    let name = if request.name.is_empty() { String::new() } else { format!(" {}", request.name) };
    let place = if request.namespace.is_empty() { String::new() } else { format!(" in {}", request.namespace) };
    format!("{user} {} {}{group}{name}{place}", request.verb, request.combined_resource())
}

fn text(change: &Change, out: &mut impl std::io::Write) -> std::io::Result<()> {
    writeln!(out, "{} -> {}", words(&change.before), words(&change.after))?;
    writeln!(out, "  decided by {}, now by {}", rules(&change.old_rules), rules(&change.new_rules))?;
    for (area, request) in change.areas.iter().zip(&change.examples) {
        writeln!(out, "  - {area}")?;
        writeln!(out, "    for example: {}", example(request))?;
    }
    Ok(())
}
