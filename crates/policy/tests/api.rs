//! The built-in table of resources, which is made of OpenAPI documents, against what servers answered to discovery.

use std::collections::BTreeSet;

use policy::{Api, ServerVersion};

/// A line each version, group, resource and verbs, as in `data/README.md`.
fn discovered() -> String {
    let packed = include_bytes!("data/discovery.txt.zst");
    String::from_utf8(zstd::decode_all(&packed[..]).expect("zstd")).expect("text")
}

#[test]
fn the_table_is_what_servers_answer() {
    let discovered = discovered();
    let mut checked = 0;
    for server in ServerVersion::all() {
        let version = format!("{server} ");
        let served: BTreeSet<&str> = discovered.lines().filter_map(|line| line.strip_prefix(&version)).collect();
        if served.is_empty() {
            continue; // The source of older versions does not hold their answers.
        }
        let api = Api::built_in(server);
        let ours: BTreeSet<String> = api
            .served()
            .map(|row| {
                let group = if row.group.is_empty() { "core" } else { row.group };
                let slash = if row.subresource.is_empty() { "" } else { "/" };
                format!("{group} {}{slash}{} {}", row.resource, row.subresource, row.verbs.join(","))
            })
            .collect();
        let ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
        let missing: Vec<_> = served.difference(&ours).collect();
        let invented: Vec<_> = ours.difference(&served).collect();
        assert!(missing.is_empty() && invented.is_empty(), "{server}: missing {missing:#?}, invented {invented:#?}");
        checked += 1;
    }
    assert_eq!(checked, 10);
}

/// What the deprecation guide and the release notes of Kubernetes say.
#[test]
fn resources_come_and_go_with_versions() {
    let has = |minor: u16, group: &str, resource: &str| {
        Api::built_in(ServerVersion::minor(minor).expect("a version")).has_resource(group, resource) == Some(true)
    };
    assert!(has(24, "policy", "podsecuritypolicies") && !has(25, "policy", "podsecuritypolicies"));
    assert!(!has(25, "authentication.k8s.io", "selfsubjectreviews"));
    assert!(has(26, "authentication.k8s.io", "selfsubjectreviews"));
    let resize =
        |minor| Api::built_in(ServerVersion::minor(minor).expect("a version")).has_subresource("", "pods", "resize");
    assert_eq!((resize(31), resize(32)), (Some(false), Some(true)));
}
