//! The audit model: events, wrappers, and where each value stands in the bytes.
