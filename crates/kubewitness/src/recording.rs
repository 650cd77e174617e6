//! Recorded audit events, one after the other: of files and standard input, or of a data directory.
//!
//! Files are of any form that `audit` knows, plain, gzip or Zstandard. Memory is bounded by the longest item, not by the
//! file, and by a few row groups of a data directory.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit::{End, Event, Format, Splitter};
use indicatif::{ProgressBar, ProgressStyle};
use query::Row;

use crate::output::Zone;
use crate::source::{DataDir, FilterArgs, context};

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// What was read so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// Audit events.
    pub(crate) events: u64,
    /// Records that are none.
    pub(crate) quarantined: u64,
    /// Bytes after unpacking.
    pub(crate) bytes: u64,
    /// Files, each with the number of its first record.
    files: Vec<(u64, PathBuf)>,
}

impl Heard {
    /// The file that holds the record of this number, and the record's number in it.
    pub(crate) fn place(&self, index: u64) -> Option<(&Path, u64)> {
        let after = self.files.partition_point(|(first, _)| *first <= index);
        let (first, path) = self.files.get(after.checked_sub(1)?)?;
        Some((path, index - first))
    }
}

/// One event of a recording.
pub(crate) struct Record<'a> {
    /// Its number in the whole recording, from zero; quarantined records are counted too.
    pub(crate) index: u64,
    /// The cluster that its wrapper or the log names.
    pub(crate) cluster: Option<&'a str>,
    /// When the log took it, in microseconds since 1970; 0 in a file.
    pub(crate) received: audit::Micros,
    /// Length of its exact text, with its wrapper.
    pub(crate) bytes: usize,
    /// The event.
    pub(crate) event: &'a Event<'a>,
}

/// Recorded events that a command is tried on.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Recording")]
pub(crate) struct Recording {
    /// Audit log of any form (.gz and .zst are unpacked) instead of the data directory; a directory means the files in
    /// it, `-` standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    data: DataDir,
}

impl Recording {
    /// Whether files or a part of the data directory are named.
    pub(crate) fn is_given(&self) -> bool {
        !self.from.is_empty() || self.filter.is_given()
    }

    /// Shows each event that the flags ask for, in the order of the log.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&Record<'_>)) -> anyhow::Result<Heard> {
        let context = context(&Zone::system());
        let (query, since) = (self.filter.rows(&context)?, self.filter.since(&context)?);
        if !self.from.is_empty() {
            return each_event(&self.from, &mut |record| {
                if !self.filter.is_given() || query.matches(&record.row()) {
                    visit(record);
                }
            });
        }
        let mut heard = Heard::default();
        self.data.open()?.each(&query, since, &mut |row| {
            heard.bytes += row.payload.len() as u64;
            match Record::of(row) {
                Some(record) => {
                    heard.events += 1;
                    visit(&record);
                }
                None => heard.quarantined += 1,
            }
        })?;
        Ok(heard)
    }
}

impl<'a> Record<'a> {
    /// A row of a data directory, unless it is in quarantine.
    fn of(row: &Row<'a>) -> Option<Self> {
        let Row { index, received, cluster, payload, .. } = *row;
        Some(Self { index, cluster: Some(cluster), received, bytes: payload.len(), event: row.event? })
    }

    /// The event as queries see it.
    fn row(&self) -> Row<'a> {
        Row {
            index: self.index,
            received: self.received,
            cluster: self.cluster.unwrap_or_default(),
            format: Format::Audit,
            payload: &[],
            event: Some(self.event),
            defect: None,
        }
    }
}

/// Reads `paths` in order (`-` is standard input; a directory means its files in name order) and shows each event.
pub(crate) fn each_event(paths: &[PathBuf], visit: &mut dyn FnMut(&Record<'_>)) -> anyhow::Result<Heard> {
    let files = expand(paths)?;
    let progress = progress_of(&files);
    let mut heard = Heard::default();
    for path in &files {
        heard.files.push((heard.events + heard.quarantined, path.clone()));
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
            let (cluster, bytes) = (item.cluster.as_deref(), item.bytes.len());
            visit(&Record { index, cluster, received: 0, bytes, event: &event });
            heard.events += 1;
        }
        None => heard.quarantined += 1,
    };
    match (item.event, item.format) {
        (Some(event), _) => show(Some(event)),
        (None, Format::Quarantine) => show(None),
        (None, format) => {
            let text = audit::normalise(format, item.bytes).ok();
            show(text.as_deref().and_then(|text| Event::parse(text).ok()));
        }
    }
}
