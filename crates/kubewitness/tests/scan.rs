//! `kubewitness scan` as a person or a pipeline runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const BINDING: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"6f1a0f0e-0000-4000-8000-000000000001","stage":"ResponseComplete","requestURI":"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings","verb":"create","user":{"username":"eve@example.com","groups":["system:authenticated"]},"sourceIPs":["203.0.113.7"],"userAgent":"kubectl/v1.36.0 (linux/amd64)","objectRef":{"resource":"clusterrolebindings","name":"pwn","apiGroup":"rbac.authorization.k8s.io","apiVersion":"v1"},"responseStatus":{"code":201},"requestObject":{"kind":"ClusterRoleBinding","metadata":{"name":"pwn"},"subjects":[{"kind":"User","name":"eve@example.com"}],"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}},"requestReceivedTimestamp":"2026-11-21T23:40:00.000000Z","stageTimestamp":"2026-11-21T23:40:00.010000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

const LEASE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"6f1a0f0e-0000-4000-8000-000000000002","stage":"ResponseComplete","requestURI":"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-1?timeout=10s","verb":"update","user":{"username":"system:node:worker-1","groups":["system:nodes","system:authenticated"]},"sourceIPs":["10.0.0.4"],"userAgent":"kubelet/v1.36.0 (linux/amd64)","objectRef":{"resource":"leases","namespace":"kube-node-lease","name":"worker-1","apiGroup":"coordination.k8s.io","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-21T23:40:01.000000Z","stageTimestamp":"2026-11-21T23:40:01.001000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

fn scan(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubewitness"))
        .arg("scan")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn findings_are_lines_with_stable_keys_when_piped() {
    let output = scan(&[], &format!("{LEASE}\n{BINDING}\n"));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let findings: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let grave: Vec<_> =
        findings.iter().filter(|f| matches!(f["severity"].as_str(), Some("high" | "critical"))).collect();
    assert!(!grave.is_empty(), "{lines}");
    let finding = grave[0];
    assert_eq!(finding["time"], "2026-11-21T23:40:00.010000Z");
    assert_eq!(finding["rule"]["source"], "builtin");
    assert_eq!(finding["actor"]["user"], "eve@example.com");
    assert_eq!(finding["object"]["name"], "pwn");
    assert_eq!(finding["outcome"], "allowed");
    assert_eq!(finding["events"][0]["index"], 1);
    assert_eq!(finding["events"][0]["auditID"], "6f1a0f0e-0000-4000-8000-000000000001");
    for key in ["id", "title"] {
        assert!(finding["rule"][key].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
    }
    assert!(finding["story"].as_str().is_some_and(|story| story.contains("eve@example.com")), "{finding}");
    assert!(finding["why"].as_array().is_some_and(|why| !why.is_empty()), "{finding}");
    assert!(finding["techniques"].as_array().is_some_and(|techniques| !techniques.is_empty()), "{finding}");
}

#[test]
fn ordinary_traffic_is_quiet() {
    let output = scan(&[], &format!("{LEASE}\n"));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

#[test]
fn the_threshold_decides_the_exit_code() {
    assert_eq!(scan(&["--no-builtin"], BINDING).status.code(), Some(0));
    let output = scan(&["--fail-on", "grave"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("informational, low, medium, high or critical"));
}

#[test]
fn reports_tell_the_story_and_trust_no_text() {
    let hostile = BINDING.replace("eve@example.com", "<script>alert(1)</script>");
    let html = text(&scan(&["-o", "html"], &hostile).stdout);
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    let table = text(&scan(&["-o", "table"], &BINDING.replace("eve@", "\\u001b[31meve@")).stdout);
    assert!(!table.contains('\u{1b}'), "{table}");
    let sarif: serde_json::Value = serde_json::from_slice(&scan(&["-o", "sarif"], BINDING).stdout).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    assert!(sarif["runs"][0]["results"].as_array().is_some_and(|results| !results.is_empty()));
}

#[test]
fn what_cannot_be_read_is_told() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kubewitness")).args(["scan", "no-such-file"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot read no-such-file"));
}

#[test]
fn reports_are_told_in_chinese() {
    for (language, lang, heading, title) in
        [("zh-Hant", "zh-Hant", "發生了什麼事", "現在該做什麼"), ("zh-Hans", "zh-Hans", "发生了什么事", "现在该做什么")]
    {
        let html = text(&scan(&["-o", "html", "--lang", language], BINDING).stdout);
        for part in [&format!("<html lang=\"{lang}\">"), heading, title] {
            assert!(html.contains(part), "{part}: {html}");
        }
        for english in ["What happened", "Rules that fired", "more signs", ">critical<", "How far"] {
            assert!(!html.contains(english), "{english}: {html}");
        }
        // What programs read is English whatever the language is.
        let lines = text(&scan(&["--lang", language], BINDING).stdout);
        assert_eq!(lines, text(&scan(&[], BINDING).stdout));
    }
    for (language, condition, alarm) in [
        ("zh-Hant", "verb 為 &quot;create&quot;", "建置叢集或新增管理員群組"),
        ("zh-Hans", "verb 为 &quot;create&quot;", "搭建集群或新增管理员组"),
    ] {
        let told = text(&scan(&["-o", "html", "--lang", language], &format!("{BINDING}\n")).stdout);
        for part in [condition, alarm] {
            assert!(told.contains(part), "{language}: no {part}\n{told}");
        }
        assert!(!told.contains("is &quot;"), "{language}: {told}");
    }
    let table = text(&scan(&["-o", "table", "--lang", "zh-Hant"], &format!("{BINDING}\n{LEASE}\n")).stdout);
    assert!(table.contains("嚴重程度") && table.contains("eve@example.com 建立 clusterrolebindings pwn："), "{table}");
    assert_eq!(scan(&["--lang", "de"], "").status.code(), Some(2));
}

#[test]
fn sarif_names_the_file_and_the_line_of_each_finding() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.log"), format!("{LEASE}\n{LEASE}\n")).unwrap();
    std::fs::write(directory.path().join("b.log"), format!("{LEASE}\n{BINDING}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kubewitness"))
        .args(["scan", "-o", "sarif", "a.log", "b.log"])
        .current_dir(directory.path())
        .output()
        .expect("the binary starts");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = told["runs"][0]["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["startLine"]), (&"b.log".into(), &2.into()));
    }
    let piped: serde_json::Value = serde_json::from_slice(&scan(&["-o", "sarif"], BINDING).stdout).expect("JSON");
    assert_eq!(piped["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "stdin");
}
