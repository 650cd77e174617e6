//! The fold: one event after the other, findings out.

use std::sync::Arc;

use audit::{Event, Micros};
use finding::{Because, Finding};
use hashbrown::HashMap;
use rule::{Emission, Likeness, Match, Matcher, RuleSet};

use crate::actors::{Actors, Known};
use crate::correlation::{Fired, Trace, Window};
use crate::describe::{Author, Subject};
use crate::feeds::{Feed, Feeds};
use crate::first_seen::Memory;
use crate::reasons::Reasons;
use crate::request::Requests;
use crate::values::{Values, is_same};

/// Characters of an audit id that are kept.
const AUDIT_ID_CHARS_MAX: usize = 128;

/// One event, where it stands in the log and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// Place in the log, or line of a scanned file.
    pub index: u64,
    /// The cluster; empty if unknown.
    pub cluster: &'a str,
    /// When it arrived, used if the event tells no time.
    pub received: Micros,
    /// The event.
    pub event: &'a Event<'a>,
}

impl Observed<'_> {
    /// The event's own time, else when it arrived.
    pub fn time(&self) -> Micros {
        self.event.time().unwrap_or(self.received)
    }
}

/// An event as the parts of a detector pass it on: its time is worked out once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'o> {
    pub(crate) observed: &'o Observed<'o>,
    pub(crate) time: Micros,
}

impl<'o> Moment<'o> {
    pub(crate) fn of(observed: &'o Observed<'o>) -> Self {
        Self { observed, time: observed.time() }
    }
}

/// When the log of each cluster begins.
#[derive(Debug, Default)]
struct Beginnings {
    first_times: HashMap<String, Micros>,
    /// The cluster of the event at hand, once there is one, and when it begins.
    cluster: Option<String>,
    at_hand: Micros,
}

impl Beginnings {
    /// The next event is at hand.
    fn meet(&mut self, observed: &Observed<'_>) {
        if !self.cluster.as_deref().is_some_and(|cluster| is_same(cluster, observed.cluster)) {
            let cluster = observed.cluster.to_owned();
            self.at_hand = *self.first_times.entry(cluster.clone()).or_insert_with(|| observed.time());
            self.cluster = Some(cluster);
        }
    }
}

/// Runs a rule set with its correlations and first-seen memories over a log.
#[derive(Debug)]
pub struct Detector {
    set: Arc<RuleSet>,
    matcher: Matcher,
    matches: Vec<Match>,
    requests: Requests,
    beginnings: Beginnings,
    values: Values,
    /// By rule, its first-seen memory if it has one.
    memories: Vec<Option<Memory>>,
    windows: Vec<Window>,
    feeds: Feeds,
    /// What the event at hand feeds.
    due: Vec<Feed>,
    /// Whether a window is over by time alone, so that every event must be shown to it.
    any_waits: bool,
    /// What findings repeat of the rules, and of the correlations.
    rules: Vec<Author>,
    correlations: Vec<Author>,
    reasons: Reasons,
    actors: Actors,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(set: Arc<RuleSet>) -> Self {
        let mut values = Values::default();
        let mut memories = Vec::with_capacity(set.rules().len());
        for rule in set.rules() {
            memories.push(rule.meta.extension.first_seen.as_ref().map(|of| Memory::of(of, &mut values)));
        }
        let windows: Vec<Window> = set.correlations().iter().map(|of| Window::of(of, &mut values)).collect();
        Self {
            matcher: Matcher::new(Arc::clone(&set)),
            matches: Vec::new(),
            requests: Requests::default(),
            beginnings: Beginnings::default(),
            values,
            memories,
            any_waits: windows.iter().any(|window| !window.closes_by_itself()),
            windows,
            feeds: Feeds::of(&set),
            due: Vec::new(),
            rules: set.rules().iter().map(|rule| Author::of(&rule.meta)).collect(),
            correlations: set.correlations().iter().map(|correlation| Author::of(&correlation.meta)).collect(),
            reasons: Reasons::default(),
            actors: Actors::default(),
            set,
        }
    }

    /// The rules it runs.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Takes the next event of the log and appends what it makes known.
    pub fn observe(&mut self, observed: &Observed<'_>, out: &mut Vec<Finding>) {
        self.beginnings.meet(observed);
        let mut matches = std::mem::take(&mut self.matches);
        self.matcher.matches(observed.event, &mut matches);
        if !self.requests.is_first_look(observed.cluster, observed.event) {
            matches.retain(|found| self.set.asks_for_stage(found.rule));
        }
        if !matches.is_empty() || self.any_waits {
            self.judge(&mut matches, &Moment::of(observed), out);
        }
        self.matches = matches;
    }

    /// Says that the log ends here: windows that wait for their end are judged.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        for at in 0..self.windows.len() {
            for fired in self.windows[at].close() {
                out.extend(self.correlated(at, fired, None));
            }
        }
    }

    /// Finds what is news among the matches of an event.
    fn judge(&mut self, matches: &mut Vec<Match>, moment: &Moment<'_>, out: &mut Vec<Finding>) {
        let likeness = self.matcher.likeness();
        self.values.begin(moment.observed.cluster, likeness);
        matches.retain(|found| match &mut self.memories[found.rule.0 as usize] {
            // A first-seen rule tells what it has not seen before.
            Some(memory) => memory.is_new(moment, self.beginnings.at_hand, &mut self.values),
            None => true,
        });
        self.tell(matches, &likeness, moment, out);
        self.correlate(matches, moment, out);
    }

    /// The findings of the matches of an event.
    fn tell(&mut self, matches: &[Match], likeness: &Likeness, moment: &Moment<'_>, out: &mut Vec<Finding>) {
        let Self { set, reasons, rules, actors, .. } = self;
        let mut subject = None;
        let mut told = matches.iter().filter(|found| set.emission(found.rule) == Emission::Finding).peekable();
        while let Some(found) = told.next() {
            let this = subject
                .take()
                .unwrap_or_else(|| Subject::of(moment.observed, actors.of(moment.observed.event, likeness)));
            let why = reasons.why(set, found.rule, likeness, moment.observed.event);
            let events = vec![trace(moment.observed).evidence()];
            // The last finding need not copy what they share.
            if told.peek().is_some() {
                subject = Some(this.clone());
            }
            out.push(this.finding(&rules[found.rule.0 as usize], events, why));
        }
    }

    fn correlate(&mut self, matches: &[Match], moment: &Moment<'_>, out: &mut Vec<Finding>) {
        self.due.clear();
        self.due.extend(matches.iter().flat_map(|found| self.feeds.of_rule(found.rule)));
        if self.due.is_empty() && !self.any_waits {
            return;
        }
        self.due.sort_unstable();
        let trace = trace(moment.observed);
        let mut next = 0;
        for place in 0..self.windows.len() {
            let at = self.feeds.at(place);
            let mine = self.due[next..].iter().take_while(|feed| feed.place == place).count();
            let (from, to) = (next, next + mine);
            next = to;
            if mine == 0 && self.windows[at].closes_by_itself() {
                continue;
            }
            let positions = self.due[from..to].iter().map(|feed| feed.position);
            for fired in self.windows[at].observe(moment, &trace, positions, &mut self.values) {
                self.due.extend(self.feeds.of_correlation(at));
                out.extend(self.correlated(at, fired, Some(moment.observed)));
            }
            // What a correlation feeds comes after it.
            self.due[next..].sort_unstable();
            self.due.dedup();
        }
    }

    /// The finding of a correlation; none if it only feeds others.
    fn correlated(&self, at: usize, fired: Fired, observed: Option<&Observed<'_>>) -> Option<Finding> {
        if self.feeds.is_quiet(at) {
            return None;
        }
        let correlation = &self.set.correlations()[at];
        let subject = fired
            .subject
            .or_else(|| observed.map(|observed| Box::new(Subject::of(observed, Known::of(observed.event)))))?;
        let why = Because {
            field: correlation.kind.name().into(),
            condition: words(correlation).into(),
            value: fired.number.to_string(),
        };
        Some(subject.finding(&self.correlations[at], fired.evidence, Arc::new([why])))
    }
}

fn trace(observed: &Observed<'_>) -> Trace {
    let audit_id = observed.event.audit_id();
    let end = match audit_id.len() {
        length if length <= AUDIT_ID_CHARS_MAX => length,
        length => audit_id.char_indices().nth(AUDIT_ID_CHARS_MAX).map_or(length, |(end, _)| end),
    };
    Trace { index: observed.index, audit_id: audit_id[..end].into() }
}

/// The bounds of a correlation in words: `>= 10 within 300 s by user.username`.
fn words(correlation: &rule::Correlation) -> String {
    let bounds: Vec<String> =
        correlation.bounds.0.iter().map(|(order, bound)| format!("{} {bound}", order.sign())).collect();
    let mut text = match bounds.is_empty() {
        true => "all rules".to_owned(),
        false => bounds.join(" and "),
    };
    text.push_str(&format!(" within {} s", correlation.timespan_seconds));
    if !correlation.group_by.is_empty() {
        text.push_str(&format!(" by {}", correlation.group_by.join(", ")));
    }
    text
}
