//! Any two texts are rule files with problems, never a crash; what loads compiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rule::{Options, RuleSet, Source, load_falco};

fuzz_target!(|texts: (&str, &str)| {
    let sources = [Source::new("first.yaml", texts.0), Source::new("second.yaml", texts.1)];
    let set = RuleSet::compile(load_falco(&sources), Options::default());
    set.check();
    set.differences();
});
