//! The durable, ordered, Merkle-hashed log; the only ground state.
