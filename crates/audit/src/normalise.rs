//! Any format → the text of a plain audit event.
