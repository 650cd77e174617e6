//! What a policy keeps and drops of recorded traffic.

use std::collections::HashMap;

use serde::Serialize;

use crate::evaluate::Evaluator;
use crate::model::{Level, Policy, Stage};
use crate::preset::Preset;
use crate::request::Request;

/// One recorded event, as far as its volume matters.
#[derive(Debug, Clone)]
pub struct Recorded<'a> {
    /// The request.
    pub request: Request<'a>,
    /// The level it was recorded at.
    pub level: Level,
    /// The stage of the event.
    pub stage: Stage,
    /// Length of the event's text in bytes.
    pub bytes: u64,
    /// Length of the request body in it.
    pub request_body: u64,
    /// Length of the response body in it.
    pub response_body: u64,
    /// Time of the event, in microseconds since 1970.
    pub time: Option<i64>,
    /// Like events that it stands for: 1 in a recording.
    pub count: u64,
}

impl Recorded<'_> {
    /// Bytes of the event's text at a level; bodies that are not in the event cannot be known.
    pub(crate) fn bytes_at(&self, level: Level) -> u64 {
        let request_body = if level < Level::Request { self.request_body } else { 0 };
        let response_body = if level < Level::RequestResponse { self.response_body } else { 0 };
        self.bytes.saturating_sub(request_body + response_body)
    }
}

/// Events and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Events.
    pub events: u64,
    /// Bytes of their text.
    pub bytes: u64,
}

impl std::ops::Add for Volume {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { events: self.events + other.events, bytes: self.bytes + other.bytes }
    }
}

impl Volume {
    /// Adds so many events of so many bytes each.
    pub fn add(&mut self, count: u64, bytes: u64) {
        self.events += count;
        self.bytes += count * bytes;
    }
}

/// The time that events span: from the first to the last, or the day of a preset.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Period {
    first: Option<i64>,
    last: Option<i64>,
    pub(crate) preset: Option<Preset>,
}

impl Period {
    pub(crate) fn day_of(preset: Preset) -> Self {
        Self { preset: Some(preset), ..Self::default() }
    }

    pub(crate) fn extend(&mut self, time: Option<i64>) {
        let Some(time) = time else { return };
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    pub(crate) fn seconds(&self) -> Option<f64> {
        if self.preset.is_some() {
            return Some(86_400.0);
        }
        let (first, last) = (self.first?, self.last?);
        (last > first).then(|| (last - first) as f64 / 1e6)
    }

    /// What a count over the period is over a day, where it spans any time.
    pub(crate) fn per_day(&self, count: u64) -> Option<f64> {
        Some(count as f64 * 86_400.0 / self.seconds()?)
    }

    /// How far rates can be trusted, in a sentence.
    pub(crate) fn confidence(&self) -> Option<String> {
        match self.seconds() {
            _ if self.preset.is_some() => self.preset.map(Preset::assumption),
            None => Some("the events have no time span, so there are no rates".to_owned()),
            Some(seconds) if seconds < 86_400.0 => {
                let hours = seconds / 3600.0;
                Some(format!("the log spans {hours:.1} hours; rates over a day are an extrapolation"))
            }
            Some(_) => None,
        }
    }
}

/// What every recording leaves open, in a sentence.
pub(crate) const UNRECORDED: &str =
    "requests and stages that the policy in force did not record are not in the log and not in these figures";

/// What one rule decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// What it keeps.
    pub kept: Volume,
    /// What it drops.
    pub dropped: Volume,
    /// What it would keep at each level; its stages are as they are.
    #[serde(skip)]
    pub at: [Volume; 4],
}

/// Distinct users and resources counted by name; all others are counted together.
const NAMES_MAX: usize = 20_000;

/// The tally of a log under a policy.
#[derive(Debug)]
pub struct Tally {
    evaluator: Evaluator,
    /// Everything read.
    pub read: Volume,
    /// What the policy keeps.
    pub kept: Volume,
    /// What it drops.
    pub dropped: Volume,
    /// By rule; the last is for requests that no rule matches.
    pub rules: Vec<Share>,
    /// Kept by user.
    pub users: HashMap<String, Volume>,
    /// Kept by resource, with group.
    pub resources: HashMap<String, Volume>,
    /// Events that the policy would record at a higher level than the log has: their bodies are unknown.
    pub deeper: u64,
    /// Events by the level at which the log has them.
    pub recorded_levels: [u64; 4],
    period: Period,
}

impl Tally {
    /// An empty tally under a policy.
    pub fn new(policy: &Policy) -> Self {
        Self {
            evaluator: Evaluator::new(policy),
            read: Volume::default(),
            kept: Volume::default(),
            dropped: Volume::default(),
            rules: vec![Share::default(); policy.rules.len() + 1],
            users: HashMap::new(),
            resources: HashMap::new(),
            deeper: 0,
            recorded_levels: [0; 4],
            period: Period::default(),
        }
    }

    /// The tally of a day of a preset.
    pub fn of_preset(policy: &Policy, preset: Preset) -> Self {
        let mut tally = Self { period: Period::day_of(preset), ..Self::new(policy) };
        preset.day().for_each(|event| tally.add(&event));
        tally
    }

    /// Counts one event, or as many as it stands for.
    pub fn add(&mut self, event: &Recorded<'_>) {
        let count = event.count;
        self.read.add(count, event.bytes);
        self.recorded_levels[event.level as usize] += count;
        self.period.extend(event.time);
        let decision = self.evaluator.decide(&event.request);
        let unmatched = self.rules.len() - 1;
        let share = &mut self.rules[decision.rule.unwrap_or(unmatched)];
        if !decision.omit_stages.contains(&event.stage) {
            for level in [Level::Metadata, Level::Request, Level::RequestResponse] {
                share.at[level as usize].add(count, event.bytes_at(level));
            }
        }
        if !decision.records(event.stage) {
            self.dropped.add(count, event.bytes);
            share.dropped.add(count, event.bytes);
            return;
        }
        let (bytes, deeper) = (event.bytes_at(decision.level), decision.level > event.level);
        share.kept.add(count, bytes);
        self.deeper += if deeper { count } else { 0 };
        self.kept.add(count, bytes);
        self.count_names(&event.request, count, bytes);
    }

    fn count_names(&mut self, request: &Request<'_>, events: u64, bytes: u64) {
        let user = request.user.as_ref().map_or("(not authenticated)", |user| &user.name);
        count(&mut self.users, user, events, bytes);
        let resource = match (request.resource_request, &*request.api_group) {
            (false, _) => request.path.to_string(),
            (true, "") => request.combined_resource().into_owned(),
            (true, group) => format!("{}.{group}", request.combined_resource()),
        };
        count(&mut self.resources, &resource, events, bytes);
    }

    /// Seconds between the first and the last event; a day for a preset.
    pub fn seconds(&self) -> Option<f64> {
        self.period.seconds()
    }

    /// The same volume over a day, where the log spans any time.
    pub fn per_day(&self, volume: Volume) -> Option<f64> {
        self.period.per_day(volume.bytes)
    }

    /// How far the figures can be trusted, in sentences.
    pub fn confidence(&self) -> Vec<String> {
        if self.period.preset.is_none() && self.read.events == 0 {
            return vec!["no events were read, so there is nothing to go by".to_owned()];
        }
        let mut said: Vec<String> = self.period.confidence().into_iter().collect();
        if self.period.preset.is_some() {
            return said;
        }
        if self.deeper > 0 {
            let share = self.deeper as f64 * 100.0 / self.kept.events.max(1) as f64;
            said.push(format!(
                "{} kept events ({share:.1} %) would be recorded at a higher level than the log has: \
                 their bodies come on top and cannot be known",
                self.deeper
            ));
        }
        said.push(UNRECORDED.to_owned());
        said
    }
}

fn count(counts: &mut HashMap<String, Volume>, name: &str, events: u64, bytes: u64) {
    if let Some(volume) = counts.get_mut(name) {
        volume.add(events, bytes);
        return;
    }
    let name = if counts.len() < NAMES_MAX { name } else { "(all others)" };
    counts.entry(name.to_owned()).or_default().add(events, bytes);
}
