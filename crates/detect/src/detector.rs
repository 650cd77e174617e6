//! The fold: one event after the other, findings out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use audit::{Event, Micros};
use finding::{Evidence, Finding};
use rule::{CorrelationRef, Emission, Generate, Match, Matcher, Member, RuleSet};

use crate::correlation::{Fired, Window};
use crate::describe::{Author, Subject, because};
use crate::first_seen::Memory;
use crate::request::Requests;

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

/// Runs a rule set with its correlations and first-seen memories over a log.
#[derive(Debug)]
pub struct Detector {
    set: Arc<RuleSet>,
    matcher: Matcher,
    matches: Vec<Match>,
    requests: Requests,
    /// By rule, its first-seen memory if it has one.
    memories: Vec<Option<Memory>>,
    windows: Vec<Window>,
    /// What correlations are about.
    fed: HashSet<Member>,
    /// Whether a window is over by time alone, so that every event must be shown to it.
    any_waits: bool,
    /// Correlations in an order in which members come before what is about them.
    order: Vec<usize>,
    /// Correlations whose matches only feed others.
    quiet: HashSet<u32>,
    /// First event time of each cluster.
    started: HashMap<String, Micros>,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(set: Arc<RuleSet>) -> Self {
        let memory = |rule: &rule::Rule| rule.extension.first_seen.as_ref().map(Memory::of);
        let windows: Vec<Window> = set.correlations().iter().map(Window::of).collect();
        Self {
            matcher: Matcher::new(Arc::clone(&set)),
            matches: Vec::new(),
            requests: Requests::default(),
            memories: set.rules().iter().map(memory).collect(),
            any_waits: windows.iter().any(|window| !window.closes_by_itself()),
            windows,
            fed: fed(&set),
            order: members_first(&set),
            quiet: quiet(&set),
            started: HashMap::new(),
            set,
        }
    }

    /// The rules it runs.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Takes the next event of the log and appends what it makes known.
    pub fn observe(&mut self, observed: &Observed<'_>, out: &mut Vec<Finding>) {
        let mut matches = std::mem::take(&mut self.matches);
        let started = self.started(observed);
        self.matcher.matches(observed.event, &mut matches);
        let first_look = self.requests.is_first_look(observed.cluster, observed.event);
        matches.retain(|found| first_look || self.set.asks_for_stage(found.rule));
        matches.retain(|found| self.is_news(found, started, observed));
        for found in &matches {
            if self.set.emission(found.rule) == Emission::Finding {
                out.push(self.finding(found, observed));
            }
        }
        if self.any_waits || !matches.is_empty() {
            self.correlate(&matches, observed, out);
        }
        self.matches = matches;
    }

    /// Says that the log ends here: windows that wait for their end are judged.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        for i in 0..self.windows.len() {
            for fired in self.windows[i].close() {
                out.extend(self.correlated(i, fired, None));
            }
        }
    }

    /// When the log of the cluster began.
    fn started(&mut self, observed: &Observed<'_>) -> Micros {
        match self.started.get(observed.cluster) {
            Some(started) => *started,
            None => *self.started.entry(observed.cluster.to_owned()).or_insert(observed.time()),
        }
    }

    /// Whether a first-seen rule has not seen this combination before; true for other rules.
    fn is_news(&mut self, found: &Match, started: Micros, observed: &Observed<'_>) -> bool {
        self.memories[found.rule.0 as usize]
            .as_mut()
            .is_none_or(|memory| memory.is_new(observed.cluster, started, observed.time(), observed.event))
    }

    fn finding(&self, found: &Match, observed: &Observed<'_>) -> Finding {
        let author = Author::of_rule(self.set.rule(found.rule));
        let why = because(self.set.why(found.rule, observed.event));
        Subject::of(observed).finding(&author, vec![evidence(observed)], why)
    }

    fn correlate(&mut self, matches: &[Match], observed: &Observed<'_>, out: &mut Vec<Finding>) {
        let mut members: Vec<Member> = matches.iter().map(|found| Member::Rule(found.rule)).collect();
        members.retain(|member| self.fed.contains(member));
        if members.is_empty() && !self.any_waits {
            return;
        }
        let evidence = evidence(observed);
        let mut positions = Vec::new();
        for i in 0..self.order.len() {
            let at = self.order[i];
            let correlation = correlation_ref(at);
            let of_it = self.set.members(correlation).iter().filter(|(member, _)| members.contains(member));
            positions.clear();
            positions.extend(of_it.map(|(_, at)| *at));
            if positions.is_empty() && self.windows[at].closes_by_itself() {
                continue;
            }
            for fired in self.windows[at].observe(observed, &evidence, &positions) {
                members.push(Member::Correlation(correlation));
                out.extend(self.correlated(at, fired, Some(observed)));
            }
        }
    }

    /// The finding of a correlation; none if it only feeds others.
    fn correlated(&self, at: usize, fired: Fired, observed: Option<&Observed<'_>>) -> Option<Finding> {
        if self.quiet.contains(&correlation_ref(at).0) {
            return None;
        }
        let correlation = &self.set.correlations()[at];
        let subject = fired.subject.or_else(|| observed.map(Subject::of))?;
        let why = vec![finding::Because {
            field: correlation.kind.name().to_owned(),
            condition: words(correlation),
            value: fired.number.to_string(),
        }];
        Some(subject.finding(&Author::of_correlation(correlation), fired.evidence, why))
    }
}

fn correlation_ref(at: usize) -> CorrelationRef {
    CorrelationRef(u32::try_from(at).unwrap_or(u32::MAX))
}

pub(crate) fn evidence(observed: &Observed<'_>) -> Evidence {
    Evidence { index: observed.index, audit_id: audit_id(observed.event) }
}

fn audit_id(event: &Event<'_>) -> String {
    event.audit_id().chars().take(128).collect()
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

/// Depth-first, so that a correlation comes after the correlations it is about.
fn members_first(set: &RuleSet) -> Vec<usize> {
    fn visit(set: &RuleSet, at: usize, seen: &mut HashSet<usize>, order: &mut Vec<usize>) {
        if !seen.insert(at) {
            return;
        }
        for (member, _) in set.members(correlation_ref(at)) {
            if let Member::Correlation(CorrelationRef(other)) = member {
                visit(set, *other as usize, seen, order);
            }
        }
        order.push(at);
    }
    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    (0..set.correlations().len()).for_each(|at| visit(set, at, &mut seen, &mut order));
    order
}

/// What any correlation is about.
fn fed(set: &RuleSet) -> HashSet<Member> {
    let members = (0..set.correlations().len()).flat_map(|at| set.members(correlation_ref(at)));
    members.map(|(member, _)| *member).collect()
}

fn quiet(set: &RuleSet) -> HashSet<u32> {
    let parents = set.correlations().iter().enumerate().filter(|(_, c)| c.generate == Generate::OnlyCorrelation);
    parents
        .flat_map(|(at, _)| set.members(correlation_ref(at)))
        .filter_map(|(member, _)| match member {
            Member::Correlation(CorrelationRef(other)) => Some(*other),
            Member::Rule(_) => None,
        })
        .collect()
}
