//! Transparency-log arithmetic: RFC 6962 hashing, tiles, proofs, signed checkpoints.
