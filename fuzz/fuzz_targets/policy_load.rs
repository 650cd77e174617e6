//! Any bytes as an audit policy: loaded for every server version, linted, fixed and written back without panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{LintOptions, ServerVersion, lint, load, to_yaml};

fuzz_target!(|bytes: &[u8]| {
    for server in [ServerVersion::OLDEST, ServerVersion::NEWEST] {
        if let Ok(loaded) = load(bytes, server).policy {
            // What was loaded is a policy that the same server loads again, with the same meaning.
            let again = load(to_yaml(&loaded).as_bytes(), ServerVersion::NEWEST).policy.expect("a written policy loads");
            assert_eq!(again.rules, loaded.rules);
        }
    }
    let options = LintOptions::new(ServerVersion::DEFAULT);
    lint(bytes, &options);
    if let Ok(text) = std::str::from_utf8(bytes) {
        policy::fix(text, &options);
    }
});
