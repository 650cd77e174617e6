//! The events that everybody gets: the recorded cluster, amplified, in a file that is kept between runs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::amplify::Template;

/// The same identifiers in every run.
const SEED: u64 = 1;
const RECORDING: &str = "testdata/lab/events.jsonl.zst";

/// A file of events, one a line.
pub(crate) struct Corpus {
    pub(crate) file: PathBuf,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// Audit id of an event in the middle.
    pub(crate) audit_id: String,
}

impl Corpus {
    /// Opens the corpus of so many copies of the recording, making it first if it is not in `cache`.
    pub(crate) fn of(repository: &Path, cache: &Path, copies: u32) -> Result<Self> {
        let file = cache.join(format!("events-{copies}.jsonl"));
        let recording = File::open(repository.join(RECORDING)).context(RECORDING)?;
        let template = Template::parse(zstd::decode_all(recording)?)?;
        if !file.exists() {
            write(&template, copies, &file)?;
        }
        let bytes = file.metadata()?.len();
        let mut middle = Vec::new();
        template.write_copy(copies / 2, SEED, &mut middle)?;
        let audit_id = middle_audit_id(&middle).context("the recording holds no audit id")?;
        Ok(Self { file, events: template.lines * u64::from(copies), bytes, audit_id })
    }
}

fn write(template: &Template, copies: u32, file: &Path) -> Result<()> {
    let unfinished = file.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    for copy in 0..copies {
        template.write_copy(copy, SEED, &mut out)?;
    }
    out.into_inner()?.flush()?;
    Ok(std::fs::rename(unfinished, file)?)
}

fn middle_audit_id(copy: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Event {
        #[serde(rename = "auditID")]
        audit_id: String,
    }
    let middle = &copy[copy.len() / 2..];
    let line = middle.split(|byte| *byte == b'\n').nth(1)?;
    serde_json::from_slice::<Event>(line).ok().map(|event| event.audit_id)
}

/// Bytes that a directory takes on disk, as `du` counts them.
pub(crate) fn disk_use(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            bytes += disk_use(&entry.path())?;
        }
    }
    Ok(bytes)
}
