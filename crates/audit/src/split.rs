//! Any input → items with their exact bytes.
