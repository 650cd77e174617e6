//! Commands that try a policy or a rule on recorded events: the answer is the same for a file and for the data directory
//! that it was imported into.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    users: ["system:serviceaccount:kube-system:generic-garbage-collector"]
  - level: Metadata
    verbs: ["get", "list", "watch"]
  - level: Request
"#;

const EVERYTHING: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: RequestResponse\n";

const RULE: &str = r"
title: Something was deleted
id: 0f3ce4b1-9a0f-4a35-8ec6-5c7d1a2b3c4d
logsource: {product: kubernetes, service: audit}
detection:
  deleted: {verb: delete}
  condition: deleted
level: high
";

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/life.jsonl")
}

fn run(arguments: &[&str], data_dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubewitness"))
        .args(arguments)
        .env("KUBEWITNESS_DATA_DIR", data_dir)
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

/// A directory with the recording imported, `policy.yaml`, `all.yaml` and `rule.yml`.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    for (name, text) in [("policy.yaml", POLICY), ("all.yaml", EVERYTHING), ("rule.yml", RULE)] {
        std::fs::write(world.path().join(name), text).unwrap();
    }
    let imported = run(&["import", recording().to_str().unwrap()], &world.path().join("data"));
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    world
}

fn told(world: &TempDir, arguments: &str) -> String {
    told_with(world, arguments, &[0, 1])
}

/// Standard output of a command that ends with one of some codes; `@name` is a file of the world, `@life` the recording.
fn told_with(world: &TempDir, arguments: &str, codes: &[i32]) -> String {
    let word = |word: &str| match word.strip_prefix('@') {
        Some("life") => recording().display().to_string(),
        Some(name) => world.path().join(name).display().to_string(),
        None => word.to_owned(),
    };
    let words: Vec<String> = arguments.split(' ').map(word).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words, &world.path().join("data"));
    assert!(
        output.status.code().is_some_and(|code| codes.contains(&code)),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn json(world: &TempDir, arguments: &str) -> Value {
    serde_json::from_str(&told(world, arguments)).unwrap()
}

#[test]
fn a_policy_is_simulated_on_what_was_kept() {
    let world = world();
    let file = json(&world, "policy simulate @policy.yaml -o json --from @life");
    let kept = json(&world, "policy simulate @policy.yaml -o json --since 2026-11-21");
    assert_eq!(file, kept);
    assert_eq!(file["preset"], Value::Null);
    let (read, dropped) = (&file["read"]["events"], &file["dropped"]["events"]);
    assert!(read.as_u64() > Some(5) && dropped.as_u64() > Some(0), "{file}");
    let later = json(&world, "policy simulate @policy.yaml -o json --since 2026-11-21T09:06");
    assert!(later["read"]["events"].as_u64() < read.as_u64(), "{later}");
    assert_eq!(later, json(&world, "policy simulate @policy.yaml -o json --since 2026-11-21T09:06 --from @life"));
    let web = json(&world, "policy simulate @policy.yaml -o json -n web");
    let mut web_file = json(&world, "policy simulate @policy.yaml -o json -n web --from @life");
    // What is no event has no namespace: it is told of a file, and is not among the rows that match.
    assert_eq!((&web_file["unreadable"], &web["unreadable"]), (&Value::from(2), &Value::from(0)));
    web_file["unreadable"] = web["unreadable"].clone();
    assert_eq!(web, web_file);
    assert!(web["read"]["events"].as_u64() < read.as_u64(), "{web}");
}

#[test]
fn policies_are_compared_on_what_was_kept() {
    let world = world();
    let file = json(&world, "policy diff @policy.yaml @all.yaml -o json --from @life");
    assert_eq!(file, json(&world, "policy diff @policy.yaml @all.yaml -o json --since 2026-11-21"));
    let kept = |volume: &Value| volume["after"]["events"].as_u64().unwrap();
    let changes: u64 = file["changes"].as_array().unwrap().iter().map(|change| kept(&change["volume"])).sum();
    assert_eq!(changes, kept(&file["volume"]), "no request is in two changes");
    let read = json(&world, "policy simulate @policy.yaml -o json --from @life")["read"]["events"].as_u64();
    assert_eq!(Some(changes), read, "every request is recorded differently, and all are kept");
}

#[test]
fn a_preset_stands_in_for_a_recording() {
    let world = world();
    let rate = |preset: &str| {
        let told = json(&world, &format!("policy simulate @policy.yaml -o json{preset}"));
        assert!(told["confidence"][0].as_str().is_some_and(|said| said.contains("factor of three")), "{told}");
        told["bytesPerDay"].as_f64().unwrap()
    };
    let (small, medium, large) = (rate(" --preset small"), rate(" --preset medium"), rate(" --preset large"));
    assert!(small < medium && medium < large, "{small} {medium} {large}");
    assert_eq!(medium.to_bits(), rate("").to_bits(), "medium is what is assumed");
    let both = run(&["policy", "simulate", "x", "--preset", "small", "--since", "1d"], world.path());
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_generated_policy_keeps_to_a_budget_and_builds_on_what_is_in_force() {
    let world = world();
    let generated = told(&world, "policy generate --goal gdpr --budget 700MB/day --preset small");
    std::fs::write(world.path().join("generated.yaml"), &generated).unwrap();
    let told_rate = json(&world, "policy simulate @generated.yaml -o json --preset small");
    assert!(told_rate["bytesPerDay"].as_f64() <= Some(7e8), "{told_rate}\n{generated}");
    let improved = told(&world, "policy generate --goal security --base @policy.yaml --from @life");
    std::fs::write(world.path().join("improved.yaml"), &improved).unwrap();
    assert!(improved.contains("As in the input."), "{improved}");
    let changes = json(&world, "policy diff @policy.yaml @improved.yaml -o json --from @life");
    for change in changes["changes"].as_array().unwrap() {
        assert!(change["before"]["level"] == "None" || change["after"]["level"] != "None", "{change}");
    }
    let lint = run(&["policy", "lint", world.path().join("improved.yaml").to_str().unwrap()], world.path());
    assert_eq!(lint.status.code(), Some(0), "{}", String::from_utf8_lossy(&lint.stdout));
}

/// A set of what was found: rule by title, places of the events.
fn found(world: &TempDir, arguments: &str) -> std::collections::BTreeSet<(String, String)> {
    let lines = told_with(world, arguments, &[0, 2]);
    let findings = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    findings.map(|finding| (finding["rule"]["title"].to_string(), finding["events"].to_string())).collect()
}

#[test]
fn imported_falco_rules_find_the_same_in_a_recorded_cluster() {
    let world = world();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let rules = crates.join("rule/tests/data/falco/rules/k8s_audit_rules.yaml").display().to_string();
    let lab = crates.parent().unwrap().join("testdata/lab/events.jsonl.zst").display().to_string();
    told_with(&world, &format!("rules import falco {rules} -o @imported"), &[0, 1]);
    let theirs = found(&world, &format!("scan --no-builtin --rules {rules} -o ndjson {lab}"));
    let ours = found(&world, &format!("scan --no-builtin --rules @imported -o ndjson {lab}"));
    assert!(theirs.len() > 100, "only {} findings", theirs.len());
    assert_eq!(ours.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

#[test]
fn a_rule_is_tried_on_what_was_kept() {
    let world = world();
    let without_cost =
        |told: String| told.lines().filter(|line| !line.starts_with("cost:")).collect::<Vec<_>>().join("\n");
    let file = without_cost(told(&world, "rules backtest @rule.yml --from @life"));
    assert!(file.contains("Something was deleted") && file.contains("2 findings"), "{file}");
    assert_eq!(file, without_cost(told(&world, "rules backtest @rule.yml --since 2026-11-21")));
    assert_eq!(file, without_cost(told(&world, "rules backtest @rule.yml")));
    let none = run(
        &["rules", "backtest", world.path().join("rule.yml").to_str().unwrap(), "--since", "2026-11-22"],
        &world.path().join("data"),
    );
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn what_fires_is_not_called_blind() {
    let world = world();
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("testdata/lab");
    let file = |name: &str| lab.join(name).display().to_string();
    let fired: std::collections::BTreeSet<String> =
        found(&world, &format!("scan -o ndjson {}", file("events.jsonl.zst")))
            .into_iter()
            .map(|found| found.0)
            .collect();
    let blind = json(&world, &format!("policy blind-spots --total -o json {}", file("policy.yaml")));
    for detection in blind["unseen"].as_array().unwrap() {
        let title = detection["title"].to_string();
        let mut spots = detection["spots"].as_array().unwrap().iter();
        assert!(
            !fired.contains(&title) || spots.all(|spot| spot["need"]["level"] != "Metadata"),
            "{title}: {detection}"
        );
    }
    std::fs::write(world.path().join("none.yaml"), EVERYTHING.replace("RequestResponse", "None")).unwrap();
    let all = told(&world, "policy blind-spots @none.yaml");
    let (count, rest) = all.lines().last().unwrap().split_once(" of ").unwrap();
    assert!(rest.starts_with(count), "{all}");
    assert_eq!(json(&world, "policy blind-spots @all.yaml -o json")["unseen"], Value::Array(Vec::new()));
}
