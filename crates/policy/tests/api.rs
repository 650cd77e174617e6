//! The built-in table of resources against what a server of that version says it serves.

use std::collections::BTreeSet;

use policy::{Api, ServerVersion};

#[test]
fn the_table_is_what_the_server_serves() {
    let served: BTreeSet<String> = include_str!("data/resources-1.36.txt").lines().map(str::to_owned).collect();
    let api = Api::built_in("1.36".parse::<ServerVersion>().expect("a version"));
    let mut ours = BTreeSet::new();
    for group in api.group_names() {
        for (resource, subresources) in api.resources(group) {
            ours.insert(format!("{group} {resource}"));
            ours.extend(subresources.map(|subresource| format!("{group} {resource}/{subresource}")));
        }
    }
    let missing: Vec<_> = served.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&served).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:#?}, invented {invented:#?}");
}
