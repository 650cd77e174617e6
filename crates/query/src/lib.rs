//! The query language: text to a typed tree, and the naive evaluator that defines its meaning.
