//! What the reports say besides the findings, in each language.

use std::collections::HashMap;
use std::sync::Arc;

use finding::{Finding, Language, Severity};
use rule::{Dictionary, RuleSet};
use unicode_width::UnicodeWidthStr as _;

use super::Report;

/// The findings as they are told in a language: what built-in rules say, and a sentence each. What has no translation
/// stays in English.
pub(super) fn translated(mut findings: Vec<Finding>, language: Language, rules: &RuleSet) -> Vec<Finding> {
    let Some(dictionary) = Dictionary::of(language.tag()) else { return findings };
    let advice = containment(rules);
    for finding in &mut findings {
        if let Some(translation) = dictionary.rule(&finding.rule.id) {
            let rule = Arc::make_mut(&mut finding.rule);
            rule.title.clone_from(&translation.title);
            rule.description.clone_from(&translation.description);
        }
        finding.false_positives =
            finding.false_positives.iter().map(|alarm| dictionary.phrase(alarm).to_owned()).collect();
        for because in Arc::make_mut(&mut finding.why) {
            because.condition = dictionary.condition(&because.condition).into();
        }
        if let Some(template) = advice.get(finding.rule.id.as_str()) {
            finding.containment = finding.fill(&dictionary.containment(template.trim()));
        }
        finding.story = language.sentence(finding, &finding.rule.title);
    }
    findings
}

/// Containment advice by rule, before its placeholders are filled.
fn containment(rules: &RuleSet) -> HashMap<&str, &str> {
    let of_rules = rules.rules().iter().map(|rule| (&rule.meta.id, &rule.meta.extension));
    let of_correlations = rules.correlations().iter().map(|of| (&of.meta.id, &of.meta.extension));
    of_rules.chain(of_correlations).map(|(id, extension)| (id.as_str(), extension.containment.as_str())).collect()
}

/// `text` filled up with blanks to a width on the screen, on which Chinese characters are two columns wide.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The name of a severity as a badge.
pub(super) fn badge(language: Language, severity: Severity) -> String {
    language.severity(severity).to_uppercase()
}

/// A number with its noun, in English.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What was read: events, times, rules.
pub(super) fn read(language: Language, report: &Report) -> String {
    let (events, rules) = (report.heard.events, report.rules);
    let Some((first, last)) = report.span else {
        return language.pick([
            format!("{}, {}", counted(events, "event", "events"), counted(rules as u64, "rule", "rules")),
            format!("{events} 筆事件，{rules} 條規則"),
            format!("{events} 条事件，{rules} 条规则"),
        ]);
    };
    language.pick([
        format!(
            "{} from {first:.0} to {last:.0}, {}",
            counted(events, "event", "events"),
            counted(rules as u64, "rule", "rules")
        ),
        format!("{events} 筆事件，自 {first:.0} 至 {last:.0}，{rules} 條規則"),
        format!("{events} 条事件，自 {first:.0} 至 {last:.0}，{rules} 条规则"),
    ])
}

/// What was left out, if anything.
pub(super) fn left_out(language: Language, report: &Report) -> Option<String> {
    let count = report.heard.quarantined;
    (count > 0).then(|| {
        language.pick([
            match count {
                1 => "1 record is no audit event and was left out".to_owned(),
                _ => format!("{count} records are no audit events and were left out"),
            },
            format!("{count} 筆紀錄不是稽核事件，未列入"),
            format!("{count} 条记录不是审计事件，未计入"),
        ])
    })
}

/// How much was found.
pub(super) fn found(language: Language, report: &Report) -> String {
    let (stories, findings) = (report.stories.len(), report.findings.len() + report.untold);
    language.pick([
        format!(
            "{} from {}",
            counted(stories as u64, "story", "stories"),
            counted(findings as u64, "finding", "findings")
        ),
        format!("共 {stories} 個事件經過，{findings} 項發現"),
        format!("共 {stories} 个事件经过，{findings} 项发现"),
    ])
}

/// Repeats of a moment.
pub(super) fn more(language: Language, count: usize) -> String {
    language.pick([format!("and {count} more"), format!("另有 {count} 次"), format!("另有 {count} 次")])
}

/// How far a story went.
pub(super) fn reach(language: Language, reach: &finding::Reach) -> String {
    let finding::Reach { allowed, denied, failed, .. } = reach;
    language.pick([
        format!("{allowed} done, {denied} refused, {failed} failed"),
        format!("{allowed} 個已執行，{denied} 個遭拒絕，{failed} 個失敗"),
        format!("{allowed} 个已执行，{denied} 个被拒绝，{failed} 个失败"),
    ])
}
