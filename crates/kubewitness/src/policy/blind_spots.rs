//! `kubewitness policy blind-spots`

use std::collections::HashSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use policy::{BlindSpot, Cause, Need, ServerVersion};

use super::{diff, input, needs};
use crate::output::ReportFormat;
use crate::rulesets::Choice;

/// Exit codes: 0 every detection can fire, 1 some cannot, 2 wrong command line, 3 a file cannot be read.
#[derive(Debug, Args)]
pub(crate) struct BlindSpots {
    /// Policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    #[command(flatten)]
    rules: Choice,
    /// Needs of other detections as well: a JSON list of `{id, title, goals, requests, level, stages}`
    #[arg(long, value_name = "FILE")]
    needs: Option<PathBuf>,
    /// Only detections that can fire for no request at all
    #[arg(long)]
    total: bool,
    /// What the cluster serves: output of `kubectl api-resources`
    #[arg(long, value_name = "FILE")]
    api_resources: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// API server that loads the policy
    #[arg(long, value_name = "VERSION", default_value_t = ServerVersion::DEFAULT)]
    server_version: ServerVersion,
}

/// Areas of one blind spot that are shown; JSON has all.
const AREAS_SHOWN: usize = 5;

impl BlindSpots {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let policy = input::policy(&self.policy, self.server_version)?;
        let set = self.rules.compile()?;
        let mut needs = needs::needs(&set, &input::api(self.api_resources.as_deref(), self.server_version)?);
        if let Some(path) = &self.needs {
            let own: Vec<Need> = serde_json::from_slice(&input::document(path)?)
                .with_context(|| format!("{} is not a list of needs", path.display()))?;
            needs.extend(own);
        }
        let mut spots = policy::blind_spots(&policy, &needs)?;
        spots.retain(|spot| (spot.total || !self.total) && needs::matters(spot, &set));
        spots.sort_by_key(|spot| !spot.total);
        let mut out = anstream::stdout();
        match self.output {
            ReportFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&spots)?)?,
            ReportFormat::Text => {
                for spot in &spots {
                    text(spot, &mut out)?;
                }
                let count = |blind: bool| names(spots.iter().filter(|spot| spot.total == blind).map(|spot| &spot.need));
                let all = names(needs.iter());
                writeln!(
                    out,
                    "{} of {all} detections cannot fire, {} not for all requests",
                    count(true),
                    count(false)
                )?;
            }
        }
        Ok(crate::exit::found(spots.is_empty()))
    }
}

/// How many detections there are: one can have several needs.
fn names<'n>(needs: impl Iterator<Item = &'n Need>) -> usize {
    needs.map(|need| need.id.as_str()).collect::<HashSet<_>>().len()
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
    if !spot.need.fields.is_empty() {
        writeln!(out, "  reads {}", spot.need.fields.join(", "))?;
    }
    for area in spot.areas.iter().take(AREAS_SHOWN) {
        writeln!(out, "  - {area}")?;
    }
    if let Some(rest) = spot.areas.len().checked_sub(AREAS_SHOWN).filter(|rest| *rest > 0) {
        writeln!(out, "  - and {rest} more areas")?;
    }
    if let Some(request) = &spot.example {
        writeln!(out, "    for example: {}", diff::example(request))?;
    }
    let change: String = spot.change.lines().map(|line| format!("    {line}\n")).collect();
    writeln!(out, "  smallest change:\n{change}")
}
