//! Recorded events as requests with volume.

use std::borrow::Cow;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use audit::{End, Event, Json, Splitter};
use clap::Args;
use policy::{Level, Recorded, Request, Stage, Target, User};

use super::input;

/// Recorded traffic.
#[derive(Debug, Args)]
pub(crate) struct Traffic {
    /// Audit log, or any export of one (`.gz` and `.zst` are decompressed); `-` is standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,
    /// Use the events of the last days or hours from the data directory, such as 7d
    #[arg(long, value_name = "DURATION", conflicts_with = "from")]
    pub(crate) since: Option<String>,
}

impl Traffic {
    /// Whether any traffic was named.
    pub(crate) fn is_given(&self) -> bool {
        !self.from.is_empty() || self.since.is_some()
    }

    /// Hands every event to `sink`; counts what is no event.
    pub(crate) fn read(&self, sink: &mut dyn FnMut(&Recorded<'_>)) -> anyhow::Result<u64> {
        if self.since.is_some() {
            bail!("--since reads the data directory of a server, which this command cannot open: use --from FILE");
        }
        let mut unreadable = 0;
        for path in &self.from {
            unreadable += read_file(path, sink).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(unreadable)
    }
}

fn read_file(path: &Path, sink: &mut dyn FnMut(&Recorded<'_>)) -> anyhow::Result<u64> {
    let mut source: Box<dyn BufRead> = input::lines(path)?;
    let (mut splitter, mut buffer, mut unreadable) = (Splitter::new(), Vec::new(), 0);
    loop {
        let read = source.by_ref().take(1 << 20).read_to_end(&mut buffer)?;
        let end = if read == 0 { End::Last } else { End::More };
        let consumed = splitter.split(&buffer, end, &mut |item| {
            let text = audit::normalise(item.format, item.bytes).ok();
            match text.as_deref().and_then(|text| Event::parse(text).ok()) {
                Some(event) => sink(&recorded(&event, item.bytes.len())),
                None => unreadable += 1,
            }
        });
        buffer.drain(..consumed);
        if read == 0 {
            return Ok(unreadable);
        }
    }
}

fn recorded<'a>(event: &Event<'a>, bytes: usize) -> Recorded<'a> {
    let length = |json: Option<Json<'_>>| json.map_or(0, |json| json.bytes().len() as u64);
    Recorded {
        request: request(event),
        level: event.level().and_then(|level| Level::parse(level.name())).unwrap_or(Level::Metadata),
        stage: event.stage().and_then(|stage| Stage::parse(stage.name())).unwrap_or(Stage::ResponseComplete),
        bytes: bytes as u64,
        request_body: length(event.request_object),
        response_body: length(event.response_object),
        time: event.time(),
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
