//! The steps of an object's life, rebuilt from the log.

use audit::{Event, Json, Writer, normalise};
use serde_json::Value;

use super::body::{Bodies, Change, changes, unified, yaml};
use crate::deed;
use crate::record::{Outcome, Record};

/// Changes that a line of a table names.
const CHANGES_SHOWN: usize = 4;

/// One request that made, changed or ended the object, or several status updates of one writer.
#[derive(Debug, Clone)]
pub(super) struct Step {
    row: Vec<u8>,
    /// Requests that are folded into this step.
    times: u64,
    change: Recorded,
}

/// What is known of the change.
#[derive(Debug, Clone, PartialEq)]
enum Recorded {
    /// The audit level recorded no body.
    Nothing,
    /// The object as it is first seen.
    First(Value),
    /// The object before and after.
    Between(Value, Value),
    /// Only what was sent.
    Patch(Value),
}

/// Whether a step's JSON has the diff as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diff {
    Shown,
    Hidden,
}

/// The steps of the rows, which are in the order of time and carry their events.
pub(super) fn steps(rows: &[Vec<u8>]) -> anyhow::Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut current: Option<Value> = None;
    for row in rows {
        let record = Record::parse(row)?;
        if let Some(last) = steps.last_mut().filter(|last| last.folds(record)) {
            last.times += 1;
            continue;
        }
        let done = record.outcome() == Outcome::Done;
        let change = if done { recorded(record, &mut current) } else { Recorded::Nothing };
        if done && record.text("verb") == "delete" && record.text("subresource").is_empty() {
            current = None;
        }
        steps.push(Step { row: without_raw(record), times: 1, change });
    }
    Ok(steps)
}

/// Compares with what was known of the object, and remembers what is known now.
fn recorded(record: Record<'_>, current: &mut Option<Value>) -> Recorded {
    // The status and other subresources hold objects of their own.
    if !record.text("subresource").is_empty() {
        return Recorded::Nothing;
    }
    let raw = record.text("raw");
    let Some(Bodies { after, patch }) = with_event(&raw, Bodies::of) else { return Recorded::Nothing };
    match (after, patch) {
        (Some(after), _) => match current.replace(after.clone()) {
            Some(before) => Recorded::Between(before, after),
            None => Recorded::First(after),
        },
        (None, Some(patch)) => Recorded::Patch(patch),
        (None, None) => Recorded::Nothing,
    }
}

/// The event in an entry's text, out of whatever wrapper it came in.
fn with_event<T>(raw: &str, read: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
    let item = audit::split(raw.as_bytes()).into_iter().next()?;
    let text = normalise(item.format, item.bytes).ok()?;
    Event::parse(&text).ok().map(|event| read(&event))
}

fn without_raw(record: Record<'_>) -> Vec<u8> {
    let mut json = Writer::new();
    let kept = record.0.members().filter(|(key, _)| !key.is_text("raw") && !key.is_text("rawBase64"));
    kept.for_each(|(key, value)| {
        json.json(&key.display(), value.bytes());
    });
    json.finish()
}

impl Step {
    pub(super) fn record(&self) -> Record<'_> {
        Record(Json::whole(&self.row).expect("checked when the step was made"))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.record().outcome(), Outcome::Done | Outcome::Unknown)
    }

    /// Further status updates by the same writer are one step.
    fn folds(&self, next: Record<'_>) -> bool {
        let mine = self.record();
        let same = |key| mine.text(key) == next.text(key);
        mine.text("subresource") == "status" && ["subresource", "user", "verb"].into_iter().all(same)
    }

    /// `patched deployment frontend in namespace web`
    pub(super) fn did(&self) -> String {
        let times = if self.times > 1 { format!(" ({} times)", self.times) } else { String::new() };
        let (deed, ending) = deed::sentence(self.record());
        format!("{deed}{times}{ending}")
    }

    /// The change as text: a unified diff, the object as first seen, or what was sent.
    pub(super) fn diff(&self) -> String {
        match &self.change {
            Recorded::First(object) => prefixed(&yaml(object), "+"),
            Recorded::Between(before, after) => unified(before, after),
            Recorded::Patch(patch) => format!("sent:\n{}", prefixed(&yaml(patch), "~")),
            Recorded::Nothing if self.has_no_body() => String::new(),
            Recorded::Nothing => format!("(not recorded: audit level {})\n", self.record().text("level")),
        }
    }

    fn has_no_body(&self) -> bool {
        let record = self.record();
        !record.text("subresource").is_empty()
            || record.text("verb").starts_with("delete")
            || record.outcome() != Outcome::Done
    }

    fn changes(&self) -> Vec<Change> {
        match &self.change {
            Recorded::Between(before, after) => changes(before, after),
            Recorded::Patch(patch) => changes(&Value::Object(Default::default()), patch),
            Recorded::First(_) | Recorded::Nothing => Vec::new(),
        }
    }

    /// The row's JSON with `times`, `recorded` (`full`, `patch` or `nothing`), `changes` (`path`, `before`, `after`), and
    /// `diff` if it is shown.
    pub(super) fn to_json(&self, diff: Diff) -> Vec<u8> {
        let mut json = Writer::new();
        for (key, value) in self.record().0.members() {
            json.json(&key.display(), value.bytes());
        }
        let recorded = match self.change {
            Recorded::First(_) | Recorded::Between(..) => "full",
            Recorded::Patch(_) => "patch",
            Recorded::Nothing => "nothing",
        };
        let changes: Vec<Value> = self.changes().into_iter().map(change_json).collect();
        json.json("times", self.times.to_string().as_bytes())
            .text("recorded", recorded)
            .json("changes", Value::from(changes).to_string().as_bytes());
        if diff == Diff::Shown {
            json.text("diff", &self.diff());
        }
        json.finish()
    }
}

fn change_json(change: Change) -> Value {
    let summary = change.summary();
    serde_json::json!({"path": change.path, "before": change.before, "after": change.after, "summary": summary})
}

/// What a line of the table says of a step's JSON.
pub(super) fn summary(step: Json<'_>) -> String {
    let changes: Vec<String> =
        step.get("changes").into_iter().flat_map(Json::elements).map(|change| Record(change).text("summary")).collect();
    let more = changes.len().saturating_sub(CHANGES_SHOWN);
    let shown = changes[..changes.len() - more].join("; ");
    let record = Record(step);
    match (record.text("recorded").as_str(), record.text("verb").as_str()) {
        _ if more > 0 => format!("{shown}; and {more} more"),
        _ if !shown.is_empty() => shown,
        ("full", "create") => "created".to_owned(),
        ("full", _) => "nothing but bookkeeping".to_owned(),
        ("nothing", "update" | "patch") if record.text("subresource").is_empty() => {
            format!("not recorded (level {})", record.text("level"))
        }
        _ => String::new(),
    }
}

fn prefixed(text: &str, sign: &str) -> String {
    text.lines().map(|line| format!("{sign}{line}\n")).collect()
}
