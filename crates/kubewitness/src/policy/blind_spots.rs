//! `kubewitness policy blind-spots`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use policy::{BlindSpot, Cause, Identities, Need, Omission, ServerVersion};
use serde_json::json;

use super::detection::{Detection, Sight, detections};
use super::{diff, input, needs};
use crate::output::ReportFormat;
use crate::rulesets::Choice;

/// Exit codes: 0 every detection sees what it needs, or what it does not see is left out on purpose, 1 some do not, 2 wrong command line, 3 a file cannot be read.
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
        let api = input::api(self.api_resources.as_deref(), self.server_version)?;
        let mut needs = needs::needs(&set, &api, &Identities::of(&policy));
        if let Some(path) = &self.needs {
            let own: Vec<Need> = serde_json::from_slice(&input::document(path)?)
                .with_context(|| format!("{} is not a list of needs", path.display()))?;
            needs.extend(own);
        }
        let spots = policy::blind_spots(&policy, &needs)?;
        let all = detections(&set, &needs, spots);
        let mut found: Vec<&Detection> = all.iter().filter(|detection| self.shows(detection.sight)).collect();
        found.sort_by_key(|detection| (!detection.is_gap(), detection.sight));
        let mut out = anstream::stdout();
        match self.output {
            ReportFormat::Json => {
                let report = json!({"detections": all.len(), "unseen": found, "omissions": reasons(&found)});
                writeln!(out, "{report:#}")?;
            }
            ReportFormat::Text => report(&found, all.len(), &mut out)?,
        }
        Ok(crate::exit::found(!found.iter().any(|detection| detection.is_gap())))
    }

    fn shows(&self, sight: Sight) -> bool {
        sight == Sight::Blind || sight == Sight::Partial && !self.total
    }
}

/// The reasons that matter for some detections.
fn reasons(found: &[&Detection]) -> serde_json::Value {
    let matters = |omission: &Omission| found.iter().any(|d| d.omissions().any(|known| known == *omission));
    let reasons = Omission::ALL.into_iter().filter(matters).map(|o| json!({"omission": o, "reason": o.reason()}));
    reasons.collect()
}

fn report(found: &[&Detection], all: usize, out: &mut impl std::io::Write) -> std::io::Result<()> {
    for detection in found.iter().filter(|detection| detection.is_gap()) {
        text(detection, out)?;
    }
    for omission in Omission::ALL {
        on_purpose(omission, found, out)?;
    }
    let count = |is_gap: bool, sight| found.iter().filter(|d| d.is_gap() == is_gap && d.sight == sight).count();
    writeln!(
        out,
        "{} of {all} detections cannot fire, {} not for all requests; on purpose {} cannot fire, {} not for all requests",
        count(true, Sight::Blind),
        count(true, Sight::Partial),
        count(false, Sight::Blind),
        count(false, Sight::Partial)
    )
}

/// What is left out for one reason, and who does not see it.
fn on_purpose(omission: Omission, found: &[&Detection], out: &mut impl std::io::Write) -> std::io::Result<()> {
    let touched = |detection: &&&Detection| detection.omissions().any(|known| known == omission);
    let ids = |sight| -> Vec<&str> {
        let of_sight = found.iter().filter(touched).filter(|d| (d.sight == Sight::Blind && !d.is_gap()) == sight);
        of_sight.map(|detection| detection.id.as_str()).collect()
    };
    let (blind, partial) = (ids(true), ids(false));
    if blind.is_empty() && partial.is_empty() {
        return Ok(());
    }
    writeln!(out, "on purpose: {}", omission.reason())?;
    for (how, ids) in [("cannot fire", blind), ("do not fire for these requests", partial)] {
        if !ids.is_empty() {
            writeln!(out, "  {how}: {}", ids.join(", "))?;
        }
    }
    writeln!(out)
}

fn cause(cause: &Cause) -> String {
    let rule = cause.rule.map_or("no rule matches".to_owned(), |rule| format!("rule {}", rule + 1));
    if cause.stage { format!("{rule} (omits the stage)") } else { format!("{rule} (level {})", cause.level) }
}

fn words(sight: Sight) -> &'static str {
    match sight {
        Sight::Blind => "cannot fire",
        Sight::Partial => "cannot fire for some requests",
        Sight::Whole => "sees everything",
    }
}

fn text(detection: &Detection, out: &mut impl std::io::Write) -> std::io::Result<()> {
    writeln!(out, "{}: {} ({})", detection.id, words(detection.sight), detection.title)?;
    if !detection.counts.is_empty() {
        let counts = detection.counts.iter().map(|(id, sight)| format!("{id} ({})", words(*sight)));
        writeln!(out, "  counts {}", counts.collect::<Vec<_>>().join(", "))?;
    }
    for spot in detection.spots.iter().filter(|spot| spot.omission.is_none()) {
        spot_text(spot, out)?;
    }
    writeln!(out)
}

fn spot_text(spot: &BlindSpot, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let causes: Vec<String> = spot.causes.iter().map(cause).collect();
    writeln!(out, "  needs {}; caused by {}", spot.need.level, causes.join(", "))?;
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
    write!(out, "  smallest change:\n{change}")
}
