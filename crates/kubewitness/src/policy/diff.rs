//! `kubewitness policy diff`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use policy::{Change, Request, ServerVersion, Treatment, Volume, bytes_text};
use serde_json::json;

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
        let mut volumes = vec![Volume::default(); difference.changes.len()];
        self.traffic.read(&mut |event| {
            if let Some(change) = difference.change_of(&event.request) {
                volumes[change].add(event.count, event.bytes);
            }
        })?;
        let mut out = anstream::stdout();
        let preset = self.traffic.preset();
        match self.output {
            ReportFormat::Json => {
                let changes = difference.changes.iter().zip(&volumes).map(|(change, volume)| {
                    let mut value = serde_json::to_value(change)?;
                    value["volume"] = json!(volume);
                    Ok(value)
                });
                let changes: Vec<serde_json::Value> = changes.collect::<Result<_, serde_json::Error>>()?;
                let same = changes.is_empty();
                let preset = preset.map(|preset| preset.name);
                let value = json!({"same": same, "preset": preset, "changes": changes});
                writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            }
            ReportFormat::Text if difference.changes.is_empty() => writeln!(out, "the policies mean the same")?,
            ReportFormat::Text => {
                for (change, volume) in difference.changes.iter().zip(&volumes) {
                    let of = preset
                        .map_or("the recording".to_owned(), |preset| format!("a day of the preset {}", preset.name));
                    text(change, *volume, &of, &mut out)?;
                }
                if let Some(preset) = preset {
                    writeln!(out, "How sure this is: {}", preset.assumption())?;
                }
            }
        }
        Ok(crate::exit::found(difference.changes.is_empty()))
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

fn text(change: &Change, volume: Volume, of: &str, out: &mut impl std::io::Write) -> std::io::Result<()> {
    writeln!(out, "{} -> {}", words(&change.before), words(&change.after))?;
    writeln!(out, "  decided by {}, now by {}", rules(&change.old_rules), rules(&change.new_rules))?;
    for (area, request) in change.areas.iter().zip(&change.examples) {
        writeln!(out, "  - {area}")?;
        writeln!(out, "    for example: {}", example(request))?;
    }
    writeln!(out, "  in {of}: {} events, {}\n", volume.events, bytes_text(volume.bytes as f64))
}
