//! What rule and policy authors write: YAML.

use ::policy::{LintOptions, ServerVersion, fix, lint, load, to_yaml};
use rule::{Options, RuleSet, Source, load_falco, load_sigma};

/// Any text is a Sigma file with problems, never a crash; what loads compiles.
pub fn sigma(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    RuleSet::compile(load_sigma(&Source::new("fuzz.yml", text)), Options::default()).check();
}

/// Any two texts (parted by a zero byte) are Falco files with problems, never a crash; what loads compiles.
pub fn falco(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\0').unwrap_or((text, ""));
    let sources = [Source::new("first.yaml", first), Source::new("second.yaml", second)];
    let set = RuleSet::compile(load_falco(&sources), Options::default());
    set.check();
    set.differences();
}

/// Any bytes are loaded as an audit policy for every server, linted and fixed; what loads is written back as it was.
pub fn policy(bytes: &[u8]) {
    for server in [ServerVersion::OLDEST, ServerVersion::NEWEST] {
        if let Ok(loaded) = load(bytes, server).policy {
            let again =
                load(to_yaml(&loaded).as_bytes(), ServerVersion::NEWEST).policy.expect("a written policy loads");
            assert_eq!(again.rules, loaded.rules);
        }
    }
    let options = LintOptions::new(ServerVersion::DEFAULT);
    lint(bytes, &options);
    if let Ok(text) = std::str::from_utf8(bytes) {
        fix(text, &options);
    }
}
