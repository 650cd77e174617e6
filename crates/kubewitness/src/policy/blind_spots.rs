//! `kubewitness policy blind-spots`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use policy::{BlindSpot, Cause, Need, ServerVersion};

use super::{diff, input};

/// Exit codes: 0 every detection can fire, 1 some cannot, 2 wrong command line, 3 a file cannot be read.
#[derive(Debug, Args)]
pub(crate) struct BlindSpots {
    /// Policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// Needs of other detections: a JSON list of `{id, title, goals, requests, level, stages}`
    #[arg(long, value_name = "FILE")]
    needs: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// API server that loads the policy
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl BlindSpots {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let policy = input::policy(&self.policy, self.server_version)?;
        let needs: Vec<Need> = match &self.needs {
            Some(path) => serde_json::from_slice(&input::document(path)?)
                .with_context(|| format!("{} is not a list of needs", path.display()))?,
            None => policy::built_in_needs(),
        };
        let spots = policy::blind_spots(&policy, &needs)?;
        let mut out = anstream::stdout();
        match self.output {
            Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&spots)?)?,
            Output::Text => {
                for spot in &spots {
                    text(spot, &mut out)?;
                }
                writeln!(out, "{} of {} detections are blind or partly blind", spots.len(), needs.len())?;
            }
        }
        Ok(crate::exit::found(spots.is_empty()))
    }
}

fn cause(cause: &Cause) -> String {
    let rule = cause.rule.map_or("no rule matches".to_owned(), |rule| format!("rule {}", rule + 1));
    if cause.stage { format!("{rule} (omits the stage)") } else { format!("{rule} (level {})", cause.level) }
}

fn text(spot: &BlindSpot, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let how = if spot.total { "cannot fire" } else { "cannot fire for some requests" };
    writeln!(out, "{}: {how} ({})", spot.need.id, spot.need.title)?;
    writeln!(
        out,
        "  needs {}; caused by {}",
        spot.need.level,
        spot.causes.iter().map(cause).collect::<Vec<_>>().join(", ")
    )?;
    for area in spot.areas.iter().take(5) {
        writeln!(out, "  - {area}")?;
    }
    if let Some(request) = &spot.example {
        writeln!(out, "    for example: {}", diff::example(request))?;
    }
    let change: String = spot.change.lines().map(|line| format!("    {line}\n")).collect();
    writeln!(out, "  smallest change:\n{change}")
}
