//! What a policy keeps and drops of recorded traffic.

use std::collections::HashMap;

use serde::Serialize;

use crate::evaluate::Evaluator;
use crate::model::{Level, Stage};
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
}

/// Events and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Events.
    pub events: u64,
    /// Bytes of their text.
    pub bytes: u64,
}

impl Volume {
    fn add(&mut self, bytes: u64) {
        self.events += 1;
        self.bytes += bytes;
    }
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
    /// Kept and dropped by rule; the last is for requests that no rule matches.
    pub rules: Vec<(Volume, Volume)>,
    /// Kept by user.
    pub users: HashMap<String, Volume>,
    /// Kept by resource, with group.
    pub resources: HashMap<String, Volume>,
    /// Events that the policy would record at a higher level than the log has: their bodies are unknown.
    pub deeper: u64,
    /// Events by the level at which the log has them.
    pub recorded_levels: [u64; 4],
    first: Option<i64>,
    last: Option<i64>,
}

impl Tally {
    /// An empty tally under a policy of so many rules.
    pub fn new(evaluator: Evaluator, rules: usize) -> Self {
        Self {
            evaluator,
            read: Volume::default(),
            kept: Volume::default(),
            dropped: Volume::default(),
            rules: vec![Default::default(); rules + 1],
            users: HashMap::new(),
            resources: HashMap::new(),
            deeper: 0,
            recorded_levels: [0; 4],
            first: None,
            last: None,
        }
    }

    /// Counts one event.
    pub fn add(&mut self, event: &Recorded<'_>) {
        self.read.add(event.bytes);
        self.recorded_levels[event.level as usize] += 1;
        if let Some(time) = event.time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        let decision = self.evaluator.decide(&event.request);
        let rule = decision.rule.unwrap_or(self.rules.len() - 1);
        if !decision.records(event.stage) {
            self.dropped.add(event.bytes);
            self.rules[rule].1.add(event.bytes);
            return;
        }
        let mut bytes = event.bytes;
        if decision.level < Level::Request {
            bytes = bytes.saturating_sub(event.request_body);
        }
        if decision.level < Level::RequestResponse {
            bytes = bytes.saturating_sub(event.response_body);
        }
        self.deeper += u64::from(decision.level > event.level);
        self.kept.add(bytes);
        self.rules[rule].0.add(bytes);
        let user = event.request.user.as_ref().map_or("(not authenticated)", |user| &user.name);
        count(&mut self.users, user, bytes);
        let resource = match (event.request.resource_request, &*event.request.api_group) {
            (false, _) => event.request.path.to_string(),
            (true, "") => event.request.combined_resource().into_owned(),
            (true, group) => format!("{}.{group}", event.request.combined_resource()),
        };
        count(&mut self.resources, &resource, bytes);
    }

    /// Seconds between the first and the last event.
    pub fn seconds(&self) -> Option<f64> {
        let (first, last) = (self.first?, self.last?);
        (last > first).then(|| (last - first) as f64 / 1e6)
    }

    /// The same volume over a day, where the log spans any time.
    pub fn per_day(&self, volume: Volume) -> Option<f64> {
        Some(volume.bytes as f64 * 86_400.0 / self.seconds()?)
    }

    /// How far the figures can be trusted, in sentences.
    pub fn confidence(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.read.events == 0 {
            return vec!["no events were read, so there is nothing to go by".to_owned()];
        }
        match self.seconds() {
            None => said.push("the events have no time span, so there are no rates".to_owned()),
            Some(seconds) if seconds < 86_400.0 => {
                let hours = seconds / 3600.0;
                said.push(format!("the log spans {hours:.1} hours; rates over a day are an extrapolation"));
            }
            Some(_) => {}
        }
        if self.deeper > 0 {
            let share = self.deeper as f64 * 100.0 / self.kept.events.max(1) as f64;
            said.push(format!(
                "{} kept events ({share:.1} %) would be recorded at a higher level than the log has: \
                 their bodies come on top and cannot be known",
                self.deeper
            ));
        }
        said.push(
            "requests and stages that the policy in force did not record are not in the log and not in these figures"
                .to_owned(),
        );
        said
    }
}

fn count(counts: &mut HashMap<String, Volume>, name: &str, bytes: u64) {
    if let Some(volume) = counts.get_mut(name) {
        volume.add(bytes);
        return;
    }
    let name = if counts.len() < NAMES_MAX { name } else { "(all others)" };
    counts.entry(name.to_owned()).or_default().add(bytes);
}
