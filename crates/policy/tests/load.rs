//! Every document of the conformance vectors loads, or fails, exactly as in the API server.

mod vectors;

use base64::Engine as _;
use policy::ServerVersion;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    yaml: Option<String>,
    yaml_b64: Option<String>,
    ok: bool,
    error: Option<String>,
    error_class: Option<String>,
    warning: Option<String>,
    policy: Option<serde_json::Value>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        match (&self.yaml, &self.yaml_b64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(encoded)) => base64::prelude::BASE64_STANDARD.decode(encoded).expect("base64"),
            (None, None) => panic!("{}: no document", self.id),
        }
    }

    fn differences(&self) -> Vec<String> {
        let loaded = policy::load(&self.bytes(), ServerVersion::DEFAULT);
        let mut differences = Vec::new();
        let mut expect = |what: &str, wanted: String, found: String| {
            if wanted != found {
                differences.push(format!("{} {what}\n  wanted {wanted}\n  found  {found}", self.id));
            }
        };
        expect("ok", self.ok.to_string(), loaded.policy.is_ok().to_string());
        expect("warning", format!("{:?}", self.warning), format!("{:?}", loaded.warning));
        let error = loaded.policy.as_ref().err().map(ToString::to_string);
        expect("error", format!("{:?}", self.error), format!("{error:?}"));
        if self.error_class.as_deref() == Some("yaml-syntax") {
            let is_yaml = matches!(loaded.policy, Err(policy::LoadError::Yaml { .. }));
            expect("class", "yaml".to_owned(), if is_yaml { "yaml" } else { "other" }.to_owned());
        }
        if let (Some(wanted), Ok(found)) = (&self.policy, &loaded.policy) {
            expect("policy", wanted.to_string(), found.to_json());
        }
        differences
    }
}

#[test]
fn documents_load_as_in_the_server() {
    let cases: Vec<Case> = vectors::read("load.jsonl.zst");
    assert!(cases.len() > 900, "only {} cases", cases.len());
    let differences: Vec<String> = cases.iter().flat_map(Case::differences).collect();
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences, the first:\n{shown}", differences.len());
}
