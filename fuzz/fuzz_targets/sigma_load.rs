//! Any text is a rule file with problems, never a crash; what loads compiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rule::{Options, RuleSet, Source, load_sigma};

fuzz_target!(|text: &str| {
    let set = RuleSet::compile(load_sigma(&Source::new("fuzz.yml", text)), Options::default());
    set.check();
});
