//! REST over the log and the store: search, proofs, health, metrics.
