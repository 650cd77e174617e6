//! Golden output of every lint: `lints/<id>.yaml` is linted, `lints/<id>.txt` is what is found, and the text after
//! all fixes. Write them anew with `UPDATE_EXPECT=1`.

mod vectors;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use policy::{LINTS, LintOptions, ServerVersion, lint};
use serde::Deserialize;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints")
}

#[test]
fn every_lint_has_its_golden_output() {
    let options = LintOptions::new(ServerVersion::DEFAULT);
    for id in LINTS.iter().map(|lint| lint.id) {
        let text = std::fs::read_to_string(folder().join(format!("{id}.yaml"))).expect(id);
        let issues = lint(text.as_bytes(), &options).issues;
        assert!(issues.iter().any(|issue| issue.lint.id == id), "{id} is not found: {issues:#?}");
        let mut golden = String::new();
        for issue in &issues {
            let place = issue.span.map_or("-".to_owned(), |span| format!("{}:{}", span.line, span.column));
            writeln!(golden, "{place} {:?}[{}]: {}", issue.lint.severity, issue.lint.id, issue.message)
                .expect("string");
            if let Some(fix) = &issue.fix {
                writeln!(golden, "    fix: {}", fix.title).expect("string");
            }
        }
        let (fixed, _) = policy::fix(&text, &options);
        if fixed != text {
            write!(golden, "---- fixed\n{fixed}").expect("string");
        }
        expect_test::expect_file![folder().join(format!("{id}.txt"))].assert_eq(&golden);
    }
}

#[test]
fn fixing_a_fixed_policy_changes_nothing() {
    let options = LintOptions::new(ServerVersion::DEFAULT);
    for entry in std::fs::read_dir(folder()).expect("folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let (once, _) = policy::fix(&std::fs::read_to_string(&path).expect("text"), &options);
            let (twice, issues) = policy::fix(&once, &options);
            assert_eq!(once, twice, "{}: {issues:#?}", path.display());
        }
    }
}

#[test]
fn every_lint_has_a_page() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy/lints");
    for lint in LINTS {
        let page = std::fs::read_to_string(pages.join(format!("{}.md", lint.id)));
        assert!(page.is_ok_and(|page| page.contains(lint.summary)), "docs/policy/lints/{}.md", lint.id);
    }
}

#[derive(Deserialize)]
struct Document {
    id: String,
    origin: Option<String>,
    yaml: Option<String>,
}

/// Every rule of a published policy that is called unreachable must indeed decide none of the requests that the
/// rule by itself decides.
#[test]
fn published_policies_have_no_falsely_unreachable_rules() {
    let options = LintOptions::new(ServerVersion::DEFAULT);
    let mut checked = 0;
    for document in vectors::read::<Document>("load.jsonl.zst") {
        let (Some("realworld"), Some(text)) = (document.origin.as_deref(), &document.yaml) else { continue };
        let text = text.replace("audit.k8s.io/v1beta1", "audit.k8s.io/v1");
        let report = lint(text.as_bytes(), &options);
        assert!(!report.issues.iter().any(|issue| issue.lint.id == "too-complex"), "{}", document.id);
        let Ok(policy) = &report.loaded.policy else { continue };
        for issue in report.issues.iter().filter(|issue| issue.lint.id == "unreachable-rule") {
            let rule = issue.rule.expect("rule");
            let mut without = policy.clone();
            without.rules.remove(rule);
            let difference = policy::diff(policy, &without).expect("comparable");
            assert!(difference.changes.is_empty(), "{} rule {rule}: {:#?}", document.id, difference.changes);
        }
        checked += 1;
    }
    assert!(checked > 40, "only {checked} published policies");
}
