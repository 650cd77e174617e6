//! The words between detection and people: findings, severities, techniques, evidence, stories.
