//! Generated policies meet their goals, also after economies, and pass the linter.

use policy::{
    GOALS, LintOptions, Need, PRESETS, ServerVersion, Severity, Tally, blind_spots, built_in_needs, generate, lint,
    load,
};

fn needs_of(goals: &[String]) -> Vec<Need> {
    let wanted = |need: &Need| need.goals.iter().any(|goal| goals.contains(goal));
    built_in_needs().into_iter().filter(wanted).collect()
}

fn check(goals: &[String], yaml: &str) {
    let policy = load(yaml.as_bytes(), ServerVersion::OLDEST).policy.expect(yaml);
    let blind = blind_spots(&policy, &needs_of(goals)).expect("comparable");
    assert!(blind.is_empty(), "{goals:?}: {blind:#?}\n{yaml}");
    let issues = lint(yaml.as_bytes(), &LintOptions::new(ServerVersion::DEFAULT)).issues;
    assert!(issues.iter().all(|issue| issue.lint.severity < Severity::Warning), "{goals:?}: {issues:#?}\n{yaml}");
}

#[test]
fn goals_are_met_and_stay_met_under_economies() {
    let all: Vec<String> = GOALS.iter().map(|(goal, _)| (*goal).to_owned()).collect();
    for goals in all.iter().map(|goal| vec![goal.clone()]).chain([all.clone()]) {
        let mut generated = generate(&goals, &built_in_needs());
        check(&goals, &generated.to_yaml("all"));
        for preset in PRESETS {
            let tally = Tally::of_preset(&generated.policy(), preset);
            let rate = generated.fit(&tally, Some(0.0)).expect("a preset is a day");
            let told = Tally::of_preset(&generated.policy(), preset).kept.bytes as f64;
            assert!((rate - told).abs() < 1.0, "{rate} is {told}");
        }
        check(&goals, &generated.to_yaml("least"));
    }
}
