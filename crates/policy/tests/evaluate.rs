//! Every case of the conformance vectors is decided as in the API server.

mod vectors;

use policy::{Evaluator, Request, ServerVersion};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Policy {
        id: String,
        yaml: String,
    },
    #[serde(rename_all = "camelCase")]
    Case {
        policy: String,
        attrs: Box<Request<'static>>,
        level: String,
        #[serde(default)]
        omit_stages: Vec<String>,
        #[serde(default)]
        omit_managed_fields: bool,
        rule: i64,
    },
}

#[test]
fn requests_are_decided_as_in_the_server() {
    let mut current = None;
    let mut cases = 0;
    for line in vectors::read::<Line>("eval.jsonl.zst") {
        match line {
            Line::Policy { id, yaml } => {
                let loaded = policy::load(yaml.as_bytes(), ServerVersion::DEFAULT);
                current = Some((id, Evaluator::new(&loaded.policy.expect("loads"))));
            }
            Line::Case { policy, attrs, level, omit_stages, omit_managed_fields, rule } => {
                let (id, evaluator) = current.as_ref().expect("a policy before its cases");
                assert_eq!(*id, policy);
                let found = evaluator.decide(&attrs);
                let stages: Vec<String> = found.omit_stages.iter().map(ToString::to_string).collect();
                let index = found.rule.map_or(-1, |rule| rule as i64);
                let found = (found.level.name(), &stages, found.omit_managed_fields, index);
                let wanted = (level.as_str(), &omit_stages, omit_managed_fields, rule);
                assert_eq!(wanted, found, "{id}: {attrs:?}");
                cases += 1;
            }
        }
    }
    assert!(cases > 25_000, "only {cases} cases");
}
