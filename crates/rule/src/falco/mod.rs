//! The Falco language for Kubernetes audit events.

mod field;
mod pointer;

pub use field::FalcoField;
