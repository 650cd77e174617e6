//! What a change of policy costs or saves on recorded traffic.

use serde::Serialize;

use crate::diff::{Difference, Treatment};
use crate::preset::Preset;
use crate::tally::{Period, Recorded, UNRECORDED, Volume};

/// What is kept of the requests of one change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Under the old policy.
    pub before: Volume,
    /// Under the new one.
    pub after: Volume,
    /// Events of which one of the policies would record more than the log has: that comes on top and cannot be known.
    pub deeper: u64,
}

/// Balances of every change between two policies.
#[derive(Debug)]
pub struct Balances<'d> {
    difference: &'d Difference,
    /// One for each of [`Difference::changes`].
    pub changes: Vec<Balance>,
    period: Period,
}

impl Treatment {
    /// Bytes that are kept of an event, if any.
    fn kept(&self, event: &Recorded<'_>) -> Option<u64> {
        let is_kept = self.level > crate::model::Level::None && !self.omit_stages.contains(&event.stage);
        is_kept.then(|| event.bytes_at(self.level))
    }
}

impl<'d> Balances<'d> {
    /// Balances over no traffic yet, or over a day of a preset that is still to be added.
    pub fn new(difference: &'d Difference, preset: Option<Preset>) -> Self {
        let changes = vec![Balance::default(); difference.changes.len()];
        Self { difference, changes, period: preset.map_or_else(Period::default, Period::day_of) }
    }

    /// Counts one event, or as many as it stands for.
    pub fn add(&mut self, event: &Recorded<'_>) {
        self.period.extend(event.time);
        let Some(at) = self.difference.change_of(&event.request) else { return };
        let (change, balance) = (&self.difference.changes[at], &mut self.changes[at]);
        let sides = [(&change.before, &mut balance.before), (&change.after, &mut balance.after)];
        let mut is_deeper = false;
        for (treatment, volume) in sides {
            if let Some(bytes) = treatment.kept(event) {
                volume.add(event.count, bytes);
                is_deeper |= treatment.level > event.level;
            }
        }
        balance.deeper += if is_deeper { event.count } else { 0 };
    }

    /// Events and bytes a day, where the traffic spans any time.
    pub fn per_day(&self, volume: Volume) -> Option<(f64, f64)> {
        Some((self.period.per_day(volume.events)?, self.period.per_day(volume.bytes)?))
    }

    /// Over all changes.
    pub fn total(&self) -> Balance {
        self.changes.iter().fold(Balance::default(), |total, change| Balance {
            before: total.before + change.before,
            after: total.after + change.after,
            deeper: total.deeper + change.deeper,
        })
    }

    /// How far the figures can be trusted, in sentences.
    pub fn confidence(&self) -> Vec<String> {
        let mut said: Vec<String> = self.period.confidence().into_iter().collect();
        let deeper = self.total().deeper;
        if deeper > 0 {
            said.push(format!(
                "{deeper} events would be recorded at a higher level than the log has: their bodies come on top and \
                 cannot be known"
            ));
        }
        if self.period.preset.is_none() {
            said.push(UNRECORDED.to_owned());
        }
        said
    }
}
