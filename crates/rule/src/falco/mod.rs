//! The Falco language for Kubernetes audit events: rule files in load order → rules.

mod collect;
mod detection;
mod exception;
mod extract;
mod field;
mod grammar;
mod import;
mod lex;
mod output;
mod pod;
mod pointer;
mod resolve;
mod transform;
mod translate;

pub use field::{Argument, FalcoField};
pub use import::{Imported, ImportedRule, import_falco};
pub use transform::Transformer;

use crate::problem::Source;
use crate::rule::Loaded;

/// The source whose rules are evaluated.
pub(crate) const SOURCE: &str = "k8s_audit";

/// Loads Falco rule files in this order: later files change what earlier ones define. What is wrong with one item costs
/// that one alone.
pub fn load_falco(sources: &[Source]) -> Loaded {
    let mut collected = collect::Collected::default();
    for source in sources {
        collected.add(source);
    }
    resolve::rules(collected)
}
