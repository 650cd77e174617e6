//! SARIF 2.1.0 (OASIS), for pipelines and code hosts. Text that comes from the log stays text.

use std::io::{self, Write};

use finding::{Finding, Severity};
use serde_json::{Value, json};

use super::{Report, by_rule};

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let rules: Vec<Value> = by_rule(&report.findings).into_iter().map(|(finding, _)| rule(finding)).collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(report, finding)).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubewitness",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn rule(finding: &Finding) -> Value {
    json!({
        "id": finding.rule.id,
        "shortDescription": {"text": finding.rule.title},
        "fullDescription": {"text": match finding.rule.description.as_str() {
            "" => finding.rule.title.as_str(),
            description => description,
        }},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {"tags": *finding.techniques, "security-severity": score(finding.severity)},
    })
}

fn result(report: &Report, finding: &Finding) -> Value {
    let index = finding.events.last().map_or(0, |event| event.index);
    let (uri, line) = match report.heard.place(index) {
        Some((path, line)) if path.as_os_str() != "-" => (path.display().to_string(), line),
        Some((_, line)) => ("stdin".to_owned(), line),
        None => ("audit.log".to_owned(), index),
    };
    json!({
        "ruleId": finding.rule.id,
        "level": level(finding.severity),
        "message": {"text": finding.story},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri},
                "region": {"startLine": line + 1},
            },
            "logicalLocations": [{"fullyQualifiedName": finding.object.to_string(), "kind": "resource"}],
        }],
        "partialFingerprints": {"kubewitness/v1": finding.fingerprint},
        "properties": {"time": finding.time.to_string(), "actor": finding.actor.user, "severity": finding.severity},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "note",
    }
}

/// Numbers on the scale of CVSS, by which code hosts sort.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Informational => "0.0",
    }
}
