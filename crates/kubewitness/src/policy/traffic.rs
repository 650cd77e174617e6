//! The traffic that a policy is tried on: recorded events, or a preset.

use std::borrow::Cow;

use audit::{Event, Json, Level, Stage};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use policy::{PRESETS, Policy, Preset, Recorded, Request, Tally, Target, User};

use crate::recording::{Record, Recording};

/// Used where no traffic is named.
const DEFAULT_PRESET: &str = "medium";

/// Traffic: `--from` files, `--since` and the like from the data directory, or a preset.
#[derive(Debug, Args)]
pub(crate) struct Traffic {
    #[command(flatten)]
    recording: Recording,
    /// Traffic of an assumed cluster, where none was recorded: 3 nodes and 60 Pods, 20 and 350, 200 and 5,000
    /// [default: medium, if neither --from nor --since is given]
    #[arg(
        long,
        value_name = "SIZE",
        conflicts_with_all = ["from", "since", "until", "namespace", "cluster"],
        value_parser = PossibleValuesParser::new(PRESETS.map(|preset| preset.name)).try_map(|name| preset(&name)),
    )]
    preset: Option<Preset>,
}

fn preset(name: &str) -> Result<Preset, String> {
    Preset::named(name).ok_or_else(|| format!("there is no preset {name}"))
}

impl Traffic {
    /// The preset that stands in for a recording.
    pub(crate) fn preset(&self) -> Option<Preset> {
        if self.recording.is_given() {
            return None;
        }
        self.preset.or_else(|| Preset::named(DEFAULT_PRESET))
    }

    /// Hands every event to `sink`; counts what is no event.
    pub(crate) fn read(&self, sink: &mut dyn FnMut(&Recorded<'_>)) -> anyhow::Result<u64> {
        if let Some(preset) = self.preset() {
            preset.day().for_each(|event| sink(&event));
            return Ok(0);
        }
        Ok(self.recording.each(&mut |record| sink(&recorded(record)))?.quarantined)
    }

    /// What a policy keeps of it, and how much of it is no event.
    pub(crate) fn tally(&self, policy: &Policy) -> anyhow::Result<(Tally, u64)> {
        if let Some(preset) = self.preset() {
            return Ok((Tally::of_preset(policy, preset), 0));
        }
        let mut tally = Tally::new(policy);
        let unreadable = self.read(&mut |event| tally.add(event))?;
        Ok((tally, unreadable))
    }
}

fn recorded<'a>(record: &Record<'a>) -> Recorded<'a> {
    let length = |json: Option<Json<'_>>| json.map_or(0, |json| json.bytes().len() as u64);
    let event = record.event;
    Recorded {
        request: request(event),
        level: event.level().unwrap_or(Level::Metadata),
        stage: event.stage().unwrap_or(Stage::ResponseComplete),
        bytes: record.bytes as u64,
        request_body: length(event.request_object),
        response_body: length(event.response_object),
        time: event.time(),
        count: 1,
    }
}

/// The attributes that the policy saw. The name comes from the URL where a body could have filled it in.
fn request<'a>(event: &Event<'a>) -> Request<'a> {
    let username = event.username();
    let user = (!username.is_empty()).then(|| User { name: username, groups: event.groups().collect() });
    let uri = event.request_uri();
    if event.object_ref.is_none() {
        let path =
            Target::parse(&uri).map_or_else(|_| uri.split('?').next().unwrap_or_default().to_owned(), |t| t.path);
        return Request { user, verb: event.verb(), path: Cow::Owned(path), ..Request::default() };
    }
    let is_create = event.verb() == "create" && event.subresource().is_empty();
    Request {
        user,
        verb: event.verb(),
        namespace: event.namespace(),
        api_group: event.api_group(),
        api_version: Cow::Borrowed(""),
        resource: event.resource(),
        subresource: event.subresource(),
        name: if is_create { Cow::Borrowed("") } else { event.name() },
        path: Cow::Borrowed(""),
        resource_request: true,
    }
}
