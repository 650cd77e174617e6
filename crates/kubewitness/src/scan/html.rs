//! The report as one HTML file: no script, no request to anywhere, readable in light and dark.

use std::io::{self, Write};

use finding::{Language, Story};

use super::{Report, by_rule, words};
use crate::printable::html as safe;

const HEAD: &str = r#"<!doctype html>
<html lang="LANGUAGE"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>KubeWitness: TITLE</title>
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
    let language = report.language;
    let title = language.pick(["what happened", "發生了什麼事", "发生了什么事"]);
    out.write_all(HEAD.replace("LANGUAGE", language.tag()).replace("TITLE", title).as_bytes())?;
    let heading = language.pick(["What happened", "發生了什麼事", "发生了什么事"]);
    writeln!(out, "<h1>{heading}</h1><p class=dim>{}</p>", summary(report))?;
    if report.stories.is_empty() {
        let nothing = language.pick([
            "Nothing was found that needs a reader.",
            "沒有需要有人查看的發現。",
            "没有需要有人查看的发现。",
        ]);
        writeln!(out, "<p>{nothing}</p>")?;
    }
    for story in &report.stories {
        tell(out, report, story)?;
    }
    rules(out, report)?;
    writeln!(out, "</body></html>")
}

fn summary(report: &Report) -> String {
    let language = report.language;
    let parts =
        [Some(words::read(language, report)), words::left_out(language, report), Some(words::found(language, report))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let [between, end] = language.pick([["; ", "."], ["；", "。"], ["；", "。"]]);
    format!("{}{end}", parts.join(between))
}

fn tell(out: &mut impl Write, report: &Report, story: &Story) -> io::Result<()> {
    let (language, severity) = (report.language, story.severity.name());
    let badge = language.severity(story.severity);
    writeln!(out, "<article style=\"--tone:var(--{severity})\"><span class=badge>{badge}</span>")?;
    writeln!(out, "<h2>{}. {}</h2>", story.number, safe(&story.headline))?;
    writeln!(out, "<table><tbody>")?;
    for moment in &story.timeline {
        let times = if moment.times > 1 {
            format!(" <span class=dim>{}</span>", words::more(language, moment.times - 1))
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
            language.outcome(moment.outcome)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    reach(out, story, language)?;
    next(out, story, language)?;
    why(out, report, story)?;
    writeln!(out, "</article>")
}

fn reach(out: &mut impl Write, story: &Story, language: Language) -> io::Result<()> {
    let reach = &story.reach;
    let heading = language.pick(["How far it went:", "影響範圍：", "影响范围："]);
    write!(out, "<p><b>{heading}</b> {}", words::reach(language, reach))?;
    let labels = language.pick([
        ["namespaces", "kinds", "addresses"],
        ["命名空間", "資源種類", "來源位址"],
        ["命名空间", "资源种类", "来源地址"],
    ]);
    for (label, list) in [
        (labels[0], &reach.namespaces),
        (labels[1], &reach.resources),
        (labels[2], &reach.addresses),
        ("ATT&amp;CK", &reach.techniques),
    ] {
        if !list.is_empty() {
            write!(out, "; {label}: {}", safe(&list.join(", ")))?;
        }
    }
    writeln!(out, "</p>")
}

fn next(out: &mut impl Write, story: &Story, language: Language) -> io::Result<()> {
    if story.next.is_empty() {
        return Ok(());
    }
    let heading = language.pick(["What to do now", "現在該做什麼", "现在该做什么"]);
    writeln!(out, "<p><b>{heading}</b></p><pre>{}</pre>", safe(&story.next.join("\n")))
}

/// Each rule once: what it means, why it fired, what would make it a false alarm.
fn why(out: &mut impl Write, report: &Report, story: &Story) -> io::Result<()> {
    let language = report.language;
    let heading = language.pick([
        "Why, and what would make it a false alarm",
        "判斷依據，以及什麼情況屬於誤報",
        "判断依据，以及什么情况属于误报",
    ]);
    let false_alarm = language.pick(["False alarm if:", "可能是誤報：", "可能是误报："]);
    writeln!(out, "<details><summary>{heading}</summary><ul>")?;
    let mut told: Vec<&str> = Vec::new();
    for finding in story.findings.iter().map(|&i| &report.findings[i]) {
        if told.contains(&finding.rule.id.as_str()) {
            continue;
        }
        told.push(&finding.rule.id);
        write!(out, "<li><b>{}</b> {}", safe(&finding.rule.title), safe(&finding.rule.description))?;
        for because in finding.why.iter() {
            write!(
                out,
                "<br><code>{} {}</code> <span class=dim>{}</span>",
                safe(&because.field),
                safe(&because.condition),
                safe(&because.value)
            )?;
        }
        for false_positive in finding.false_positives.iter() {
            write!(out, "<br><i>{false_alarm}</i> {}", safe(false_positive))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul></details>")
}

fn rules(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let language = report.language;
    let [heading, severity, findings, rule] = language.pick([
        ["Rules that fired", "Severity", "Findings", "Rule"],
        ["觸發的規則", "嚴重程度", "發現數", "規則"],
        ["触发的规则", "严重程度", "发现数", "规则"],
    ]);
    writeln!(out, "<h2>{heading}</h2><table><thead><tr><th>{severity}<th>{findings}<th>{rule}</tr></thead><tbody>")?;
    for (finding, count) in by_rule(&report.findings) {
        let severity = language.severity(finding.severity);
        writeln!(out, "<tr><td>{severity}<td>{count}<td>{}</tr>", safe(&finding.rule.title))?;
    }
    writeln!(out, "</tbody></table>")
}
