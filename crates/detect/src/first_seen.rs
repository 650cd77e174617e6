//! What was never seen before: combinations of values, remembered for a window.

use audit::Micros;
use hashbrown::HashMap;
use rule::FirstSeen;

use crate::detector::Moment;
use crate::values::{FieldId, Values};

/// Combinations remembered a rule. Beyond it the half that was not seen for longest is forgotten; those can be reported
/// as first seen again.
pub const REMEMBERED_MAX: usize = 100_000;

/// The memory of one rule.
#[derive(Debug)]
pub(crate) struct Memory {
    fields: Vec<FieldId>,
    learn: Micros,
    window: Micros,
    last_seen: HashMap<u64, Micros>,
}

impl Memory {
    pub(crate) fn of(first_seen: &FirstSeen, values: &mut Values) -> Self {
        let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self {
            fields: values.intern(&first_seen.fields),
            learn: micros(first_seen.learn_seconds),
            window: micros(first_seen.window_seconds),
            last_seen: HashMap::new(),
        }
    }

    /// Whether the combination is new after the learning time, which begins when the log of the cluster `started`. It is
    /// remembered either way.
    pub(crate) fn is_new(&mut self, moment: &Moment<'_>, started: Micros, values: &mut Values) -> bool {
        let time = moment.time;
        let before = self.last_seen.insert(values.key(&self.fields, moment.observed.event), time);
        if self.last_seen.len() > REMEMBERED_MAX {
            self.forget_half();
        }
        let learning = time - started < self.learn;
        let known = before.is_some_and(|before| self.window == 0 || time - before <= self.window);
        !learning && !known
    }

    fn forget_half(&mut self) {
        let mut times: Vec<Micros> = self.last_seen.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.last_seen.retain(|_, time| *time > median);
    }
}

#[cfg(test)]
mod tests {
    use audit::Event;
    use rule::Likeness;

    use super::*;
    use crate::detector::Observed;

    struct Seeing(Memory, Values);

    impl Seeing {
        fn new(learn_seconds: u64, window_seconds: u64) -> Self {
            let mut values = Values::default();
            let fields = vec!["user.username".to_owned()];
            Self(Memory::of(&FirstSeen { fields, learn_seconds, window_seconds }, &mut values), values)
        }

        fn see(&mut self, user: &str, second: i64) -> bool {
            let text = format!(r#"{{"kind":"Event","auditID":"a","user":{{"username":"{user}"}}}}"#);
            let event = Event::parse(text.as_bytes()).unwrap();
            let observed = Observed { index: 0, cluster: "", received: second * 1_000_000, event: &event };
            self.1.begin("", Likeness::default());
            self.0.is_new(&Moment::of(&observed), 0, &mut self.1)
        }
    }

    #[test]
    fn new_after_learning_and_after_the_window() {
        let mut seeing = Seeing::new(60, 3600);
        assert!(!seeing.see("alice", 10), "learning");
        assert!(!seeing.see("alice", 70), "known");
        assert!(seeing.see("eve", 71), "new");
        assert!(!seeing.see("eve", 72), "no longer new");
        assert!(seeing.see("alice", 3700), "forgotten after the window");
    }

    #[test]
    fn memory_is_bounded() {
        let mut seeing = Seeing::new(0, 0);
        for i in 0..(REMEMBERED_MAX as i64 + 10) {
            seeing.see(&format!("u{i}"), i);
        }
        assert!(seeing.0.last_seen.len() <= REMEMBERED_MAX);
        assert!(!seeing.see(&format!("u{REMEMBERED_MAX}"), 1), "the newest are kept");
    }
}
