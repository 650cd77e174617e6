//! What must hold for any bytes that somebody else wrote.
//!
//! Each function takes the bytes and panics if its property does not hold. `fuzz_targets/` hands them to libFuzzer, and
//! `tests/replay.rs` gives them every input of `corpus/` in the ordinary tests: the seeds, and what once failed.
//!
//! Does not know how inputs are found.

mod files;
mod input;
mod rules;

pub use files::{checkpoint, frames};
pub use input::{query, split};
pub use rules::{falco, policy, sigma};

/// A property of any bytes, and where inputs for it are.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Of its fuzz target, and of its folder in `corpus/`.
    pub name: &'static str,
    /// Panics if the property does not hold for the bytes.
    pub holds: fn(&[u8]),
    /// Folders of the repository whose files are inputs too.
    pub seeds: &'static [&'static str],
}

/// Every property.
pub const PROPERTIES: &[Property] = &[
    Property { name: "checkpoint", holds: checkpoint, seeds: &[] },
    Property { name: "falco", holds: falco, seeds: &["crates/rule/tests/data/falco"] },
    Property { name: "frames", holds: frames, seeds: &[] },
    Property { name: "policy", holds: policy, seeds: &["crates/policy/tests/lints"] },
    Property { name: "query", holds: query, seeds: &[] },
    Property { name: "sigma", holds: sigma, seeds: &["crates/rule/tests/data/sigma"] },
    Property { name: "split", holds: split, seeds: &["testdata/samples"] },
];
