//! Generated policies meet their goals, also after economies, and pass the linter.

use policy::{
    Area, BlindSpot, Choice, GOALS, Generated, Identities, Level, LintOptions, Need, PRESETS, Pattern, ServerVersion,
    Severity, Stage, Tally, blind_spots, generate, lint, load, standards,
};

/// Needs as detections have them: of named resources at every level, of every kind, of secrets, of noise, for some users.
fn detections() -> Vec<Need> {
    let need = |id: &str, level, requests: &[(&str, &[&str], &[&str])]| Need {
        id: id.to_owned(),
        title: String::new(),
        goals: vec!["security".to_owned()],
        part_of: Vec::new(),
        requests: requests
            .iter()
            .map(|(group, resources, verbs)| Pattern {
                group: (*group).to_owned(),
                resources: resources.iter().map(|r| (*r).to_owned()).collect(),
                verbs: verbs.iter().map(|v| (*v).to_owned()).collect(),
                ..Pattern::default()
            })
            .collect(),
        never: Identities::default(),
        level,
        stages: vec![Stage::ResponseComplete],
        fields: Vec::new(),
    };
    let writes = &["create", "patch", "update"][..];
    let mut by_people = need("events-forged", Level::Request, &[("", &["events"], writes)]);
    by_people.never.groups = vec!["system:nodes".to_owned()];
    vec![
        need("exec", Level::Metadata, &[("", &["pods/exec"], &["create", "get"])]),
        need("privileged-pod", Level::Request, &[("", &["pods"], writes), ("apps", &["deployments"], writes)]),
        need("node-label", Level::Request, &[("", &["nodes", "nodes/status"], &["patch"])]),
        need("webhook-answer", Level::RequestResponse, &[("example.com", &["widgets"], &["create"])]),
        need("snapshots-deleted", Level::Metadata, &[("*", &["volumesnapshots"], &["delete", "list"])]),
        need("bypass-mark", Level::Request, &[("*", &[], writes)]),
        need("token-secret", Level::Request, &[("", &["secrets"], &["create"])]),
        need("anyone", Level::Metadata, &[("*", &[], &[])]),
        by_people,
    ]
}

fn needs() -> Vec<Need> {
    detections().into_iter().chain(standards()).collect()
}

fn of_goals(goals: &[String]) -> Vec<Need> {
    needs().into_iter().filter(|need| need.goals.iter().any(|goal| goals.contains(goal))).collect()
}

fn gaps(goals: &[String], yaml: &str, server: ServerVersion) -> Vec<BlindSpot> {
    let policy = load(yaml.as_bytes(), server).policy.expect(yaml);
    let mut blind = blind_spots(&policy, &of_goals(goals)).expect("comparable");
    blind.retain(|spot| spot.omission.is_none());
    blind
}

fn lints_cleanly(yaml: &str, server: ServerVersion) {
    let issues = lint(yaml.as_bytes(), &LintOptions::new(server)).issues;
    assert!(issues.iter().all(|issue| issue.lint.severity < Severity::Warning), "{issues:#?}\n{yaml}");
}

fn every_goal() -> Vec<Vec<String>> {
    let all: Vec<String> = GOALS.iter().map(|(goal, _)| (*goal).to_owned()).collect();
    all.iter().map(|goal| vec![goal.clone()]).chain([all.clone()]).collect()
}

fn made(goals: &[String], server: ServerVersion) -> Generated {
    generate(goals, &needs(), server).expect("comparable")
}

#[test]
fn goals_are_met_on_every_server() {
    for goals in every_goal() {
        for server in ServerVersion::all().filter(|server| [23, 35, 36, 37].contains(&server.minor_number())) {
            let yaml = made(&goals, server).to_yaml("all");
            let blind = gaps(&goals, &yaml, server);
            assert!(blind.is_empty(), "{goals:?} on {server}: {blind:#?}\n{yaml}");
            lints_cleanly(&yaml, server);
        }
    }
}

/// A budget that nothing fits into costs detections reads and elections that they do not name, and nothing else.
#[test]
fn economies_spare_what_is_named() {
    for goals in every_goal() {
        let mut generated = made(&goals, ServerVersion::DEFAULT);
        for preset in PRESETS {
            let tally = Tally::of_preset(&generated.policy(), preset);
            let rate = generated.fit(&tally, Some(0.0)).expect("a preset is a day");
            let told = Tally::of_preset(&generated.policy(), preset).kept.bytes as f64;
            assert!((rate - told).abs() < 1.0, "{rate} is {told}");
        }
        let yaml = generated.to_yaml("least");
        for spot in gaps(&goals, &yaml, ServerVersion::DEFAULT) {
            assert!(["anyone", "bypass-mark"].contains(&spot.need.id.as_str()) && !spot.total, "{spot:#?}\n{yaml}");
            let is_read = |verb: &String| ["get", "list", "watch"].contains(&verb.as_str());
            let is_spared = |area: &Area| match (&area.verbs, &area.resources) {
                (Choice::Only(verbs), _) if verbs.iter().all(is_read) => true,
                (_, Choice::Only(resources)) => *resources == ["leases"],
                _ => false,
            };
            assert!(spot.areas.iter().all(is_spared), "{spot:#?}\n{yaml}");
        }
        lints_cleanly(&yaml, ServerVersion::DEFAULT);
    }
}

#[test]
fn rules_name_what_they_serve() {
    let yaml = made(&["security".to_owned()], ServerVersion::DEFAULT).to_yaml("");
    for need in detections().iter().filter(|need| need.id != "token-secret") {
        assert!(yaml.contains(&need.id), "{} in\n{yaml}", need.id);
    }
}
