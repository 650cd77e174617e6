//! The report as one HTML file: no script, no request to anywhere, readable in light and dark.

use std::io::{self, Write};

use finding::{Outcome, Story};

use super::{Report, by_rule};
use crate::printable::html as safe;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>KubeWitness: what happened</title>
<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--dim:#60646c;--line:#e0e1e6;--card:#f9f9fb;--critical:#b91c1c;--high:#c2410c;--medium:#a16207;--low:#0e7490;--informational:#60646c}
@media(prefers-color-scheme:dark){:root{--bg:#111113;--fg:#edeef0;--dim:#b0b4ba;--line:#2e3135;--card:#18191b;--critical:#f87171;--high:#fb923c;--medium:#facc15;--low:#22d3ee;--informational:#b0b4ba}}
body{font:15px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:.2rem 0 .6rem}
.dim{color:var(--dim)}article{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--tone);border-radius:8px;padding:1rem 1.2rem;margin:1.2rem 0}
.badge{color:var(--tone);font-weight:700;text-transform:uppercase;font-size:.8rem;letter-spacing:.04em}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem .25rem 0;vertical-align:top;border-bottom:1px solid var(--line)}
td.time{white-space:nowrap;font-variant-numeric:tabular-nums}code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.6rem;overflow-x:auto}
td{overflow-wrap:anywhere}details{margin-top:.5rem}summary{cursor:pointer}
@media print{article{break-inside:avoid}}
</style></head><body>
"#;

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    writeln!(out, "<h1>What happened</h1><p class=dim>{}</p>", summary(report))?;
    if report.stories.is_empty() {
        writeln!(out, "<p>Nothing was found that needs a reader.</p>")?;
    }
    for story in &report.stories {
        tell(out, report, story)?;
    }
    rules(out, report)?;
    writeln!(out, "</body></html>")
}

fn summary(report: &Report) -> String {
    let span = report.span.map(|(first, last)| format!(" from {first:.0} to {last:.0}")).unwrap_or_default();
    let left_out = match report.heard.quarantined {
        0 => String::new(),
        count => format!(", {count} records that are no audit events"),
    };
    format!(
        "{} audit events{span}{left_out}; {} rules, {} stories, {} findings.",
        report.heard.events,
        report.rules,
        report.stories.len(),
        report.findings.len() + report.untold
    )
}

fn tell(out: &mut impl Write, report: &Report, story: &Story) -> io::Result<()> {
    let severity = story.severity.name();
    writeln!(out, "<article style=\"--tone:var(--{severity})\"><span class=badge>{severity}</span>")?;
    writeln!(out, "<h2>{}. {}</h2>", story.number, safe(&story.headline))?;
    writeln!(out, "<table><tbody>")?;
    for moment in &story.timeline {
        let times = if moment.times > 1 {
            format!(" <span class=dim>and {} more</span>", moment.times - 1)
        } else {
            String::new()
        };
        writeln!(
            out,
            "<tr><td class=time><time datetime=\"{0}\">{1}</time></td><td>{2}{times}</td><td class=dim>{3}</td><td class=dim>{4}</td></tr>",
            moment.time,
            moment.time.strftime("%H:%M:%S"),
            safe(&moment.what),
            safe(&moment.rule),
            outcome(moment.outcome)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    reach(out, story)?;
    next(out, story)?;
    why(out, report, story)?;
    writeln!(out, "</article>")
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "done",
        Outcome::Denied => "refused",
        Outcome::Failed => "failed",
    }
}

fn reach(out: &mut impl Write, story: &Story) -> io::Result<()> {
    let reach = &story.reach;
    write!(
        out,
        "<p><b>How far it went:</b> {} done, {} refused, {} failed",
        reach.allowed, reach.denied, reach.failed
    )?;
    for (label, list) in [
        ("namespaces", &reach.namespaces),
        ("kinds", &reach.resources),
        ("addresses", &reach.addresses),
        ("ATT&amp;CK", &reach.techniques),
    ] {
        if !list.is_empty() {
            write!(out, "; {label}: {}", safe(&list.join(", ")))?;
        }
    }
    writeln!(out, "</p>")
}

fn next(out: &mut impl Write, story: &Story) -> io::Result<()> {
    if story.next.is_empty() {
        return Ok(());
    }
    writeln!(out, "<p><b>What to do now</b></p><pre>{}</pre>", safe(&story.next.join("\n")))
}

/// Each rule once: what it means, why it fired, what would make it a false alarm.
fn why(out: &mut impl Write, report: &Report, story: &Story) -> io::Result<()> {
    writeln!(out, "<details><summary>Why, and what would make it a false alarm</summary><ul>")?;
    let mut told: Vec<&str> = Vec::new();
    for finding in story.findings.iter().map(|&i| &report.findings[i]) {
        if told.contains(&finding.rule.id.as_str()) {
            continue;
        }
        told.push(&finding.rule.id);
        write!(out, "<li><b>{}</b> {}", safe(&finding.rule.title), safe(&finding.rule.description))?;
        for because in &finding.why {
            write!(
                out,
                "<br><code>{} {}</code> <span class=dim>{}</span>",
                safe(&because.field),
                safe(&because.condition),
                safe(&because.value)
            )?;
        }
        for false_positive in &finding.false_positives {
            write!(out, "<br><i>False alarm if:</i> {}", safe(false_positive))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul></details>")
}

fn rules(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Rules that fired</h2><table><thead><tr><th>Severity<th>Findings<th>Rule</tr></thead><tbody>")?;
    for (finding, count) in by_rule(&report.findings) {
        writeln!(out, "<tr><td>{}<td>{count}<td>{}</tr>", finding.severity, safe(&finding.rule.title))?;
    }
    writeln!(out, "</tbody></table>")
}
