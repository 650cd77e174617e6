//! Kubernetes audit policies: load, evaluate, explain, lint, diff, generate.
