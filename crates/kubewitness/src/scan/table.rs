//! The report at a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use finding::{Moment, Outcome, Severity, Story};

use super::{Report, by_rule};
use crate::printable::terminal as safe;

/// Stories that are told in full; the others are listed by headline.
const STORIES_IN_FULL: usize = 12;
/// Moments of one story that are shown.
const MOMENTS_SHOWN: usize = 14;
/// Steps that are advised a story.
const STEPS_SHOWN: usize = 4;

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    head(out, report)?;
    for story in report.stories.iter().take(STORIES_IN_FULL) {
        tell(out, story)?;
    }
    for story in report.stories.iter().skip(STORIES_IN_FULL) {
        writeln!(out, "{}  {}", badge(story.severity), safe(&story.headline))?;
    }
    rules(out, report)?;
    foot(out, report)
}

fn head(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let heard = &report.heard;
    write!(out, "{} events", heard.events)?;
    if let Some((first, last)) = report.span {
        write!(out, " from {first:.0} to {last:.0}")?;
    }
    writeln!(out, ", {} rules", report.rules)?;
    if heard.quarantined > 0 {
        writeln!(out, "{} records are no audit events and were left out", heard.quarantined)?;
    }
    writeln!(out)
}

fn tell(out: &mut impl Write, story: &Story) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{} {bold}{}. {}{bold:#}", badge(story.severity), story.number, safe(&story.headline))?;
    let dim = Style::new().dimmed();
    for moment in shown(story) {
        let sign = match moment.outcome {
            Outcome::Allowed => "●",
            Outcome::Denied => "✗",
            Outcome::Failed => "○",
        };
        let times = if moment.times > 1 { format!(" (and {} more)", moment.times - 1) } else { String::new() };
        let color = Style::new().fg_color(Some(color(moment.severity).into()));
        writeln!(
            out,
            "   {dim}{}{dim:#} {color}{sign}{color:#} {}{times} {dim}[{}]{dim:#}",
            moment.time.strftime("%H:%M:%S"),
            safe(&moment.what),
            safe(&moment.rule)
        )?;
    }
    if story.timeline.len() > MOMENTS_SHOWN {
        writeln!(out, "   {dim}… {} lesser signs{dim:#}", story.timeline.len() - MOMENTS_SHOWN)?;
    }
    let reach = &story.reach;
    let words = |label: &str, list: &[String]| match list.is_empty() {
        true => String::new(),
        false => format!("  {label} {}", safe(&list.iter().take(5).cloned().collect::<Vec<_>>().join(", "))),
    };
    writeln!(
        out,
        "   {dim}reach:{dim:#} {} done, {} refused, {} failed{}{}{}",
        reach.allowed,
        reach.denied,
        reach.failed,
        words("in", &reach.namespaces),
        words("from", &reach.addresses),
        words("ATT&CK", &reach.techniques)
    )?;
    for step in story.next.iter().take(STEPS_SHOWN) {
        writeln!(out, "   {dim}next:{dim:#} {}", safe(step))?;
    }
    writeln!(out)
}

/// The gravest moments, in order of time.
fn shown(story: &Story) -> Vec<&Moment> {
    let mut order: Vec<usize> = (0..story.timeline.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(story.timeline[at].severity), at));
    order.truncate(MOMENTS_SHOWN);
    order.sort_unstable();
    order.into_iter().map(|at| &story.timeline[at]).collect()
}

fn rules(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.findings.is_empty() {
        return writeln!(out, "Nothing found.");
    }
    writeln!(out, "{:<15} {:>7}  RULE", "SEVERITY", "COUNT")?;
    for (finding, count) in by_rule(&report.findings) {
        let color = Style::new().fg_color(Some(color(finding.severity).into()));
        writeln!(out, "{color}{:<15}{color:#} {count:>7}  {}", finding.severity.name(), safe(&finding.rule.title))?;
    }
    Ok(())
}

fn foot(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{} stories from {} findings", report.stories.len(), report.findings.len() + report.untold)?;
    if report.untold > 0 {
        writeln!(out, "{} findings are not in the stories; -o ndjson shows all", report.untold)?;
    }
    let dim = Style::new().dimmed();
    writeln!(
        out,
        "{dim}report: kubewitness scan … -o html > report.html   findings: -o ndjson   pipelines: -o sarif{dim:#}"
    )
}

fn badge(severity: Severity) -> String {
    let style = Style::new().bold().fg_color(Some(color(severity).into()));
    format!("{style}{:<8}{style:#}", severity.name().to_uppercase())
}

fn color(severity: Severity) -> AnsiColor {
    match severity {
        Severity::Critical => AnsiColor::BrightRed,
        Severity::High => AnsiColor::Red,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
        Severity::Informational => AnsiColor::BrightBlack,
    }
}
