//! Audit events of files and standard input, one after the other: what `scan` and `policy simulate` read.
//!
//! Any form that `audit` knows, plain, gzip or Zstandard. Memory is bounded by the longest item, not by the file.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit::{End, Event, Format, Json, Splitter};
use indicatif::{ProgressBar, ProgressStyle};

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// What was read so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Heard {
    /// Audit events.
    pub(crate) events: u64,
    /// Records that are none.
    pub(crate) quarantined: u64,
    /// Bytes after unpacking.
    pub(crate) bytes: u64,
}

/// One event of a recording.
pub(crate) struct Record<'a> {
    /// Its number in the whole recording, from zero; quarantined records are counted too.
    pub(crate) index: u64,
    /// The cluster that its wrapper names.
    pub(crate) cluster: Option<&'a str>,
    /// The event.
    pub(crate) event: &'a Event<'a>,
}

/// Reads `paths` in order (`-` is standard input; a directory means its files in name order) and shows each event.
pub(crate) fn each_event(paths: &[PathBuf], visit: &mut dyn FnMut(&Record<'_>)) -> anyhow::Result<Heard> {
    let files = expand(paths)?;
    let progress = progress_of(&files);
    let mut heard = Heard::default();
    for path in &files {
        read_one(path, &progress, &mut heard, visit).with_context(|| format!("cannot read {}", path.display()))?;
    }
    progress.finish_and_clear();
    Ok(heard)
}

fn expand(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
                .with_context(|| format!("cannot list {}", path.display()))?;
            inside.retain(|path| path.is_file());
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn progress_of(files: &[PathBuf]) -> ProgressBar {
    let total = files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum();
    if !io::stderr().is_terminal() || total == 0 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn read_one(
    path: &Path,
    progress: &ProgressBar,
    heard: &mut Heard,
    visit: &mut dyn FnMut(&Record<'_>),
) -> anyhow::Result<()> {
    let raw: Box<dyn Read + Send> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(progress.wrap_read(File::open(path)?)),
    };
    let mut input = ingest::unpack_any(raw)?;
    let (mut splitter, mut buffer) = (Splitter::new(), Vec::new());
    loop {
        let before = buffer.len();
        input.by_ref().take(READ_BYTES as u64).read_to_end(&mut buffer)?;
        heard.bytes += (buffer.len() - before) as u64;
        let end = if buffer.len() == before { End::Last } else { End::More };
        let used = splitter.split(&buffer, end, &mut |item| take(&item, heard, visit));
        buffer.drain(..used);
        if end == End::Last {
            return Ok(());
        }
    }
}

fn take(item: &audit::Item<'_>, heard: &mut Heard, visit: &mut dyn FnMut(&Record<'_>)) {
    let index = heard.events + heard.quarantined;
    let mut show = |event: Option<Event<'_>>| match event {
        Some(event) => {
            visit(&Record { index, cluster: item.cluster.as_deref(), event: &event });
            heard.events += 1;
        }
        None => heard.quarantined += 1,
    };
    match item.format {
        Format::Audit => show(Event::from_json(Json::checked(item.bytes)).ok()),
        Format::Quarantine => show(None),
        format => {
            let text = audit::normalise(format, item.bytes).ok();
            show(text.as_deref().and_then(|text| Event::parse(text).ok()));
        }
    }
}
