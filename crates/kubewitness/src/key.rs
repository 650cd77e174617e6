//! `kubewitness key`: the keys that sign the log.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use host::Host;
use ledger::{Ledger, Options};
use serde_json::json;

use crate::output::ReportFormat;
use crate::source::DataDir;

/// The keys that sign the log
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Print the public keys of the log, oldest first; the last one signs now
    ///
    /// Publish them where the log's owner is known by. Whoever checks evidence gives one with `verify --key`.
    Show {
        #[command(flatten)]
        data: DataDir,
        /// Output
        #[arg(short, long, value_enum, default_value = "text")]
        output: ReportFormat,
    },
    /// Sign with a new key from now on
    ///
    /// The first checkpoint of the new key is signed by the old one too, so that whoever trusts the old key can follow.
    /// Earlier keys stay listed: what they signed stays proven. The server must be stopped for the moment this takes;
    /// the API server keeps its events meanwhile and sends them again.
    Rotate {
        /// Directory that everything is kept in
        #[arg(long, value_name = "DIR", env = "KUBEWITNESS_DATA_DIR", default_value = "kubewitness-data")]
        data_dir: PathBuf,
    },
}

impl Key {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = anstream::stdout().lock();
        match self {
            Self::Show { data, output } => {
                let local = data.open()?;
                let keys: Vec<String> = local.log().verifier_keys()?.iter().map(ToString::to_string).collect();
                match output {
                    ReportFormat::Json => writeln!(out, "{}", json!({"origin": local.log().origin(), "keys": keys}))?,
                    ReportFormat::Text => keys.iter().try_for_each(|key| writeln!(out, "{key}"))?,
                }
            }
            Self::Rotate { data_dir } => {
                // Opening makes a directory where there is none, and a key nobody uses with it.
                anyhow::ensure!(data_dir.is_dir(), "there is no data directory {}", data_dir.display());
                let ledger = Ledger::open(&Host::system(), &data_dir, Options::default())?;
                let key = ledger.rotate_key()?;
                ledger.close().context("cannot sign the last checkpoint")?;
                writeln!(out, "{key}")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
