//! `kubewitness evidence`: events with everything that proves them, in one file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use host::Host;
use ledger::{BundleError, Case, Reader, verify_evidence, write_evidence};
use tlog::LeafIndex;

use crate::backend::{Ask, Backend, Order};
use crate::exit;
use crate::output::Zone;
use crate::source::{DataDir, FilterArgs};

/// Tries to find the newest events covered by a checkpoint, which a running server signs every second.
const CHECKPOINT_TRIES: usize = 5;
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);

/// Make and read evidence bundles
///
/// A bundle holds the exact bytes of events, the proof that each is in the log, the signed checkpoint and the public key.
/// `kubewitness verify FILE` needs nothing else.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Evidence {
    /// Write the events that a query finds, with their proofs, to a bundle
    Export(Export),
    /// Verify a bundle and print the exact bytes of its events, one a line
    Show(Show),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Which events, in the query language of `search`
    query: String,
    /// File to write, such as `case-17.kwe`; an existing file is not overwritten
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A remark that is kept in the bundle
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    data: DataDir,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The bundle
    bundle: PathBuf,
}

impl Evidence {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Export(export) => export.run(),
            Self::Show(show) => show.run(),
        }
    }
}

impl Export {
    fn run(self) -> anyhow::Result<ExitCode> {
        let local = self.data.open()?;
        let query = self.filter.query(&self.query, &Zone::system())?;
        let mut places = Vec::new();
        let ask = Ask { query: &query, order: Order::Oldest, limit: None, raw: query::Raw::Without };
        local.search(&ask, &mut |row| {
            let index = audit::Json::whole(row).ok().and_then(|row| row.get("index")?.integer());
            places.extend(index.and_then(|index| u64::try_from(index).ok()).map(LeafIndex::new));
            Ok(ControlFlow::Continue(()))
        })?;
        if places.is_empty() {
            writeln!(anstream::stderr(), "nothing found; no bundle was written")?;
            return Ok(exit::found(false));
        }
        places.sort_unstable();
        let count = self.write(local.log(), &places)?;
        writeln!(anstream::stdout(), "{count} events with their proofs in {}", self.output.display())?;
        writeln!(anstream::stdout(), "check it anywhere: kubewitness verify {}", self.output.display())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the bundle beside its place first, so that a half-written file never bears its name.
    fn write(&self, log: &Reader, places: &[LeafIndex]) -> anyhow::Result<u64> {
        anyhow::ensure!(!self.output.exists(), "{} exists; choose another name", self.output.display());
        let partial = self.output.with_extension("partial");
        let case = Case {
            query: self.query.clone(),
            created: Host::system().clock.now().0,
            by: format!("kubewitness {}", env!("CARGO_PKG_VERSION")),
            note: self.note.clone(),
        };
        for attempt in 1.. {
            let file = File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
            match write_evidence(BufWriter::new(file), log, places.iter().copied(), &case) {
                Ok(count) => {
                    std::fs::rename(&partial, &self.output)?;
                    return Ok(count);
                }
                Err(BundleError::Unsigned { .. }) if attempt < CHECKPOINT_TRIES => {
                    std::thread::sleep(CHECKPOINT_PAUSE);
                    log.refresh()?;
                }
                Err(error) => {
                    let _ = std::fs::remove_file(&partial);
                    return Err(error.into());
                }
            }
        }
        unreachable!("the loop ends with its last attempt")
    }
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let file = File::open(&self.bundle).with_context(|| format!("cannot open {}", self.bundle.display()))?;
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let mut written = Ok(());
        let verdict = verify_evidence(file, &[], |entry| {
            if written.is_ok() {
                written = out.write_all(&entry.payload).and_then(|()| out.write_all(b"\n"));
            }
        });
        written?;
        out.flush()?;
        match verdict {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(error) => {
                writeln!(anstream::stderr(), "NOT proven from here on: {error}")?;
                Ok(exit::found(false))
            }
        }
    }
}
