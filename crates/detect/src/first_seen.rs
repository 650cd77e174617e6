//! What was never seen before: combinations of values, remembered for a window.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use audit::{Event, Micros};
use rule::{FieldPath, FirstSeen};

/// Combinations remembered a rule. Beyond it the half that was not seen for longest is forgotten; those can be reported
/// as first seen again.
pub const REMEMBERED_MAX: usize = 100_000;

/// The memory of one rule.
#[derive(Debug)]
pub(crate) struct Memory {
    fields: Vec<FieldPath>,
    learn: Micros,
    window: Micros,
    last_seen: HashMap<u64, Micros>,
}

impl Memory {
    pub(crate) fn of(first_seen: &FirstSeen) -> Self {
        let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self {
            fields: first_seen.fields.iter().map(|name| FieldPath::new(name)).collect(),
            learn: micros(first_seen.learn_seconds),
            window: micros(first_seen.window_seconds),
            last_seen: HashMap::new(),
        }
    }

    /// Whether the combination is new after the learning time, which begins when the log of the cluster `started`. It is
    /// remembered either way.
    pub(crate) fn is_new(&mut self, cluster: &str, started: Micros, time: Micros, event: &Event<'_>) -> bool {
        let before = self.last_seen.insert(self.key(cluster, event), time);
        if self.last_seen.len() > REMEMBERED_MAX {
            self.forget_half();
        }
        let learning = time - started < self.learn;
        let known = before.is_some_and(|before| self.window == 0 || time - before <= self.window);
        !learning && !known
    }

    fn key(&self, cluster: &str, event: &Event<'_>) -> u64 {
        let mut hasher = DefaultHasher::new();
        cluster.hash(&mut hasher);
        hash_values(&self.fields, event, &mut hasher);
        hasher.finish()
    }

    fn forget_half(&mut self) {
        let mut times: Vec<Micros> = self.last_seen.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.last_seen.retain(|_, time| *time > median);
    }
}

/// Feeds every value of `fields` to `hasher`, and where each field ends.
pub(crate) fn hash_values(fields: &[FieldPath], event: &Event<'_>, hasher: &mut impl Hasher) {
    for field in fields {
        let mut values = 0usize;
        field.each_value(event, &mut |value| {
            value.hash(hasher);
            values += 1;
        });
        values.hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(memory: &mut Memory, user: &str, second: i64) -> bool {
        let text = format!(r#"{{"kind":"Event","auditID":"a","user":{{"username":"{user}"}}}}"#);
        memory.is_new("", 0, second * 1_000_000, &Event::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn new_after_learning_and_after_the_window() {
        let mut memory = Memory::of(&FirstSeen {
            fields: vec!["user.username".to_owned()],
            learn_seconds: 60,
            window_seconds: 3600,
        });
        assert!(!see(&mut memory, "alice", 10), "learning");
        assert!(!see(&mut memory, "alice", 70), "known");
        assert!(see(&mut memory, "eve", 71), "new");
        assert!(!see(&mut memory, "eve", 72), "no longer new");
        assert!(see(&mut memory, "alice", 3700), "forgotten after the window");
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory =
            Memory::of(&FirstSeen { fields: vec!["user.username".to_owned()], learn_seconds: 0, window_seconds: 0 });
        for i in 0..(REMEMBERED_MAX as i64 + 10) {
            see(&mut memory, &format!("u{i}"), i);
        }
        assert!(memory.last_seen.len() <= REMEMBERED_MAX);
        assert!(!see(&mut memory, &format!("u{REMEMBERED_MAX}"), 1), "the newest are kept");
    }
}
