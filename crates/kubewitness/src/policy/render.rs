//! Issues as text, JSON, SARIF and GitHub annotations.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use policy::{Issue, LINTS, Severity};
use serde_json::{Value, json};

/// Issues of one file.
pub(crate) struct FileIssues {
    pub(crate) file: String,
    pub(crate) issues: Vec<Issue>,
    pub(crate) fixed: Vec<Issue>,
}

fn severity(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("error", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("warning", AnsiColor::Yellow.on_default().bold()),
        Severity::Note => ("note", AnsiColor::Cyan.on_default()),
    }
}

fn place(file: &str, issue: &Issue) -> String {
    match issue.span {
        Some(span) => format!("{file}:{}:{}", span.line, span.column),
        None => file.to_owned(),
    }
}

pub(crate) fn text(files: &[FileIssues], out: &mut dyn Write) -> std::io::Result<()> {
    for found in files {
        for issue in &found.fixed {
            let title = issue.fix.as_ref().map_or("", |fix| fix.title.as_str());
            writeln!(out, "{}: fixed[{}]: {} ({title})", place(&found.file, issue), issue.lint.id, issue.message)?;
        }
        for issue in &found.issues {
            let (name, style) = severity(issue.lint.severity);
            let place = place(&found.file, issue);
            writeln!(out, "{place}: {style}{name}{style:#}[{}]: {}", issue.lint.id, issue.message)?;
            writeln!(out, "    why: {}", issue.lint.reason)?;
            if let Some(fix) = &issue.fix {
                writeln!(out, "    fix: {}", fix.title)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn issue_json(issue: &Issue) -> Value {
    let mut value = serde_json::to_value(issue).unwrap_or_default();
    value["severity"] = json!(issue.lint.severity);
    value["reason"] = json!(issue.lint.reason);
    value
}

/// Workflow commands that GitHub shows beside the line.
pub(crate) fn github(files: &[FileIssues], out: &mut dyn Write) -> std::io::Result<()> {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    for found in files {
        for issue in &found.issues {
            let command = match issue.lint.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "notice",
            };
            let place = issue.span.map_or(String::new(), |span| format!(",line={},col={}", span.line, span.column));
            let file = data(&found.file).replace(':', "%3A").replace(',', "%2C");
            let id = issue.lint.id;
            writeln!(out, "::{command} file={file}{place},title={id}::{}", data(&issue.message))?;
        }
    }
    Ok(())
}

/// SARIF 2.1.0, as code scanning takes it.
pub(crate) fn sarif(files: &[FileIssues]) -> Value {
    let level = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let rules: Vec<Value> = LINTS
        .iter()
        .map(|lint| {
            json!({
                "id": lint.id,
                "shortDescription": {"text": lint.summary},
                "fullDescription": {"text": lint.reason},
                "defaultConfiguration": {"level": level(lint.severity)},
            })
        })
        .collect();
    let result = |file: &str, issue: &Issue| {
        let mut location = json!({"artifactLocation": {"uri": file}});
        if let Some(span) = issue.span {
            location["region"] = json!({"startLine": span.line, "startColumn": span.column});
        }
        json!({
            "ruleId": issue.lint.id,
            "ruleIndex": LINTS.iter().position(|lint| lint.id == issue.lint.id),
            "level": level(issue.lint.severity),
            "message": {"text": issue.message},
            "locations": [{"physicalLocation": location}],
        })
    };
    let results: Vec<Value> =
        files.iter().flat_map(|found| found.issues.iter().map(|issue| result(&found.file, issue))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "kubewitness policy lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}
