//! The report at a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use finding::{Language, Moment, Outcome, Severity, Story};
use unicode_width::UnicodeWidthStr as _;

use super::{Report, by_rule, words};
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
        tell(out, story, report.language)?;
    }
    for story in report.stories.iter().skip(STORIES_IN_FULL) {
        writeln!(out, "{}  {}", badge(story.severity, report.language), safe(&story.headline))?;
    }
    rules(out, report)?;
    foot(out, report)
}

fn head(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}", words::read(report.language, report))?;
    if let Some(left_out) = words::left_out(report.language, report) {
        writeln!(out, "{left_out}")?;
    }
    writeln!(out)
}

fn tell(out: &mut impl Write, story: &Story, language: Language) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{} {bold}{}. {}{bold:#}", badge(story.severity, language), story.number, safe(&story.headline))?;
    let dim = Style::new().dimmed();
    for moment in shown(story) {
        let sign = match moment.outcome {
            Outcome::Allowed => "●",
            Outcome::Denied => "✗",
            Outcome::Failed => "○",
        };
        let more = moment.times - 1;
        let times = if more > 0 { format!(" ({})", words::more(language, more)) } else { String::new() };
        let color = Style::new().fg_color(Some(color(moment.severity).into()));
        let (when, what) = (moment.time.strftime("%H:%M:%S"), safe(&moment.what));
        write!(out, "   {dim}{when}{dim:#} {color}{sign}{color:#} {what}{times}")?;
        // Some sentences hold the title already.
        match moment.what.contains(&moment.rule) {
            true => writeln!(out)?,
            false => writeln!(out, " {dim}[{}]{dim:#}", safe(&moment.rule))?,
        }
    }
    if story.timeline.len() > MOMENTS_SHOWN {
        let rest = story.timeline.len() - MOMENTS_SHOWN;
        let signs = language.pick(["lesser signs", "個較輕微的跡象", "个较轻微的迹象"]);
        writeln!(out, "   {dim}… {rest} {signs}{dim:#}")?;
    }
    let reach = &story.reach;
    let part = |label: [&str; 3], list: &[String]| match list.is_empty() {
        true => String::new(),
        false => {
            let list = list.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            format!("  {} {}", language.pick(label), safe(&list))
        }
    };
    writeln!(
        out,
        "   {dim}{}{dim:#} {}{}{}{}",
        language.pick(["reach:", "影響範圍：", "影响范围："]),
        words::reach(language, reach),
        part(["in", "命名空間", "命名空间"], &reach.namespaces),
        part(["from", "來自", "来自"], &reach.addresses),
        part(["ATT&CK"; 3], &reach.techniques)
    )?;
    let next = language.pick(["next:", "下一步：", "下一步："]);
    for step in story.next.iter().take(STEPS_SHOWN) {
        writeln!(out, "   {dim}{next}{dim:#} {}", safe(step))?;
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
    let language = report.language;
    if report.findings.is_empty() {
        return writeln!(out, "{}", language.pick(["Nothing found.", "沒有發現。", "没有发现。"]));
    }
    let severity = language.pick(["SEVERITY", "嚴重程度", "严重程度"]);
    let [count, rule] = language.pick([["COUNT", "RULE"], ["次數", "規則"], ["次数", "规则"]]);
    let count = format!("{}{count}", " ".repeat(7_usize.saturating_sub(count.width())));
    writeln!(out, "{} {count}  {rule}", words::padded(severity, 15))?;
    for (finding, count) in by_rule(&report.findings) {
        let color = Style::new().fg_color(Some(color(finding.severity).into()));
        let severity = words::padded(language.severity(finding.severity), 15);
        writeln!(out, "{color}{severity}{color:#} {count:>7}  {}", safe(&finding.rule.title))?;
    }
    Ok(())
}

fn foot(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let (language, untold) = (report.language, report.untold);
    writeln!(out, "\n{}", words::found(language, report))?;
    if untold > 0 {
        let said = language.pick([
            "findings are not in the stories; -o ndjson shows all",
            "項發現未列入事件經過；-o ndjson 可顯示全部",
            "项发现未列入事件经过；-o ndjson 可显示全部",
        ]);
        writeln!(out, "{untold} {said}")?;
    }
    let [report, findings, pipelines] = language.pick([
        ["report:", "findings:", "pipelines:"],
        ["報告：", "發現：", "管線："],
        ["报告：", "发现：", "流水线："],
    ]);
    let dim = Style::new().dimmed();
    writeln!(
        out,
        "{dim}{report} kubewitness scan … -o html > report.html   {findings} -o ndjson   {pipelines} -o sarif{dim:#}"
    )
}

fn badge(severity: Severity, language: Language) -> String {
    let style = Style::new().bold().fg_color(Some(color(severity).into()));
    format!("{style}{}{style:#}", words::padded(&words::badge(language, severity), 8))
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
