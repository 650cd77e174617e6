//! Columnar segments, manifest, query, retention: a fold over the ledger.
