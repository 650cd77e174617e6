//! Sigma correlations: several matches in one window.
//!
//! Windows slide over the events' own time. A correlation that fires starts anew for its group, so that one burst is
//! one finding. Bounds that only limit from below fire as soon as they hold; a bound from above (`lt`, `lte`, `eq`) can
//! only be judged when the window is over, which the next event of any group makes known.

use std::collections::VecDeque;
use std::sync::Arc;

use audit::Micros;
use finding::Evidence;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rule::{Correlation, CorrelationKind, Order};

use crate::actors::Known;
use crate::describe::Subject;
use crate::detector::Moment;
use crate::values::{FieldId, Values};

/// Groups that one correlation keeps apart. Beyond it the half that was quiet for longest is dropped.
pub const GROUPS_MAX: usize = 10_000;

/// Matches remembered in one window of one group. Beyond it the oldest is dropped, so larger counts cannot be reached.
pub const SAMPLES_MAX: usize = 5_000;

/// Samples of a group that are looked through to count the different ones, rather than tallied. Most groups have one.
const LOOKED_THROUGH_MAX: usize = 8;

/// Events that a finding names as evidence; the newest are named.
const EVIDENCE_MAX: usize = 20;

/// An event that may become evidence. The matches on it share the text.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) index: u64,
    pub(crate) audit_id: Arc<str>,
}

impl Trace {
    pub(crate) fn evidence(self) -> Evidence {
        Evidence { index: self.index, audit_id: (*self.audit_id).to_owned() }
    }
}

/// One match that counts.
#[derive(Debug, Clone)]
struct Sample {
    time: Micros,
    position: usize,
    trace: Trace,
    /// Hash of the counted values.
    value: u64,
    /// What is summed or ranked.
    number: Option<f64>,
}

#[derive(Debug)]
struct Group {
    /// In the order of their times. Many groups have one.
    samples: VecDeque<Sample>,
    /// How many samples there are of each value or rule, where the different ones of many are counted.
    tally: Option<HashMap<u64, u32>>,
    touched: Micros,
    /// What the last match was about, kept where the finding is made later than the match.
    subject: Option<Box<Subject>>,
}

impl Default for Group {
    fn default() -> Self {
        Self { samples: VecDeque::with_capacity(1), tally: None, touched: 0, subject: None }
    }
}

impl Group {
    /// Adds a match, and drops those that are older than the window.
    fn add(&mut self, sample: Sample, oldest: Micros, kind: CorrelationKind) {
        self.touched = self.touched.max(sample.time);
        if let (Some(tally), Some(key)) = (&mut self.tally, tallied(kind, &sample)) {
            *tally.entry(key).or_default() += 1;
        }
        let later = self.samples.iter().rev().take_while(|other| other.time > sample.time).count();
        self.samples.insert(self.samples.len() - later, sample);
        while self.samples.front().is_some_and(|first| first.time < oldest) || self.samples.len() > SAMPLES_MAX {
            self.drop_first(kind);
        }
        if self.tally.is_none() && self.samples.len() > LOOKED_THROUGH_MAX {
            self.tally = Some(tally_of(&self.samples, kind));
        }
    }

    /// How many different values or rules the samples are of.
    fn different(&self, kind: CorrelationKind) -> usize {
        let key = |sample: &Sample| tallied(kind, sample);
        match &self.tally {
            Some(tally) => tally.len(),
            None => (0..self.samples.len())
                .filter(|at| self.samples.range(..at).all(|before| key(before) != key(&self.samples[*at])))
                .count(),
        }
    }

    fn drop_first(&mut self, kind: CorrelationKind) {
        let Some(key) = self.samples.pop_front().and_then(|sample| tallied(kind, &sample)) else { return };
        let Some(tally) = &mut self.tally else { return };
        if let Entry::Occupied(mut count) = tally.entry(key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn tally_of(samples: &VecDeque<Sample>, kind: CorrelationKind) -> HashMap<u64, u32> {
    let mut tally = HashMap::new();
    samples.iter().filter_map(|sample| tallied(kind, sample)).for_each(|key| *tally.entry(key).or_default() += 1);
    tally
}

/// What of a sample is counted once however often it comes.
fn tallied(kind: CorrelationKind, sample: &Sample) -> Option<u64> {
    match kind {
        CorrelationKind::ValueCount => Some(sample.value),
        CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => Some(sample.position as u64),
        _ => None,
    }
}

/// The state of one correlation.
#[derive(Debug)]
pub(crate) struct Window {
    kind: CorrelationKind,
    bounds: rule::Bounds,
    percentile: f64,
    timespan: Micros,
    rules: usize,
    from_below: bool,
    /// Per position: the fields to group by and to count, with aliases resolved.
    group_by: Vec<Vec<FieldId>>,
    fields: Vec<Vec<FieldId>>,
    groups: HashMap<u64, Group>,
}

/// A correlation that fired: what it rests on, and the number that was reached.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) number: f64,
    /// What the last match was about; `None` if that is the event at hand.
    pub(crate) subject: Option<Box<Subject>>,
}

impl Window {
    pub(crate) fn of(correlation: &Correlation, values: &mut Values) -> Self {
        let mut resolve = |names: &[String]| -> Vec<Vec<FieldId>> {
            let of = |reference: &String| {
                let names: Vec<&str> = names.iter().map(|name| correlation.field_of(name, reference)).collect();
                values.intern(&names)
            };
            correlation.rules.iter().map(of).collect()
        };
        let from_below = |order: &Order| matches!(order, Order::Greater | Order::GreaterOrEqual);
        Self {
            kind: correlation.kind,
            bounds: correlation.bounds.clone(),
            percentile: correlation.percentile,
            timespan: i64::try_from(correlation.timespan_seconds)
                .unwrap_or(i64::MAX / 2_000_000)
                .saturating_mul(1_000_000),
            rules: correlation.rules.len(),
            from_below: correlation.bounds.0.iter().all(|(order, _)| from_below(order)),
            group_by: resolve(&correlation.group_by),
            fields: resolve(&correlation.fields),
            groups: HashMap::new(),
        }
    }

    /// Takes an event on which the rules at `positions`, places in its list, matched.
    pub(crate) fn observe(
        &mut self,
        moment: &Moment<'_>,
        trace: &Trace,
        positions: impl Iterator<Item = usize>,
        values: &mut Values,
    ) -> Vec<Fired> {
        let oldest = moment.time.saturating_sub(self.timespan);
        let mut fired = if self.from_below { Vec::new() } else { self.close_before(oldest) };
        for position in positions {
            let key = values.key(&self.group_by[position], moment.observed.event);
            let sample = self.sample(moment, position, trace, values);
            let group = self.groups.entry(key).or_default();
            group.add(sample, oldest, self.kind);
            if self.from_below {
                fired.extend(self.judge(key));
            } else {
                group.subject = Some(Box::new(Subject::of(moment.observed, Known::of(moment.observed.event))));
            }
        }
        self.forget();
        fired
    }

    /// Whether it fires on matches alone, so that other events need not be shown to it.
    pub(crate) fn closes_by_itself(&self) -> bool {
        self.from_below
    }

    /// At the end of the log every window is over.
    pub(crate) fn close(&mut self) -> Vec<Fired> {
        if self.from_below { Vec::new() } else { self.close_before(Micros::MAX) }
    }

    fn sample(&self, moment: &Moment<'_>, position: usize, trace: &Trace, values: &mut Values) -> Sample {
        let (fields, event) = (&self.fields[position], moment.observed.event);
        let (value, number) = match self.kind {
            CorrelationKind::ValueCount => (values.key(fields, event), None),
            kind if kind.needs_field() => (0, fields.iter().rev().find_map(|field| values.number(*field, event))),
            _ => (0, None),
        };
        Sample { time: moment.time, position, trace: trace.clone(), value, number }
    }

    /// Whether the group's window fulfils the correlation; if so it starts anew.
    fn judge(&mut self, key: u64) -> Option<Fired> {
        let group = self.groups.get(&key)?;
        let number = self.number(group)?;
        let holds = match (self.kind.is_temporal(), self.bounds.0.is_empty()) {
            (true, true) => number >= self.rules as f64,
            _ => self.bounds.hold(number),
        };
        if !holds {
            return None;
        }
        let group = self.groups.remove(&key)?;
        let skip = group.samples.len().saturating_sub(EVIDENCE_MAX);
        let evidence = group.samples.into_iter().skip(skip).map(|sample| sample.trace.evidence()).collect();
        Some(Fired { evidence, number, subject: group.subject })
    }

    /// The number that the bounds are about; `None` if there is nothing to judge.
    fn number(&self, group: &Group) -> Option<f64> {
        let samples = &group.samples;
        let numbers = || samples.iter().filter_map(|sample| sample.number);
        match self.kind {
            CorrelationKind::EventCount => Some(samples.len() as f64),
            CorrelationKind::ValueCount | CorrelationKind::Temporal => Some(group.different(self.kind) as f64),
            // Only all of them in order are looked for, unless bounds are given.
            CorrelationKind::TemporalOrdered if self.bounds.0.is_empty() && group.different(self.kind) < self.rules => {
                None
            }
            CorrelationKind::TemporalOrdered => Some(longest_chain(samples, self.rules) as f64),
            CorrelationKind::ValueSum => Some(numbers().sum()),
            CorrelationKind::ValueAvg => {
                let count = numbers().count();
                (count > 0).then(|| numbers().sum::<f64>() / count as f64)
            }
            CorrelationKind::ValuePercentile => percentile(numbers().collect(), self.percentile),
            CorrelationKind::ValueMedian => percentile(numbers().collect(), 50.0),
        }
    }

    /// Judges and drops the groups whose window began before `time`.
    fn close_before(&mut self, time: Micros) -> Vec<Fired> {
        let over = |group: &Group| group.samples.front().is_none_or(|first| first.time < time);
        let mut keys: Vec<u64> = self.groups.iter().filter(|(_, group)| over(group)).map(|(key, _)| *key).collect();
        // Replay must give the same order, which a hash map does not.
        keys.sort_by_key(|key| (self.groups[key].samples.front().map(|first| (first.time, first.trace.index)), *key));
        keys.into_iter()
            .filter_map(|key| {
                let fired = self.judge(key);
                self.groups.remove(&key);
                fired
            })
            .collect()
    }

    /// Drops the half of the groups that was quiet for longest, so that the cost is shared by many events.
    fn forget(&mut self) {
        if self.groups.len() <= GROUPS_MAX {
            return;
        }
        let mut quiet: Vec<(Micros, u64)> = self.groups.iter().map(|(key, group)| (group.touched, *key)).collect();
        let middle = quiet.len() / 2;
        let (_, &mut median, _) = quiet.select_nth_unstable(middle);
        self.groups.retain(|key, group| (group.touched, *key) > median);
    }
}

/// Length of the longest beginning of the rule list that occurs in order.
fn longest_chain(samples: &VecDeque<Sample>, rules: usize) -> usize {
    let positions = samples.iter().map(|sample| sample.position);
    positions.fold(0, |length, position| if position == length && length < rules { length + 1 } else { length })
}

/// Nearest-rank percentile.
fn percentile(mut numbers: Vec<f64>, percent: f64) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * numbers.len() as f64).ceil() as usize;
    numbers.get(rank.clamp(1, numbers.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use audit::Event;
    use rule::Likeness;

    use super::*;
    use crate::detector::Observed;

    fn window(kind: CorrelationKind, rules: usize, bounds: Vec<(Order, f64)>) -> (Window, Values) {
        let mut values = Values::default();
        let (group_by, fields) = (values.intern(&["user.username"]), values.intern(&["objectRef.name"]));
        let window = Window {
            kind,
            from_below: bounds.iter().all(|(order, _)| matches!(order, Order::Greater | Order::GreaterOrEqual)),
            bounds: rule::Bounds(bounds),
            percentile: 50.0,
            timespan: 60_000_000,
            rules,
            group_by: vec![group_by; rules],
            fields: vec![fields; rules],
            groups: HashMap::new(),
        };
        (window, values)
    }

    /// Feeds `second user name position…` and returns the seconds at which it fired.
    fn fired_at((window, values): &mut (Window, Values), events: &[(i64, &str, &str, usize)]) -> Vec<i64> {
        let mut at = Vec::new();
        for (index, (second, user, name, position)) in events.iter().enumerate() {
            let text = format!(
                r#"{{"kind":"Event","auditID":"a","user":{{"username":"{user}"}},"objectRef":{{"name":"{name}"}}}}"#
            );
            let event = Event::parse(text.as_bytes()).unwrap();
            let trace = Trace { index: index as u64, audit_id: "".into() };
            let observed = Observed { index: index as u64, cluster: "", received: second * 1_000_000, event: &event };
            values.begin("", Likeness::default());
            let fired = window.observe(&Moment::of(&observed), &trace, [*position].into_iter(), values);
            at.extend(fired.iter().map(|_| *second));
        }
        at
    }

    #[test]
    fn counts_within_the_window_and_per_group() {
        let three = || window(CorrelationKind::EventCount, 1, vec![(Order::GreaterOrEqual, 3.0)]);
        assert_eq!(
            fired_at(&mut three(), &[(0, "a", "x", 0), (1, "b", "x", 0), (2, "a", "x", 0), (59, "a", "x", 0)]),
            [59]
        );
        assert_eq!(fired_at(&mut three(), &[(0, "a", "x", 0), (61, "a", "x", 0), (62, "a", "x", 0)]), [0; 0]);
        let burst: Vec<_> = (0..7).map(|second| (second, "a", "x", 0)).collect();
        assert_eq!(fired_at(&mut three(), &burst), [2, 5], "one finding a burst of three");
    }

    #[test]
    fn distinct_values_are_counted_once() {
        let mut two = window(CorrelationKind::ValueCount, 1, vec![(Order::Greater, 1.0)]);
        assert_eq!(fired_at(&mut two, &[(0, "a", "x", 0), (1, "a", "x", 0), (2, "a", "y", 0)]), [2]);
    }

    #[test]
    fn order_matters_only_where_it_is_asked_for() {
        let events = [(0, "a", "x", 1), (1, "a", "x", 0), (2, "a", "x", 1)];
        assert_eq!(fired_at(&mut window(CorrelationKind::Temporal, 2, vec![]), &events), [1]);
        assert_eq!(fired_at(&mut window(CorrelationKind::TemporalOrdered, 2, vec![]), &events), [2]);
    }

    #[test]
    fn an_upper_bound_is_judged_when_the_window_is_over() {
        let mut few = window(CorrelationKind::EventCount, 1, vec![(Order::Less, 3.0)]);
        assert_eq!(fired_at(&mut few, &[(0, "a", "x", 0), (1, "a", "x", 0), (100, "b", "x", 0)]), [100]);
        assert_eq!(few.0.close().len(), 1);
    }

    #[test]
    fn numbers_are_summed_and_ranked() {
        let events = [(0, "a", "10", 0), (1, "a", "30", 0), (2, "a", "20", 0)];
        let over = |kind, bound| window(kind, 1, vec![(Order::GreaterOrEqual, bound)]);
        assert_eq!(fired_at(&mut over(CorrelationKind::ValueSum, 60.0), &events), [2]);
        assert_eq!(fired_at(&mut over(CorrelationKind::ValueAvg, 20.0), &events[..2]), [1]);
        assert_eq!(percentile(vec![1.0, 2.0, 3.0, 4.0], 50.0), Some(2.0));
        assert_eq!(percentile(vec![], 50.0), None);
    }

    #[test]
    fn groups_are_bounded() {
        let mut window = window(CorrelationKind::EventCount, 1, vec![(Order::GreaterOrEqual, 3.0)]);
        let users: Vec<String> = (0..GROUPS_MAX + 50).map(|i| format!("u{i}")).collect();
        let events: Vec<_> = users.iter().map(|user| (0, user.as_str(), "x", 0)).collect();
        fired_at(&mut window, &events);
        assert!((GROUPS_MAX / 3 + 1..=GROUPS_MAX).contains(&window.0.groups.len()));
    }
}
