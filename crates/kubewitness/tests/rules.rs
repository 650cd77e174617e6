//! `kubewitness rules` as its user runs it, above all with rules that are wrong.

use std::path::Path;
use std::process::{Command, Output};

fn rules(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubewitness"))
        .arg("rules")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What `rules check` prints of one file, and its exit code.
fn check(name: &str, content: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(name), content).unwrap();
    let output = rules(&[&["check", name], arguments].concat(), directory.path());
    assert_eq!(text(&output.stderr), "");
    (output.status.code(), text(&output.stdout))
}

const GOOD: &str =
    "title: good\nlogsource: {product: kubernetes, service: audit}\ndetection:\n  s: {verb: get}\n  condition: s\n";

/// A Sigma rule with this detection, behind a good one.
fn sigma(detection: &str) -> String {
    format!("{GOOD}---\ntitle: bad\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n{detection}\n")
}

#[test]
fn a_wrong_sigma_rule_is_named_with_place_and_remedy_and_the_others_load() {
    for (detection, said, code) in [
        (
            "  s: {verb|containz: x}\n  condition: s",
            "f.yml:10:7: error: unknown modifier `containz` (did you mean `contains`?)",
            1,
        ),
        ("  s: {verb: get}\n  condition: selection", "f.yml:11:14: error: no selection is called `selection`", 1),
        ("  s: {verb: get}\n  condition: s and", "f.yml:11:14: error: ", 1),
        (
            "  s: {requestURI|re: '(a{1000}){1000}'}\n  condition: s",
            "error: regular expression is larger than the limit",
            1,
        ),
        ("  s: {verb|expand: '%verbs%'}\n  condition: s", "error: placeholder `%verbs%` has no value", 1),
        (
            "  s: {verbb: get}\n  condition: s",
            "f.yml:10:7: error: no audit event has a field `verbb`: a test of it never holds (did you mean `verb`?)",
            1,
        ),
        ("  s: {verb: replace}\n  condition: s", "error: `bad` can never match: `replace` is no verb of Kubernetes", 1),
        ("  s: {responseStatus.code: DENY}\n  condition: s", "`responseStatus.code` is a number, never `deny`", 1),
        ("  s: {verb: get}\n  t: {verb: list}\n  condition: s and t", "`verb` would need two values at once", 1),
    ] {
        let (exit, told) = check("f.yml", &sigma(detection), &[]);
        assert!(told.contains(said), "want {said}\n{told}");
        assert_eq!(exit, Some(code), "{told}");
        let loads = told.contains("never match");
        let loaded = if loads { "2 rules" } else { "1 rules" };
        assert!(told.lines().any(|line| line.starts_with(loaded)), "{told}");
        assert_eq!(check("f.yml", &sigma(detection), &["--strict"]).0, Some(1), "{told}");
    }
}

#[test]
fn a_wrong_falco_rule_is_named_with_place_and_remedy_and_the_others_load() {
    let rule = |name: &str, condition: &str, output: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: INFO\n  source: k8s_audit\n"
        )
    };
    let file = [
        rule("wide", "ka.verb = create", "o"),
        rule("field", "ka.verbb = create", "o"),
        rule("template", "ka.verb = create", "o %ka.foo"),
        rule("macro", "late", "o"),
        "- macro: late\n  condition: ka.verb = get\n".to_owned(),
        rule("narrow", "ka.verb = create and ka.target.name = x", "o"),
        rule("body", "ka.verb = delete and not ka.req.configmap.obj contains x", "o"),
    ]
    .concat();
    let (exit, told) = check("f.yaml", &file, &["--matching", "first"]);
    assert_eq!(exit, Some(1));
    for said in [
        "f.yaml:9:14: error: unknown field `ka.verbb` (rule `field`) (did you mean `ka.verb`?)",
        "error: unknown field `%ka.foo` in the output (rule `template`)",
        "error: the macro `late` is defined only after what uses it (rule `macro`) (move it up)",
        "error: `narrow` never reports: `wide` stands before it and matches all that it does",
        "note: `body` is not as in Falco: ",
        "3 rules and 0 correlations load; 4 errors, 0 warnings, ",
    ] {
        assert!(told.contains(said), "want {said}\n{told}");
    }
    assert!(
        check("f.yaml", &file, &[]).1.contains("note: `narrow` never reports where the first match counts: `wide`")
    );
}

#[test]
fn hostile_files_are_refused_soon() {
    let mut laughs = "title: laughs\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let parts = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{parts}]\n"));
    }
    for (content, said) in [
        (laughs, "error: more than the limit of 500000 values"),
        (
            format!("title: deep\ndetection: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
            "error: not YAML: recursion limit",
        ),
        (
            sigma(&format!("  s: {{verb: get}}\n  condition: {}s{}", "(".repeat(20_000), ")".repeat(20_000))),
            "error: condition nested deeper",
        ),
        (
            sigma(&format!("  s: {{verb: get}}\n  condition: {}s", "not ".repeat(100_000))),
            "error: condition longer than the limit",
        ),
        ("title: [\n".to_owned(), "f.yml:2:1: error: not YAML"),
        ("\0\u{1}title: x".to_owned(), "error: not YAML"),
    ] {
        let started = std::time::Instant::now();
        let (exit, told) = check("f.yml", &content, &[]);
        assert!(told.contains(said), "want {said}\n{}", told.chars().take(2_000).collect::<String>());
        assert_eq!(exit, Some(1));
        assert!(started.elapsed().as_secs() < 20);
    }
}

#[test]
fn a_rule_is_explained_in_each_language() {
    let here = Path::new(".");
    for (language, parts) in [
        ("en", ["high", "What makes it a false alarm:", "Containment:", "References:"]),
        ("zh-Hant", ["高", "可能是誤報的情形：", "處置：", "參考資料："]),
        ("zh-Hans", ["高", "可能是误报的情形：", "处置：", "参考资料："]),
    ] {
        let output = rules(&["explain", "privileged-container", "--lang", language], here);
        let told = text(&output.stdout);
        assert!(output.status.success() && parts.iter().all(|part| told.contains(part)), "{language}: {told}");
        assert!(told.contains("kubectl -n {namespace} delete {resource} {name}"), "{told}");
    }
}

#[test]
fn a_rule_is_found_by_the_name_of_its_file_and_a_wrong_name_gets_the_nearest() {
    let here = Path::new(".");
    let told = text(&rules(&["explain", "attack-chain"], here).stdout);
    assert!(told.starts_with("One identity went through several stages"), "{told}");
    let output = rules(&["explain", "privileged-contaner"], here);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("did you mean `privileged-container`?"), "{}", text(&output.stderr));
}
