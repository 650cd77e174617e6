//! `kubewitness demo`: a recorded cluster day, imported and served.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use ingest::{Files, Input, Naming, Origin};

use crate::config::{Config, RawConfig};
use crate::import::import;
use crate::serve::serve;

/// The recording, as it stands in the repository.
const RECORDING: &[u8] = include_bytes!("../../../testdata/lab/events.jsonl.zst");

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Directory to keep the recording in; a temporary one by default
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9444")]
    api_listen: String,
    /// Import, print what to try, and exit without serving
    #[arg(long)]
    import_only: bool,
}

/// Questions that the recording answers; `{data}` stands for the data directory.
const QUESTIONS: [&str; 3] = [
    "who deleted deployment/cache -n web --data-dir {data}",
    "search 'user:dave@example.com verb:create subresource:token' -o table --data-dir {data}",
    "top user --data-dir {data}",
];

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let temporary = std::env::temp_dir().join(format!("kubewitness-demo-{}", std::process::id()));
    let data_dir = args.data_dir.clone().unwrap_or_else(|| temporary.clone());
    std::fs::create_dir_all(&data_dir)?;
    let outcome = show(args, &data_dir);
    if args.data_dir.is_none() && !args.import_only {
        let _ = std::fs::remove_dir_all(&temporary);
    }
    outcome
}

fn show(args: &DemoArgs, data_dir: &std::path::Path) -> anyhow::Result<ExitCode> {
    let recording = data_dir.with_extension("jsonl.zst");
    std::fs::write(&recording, RECORDING)?;
    let files = Files { inputs: vec![Input::File(recording.clone())], skipped: Vec::new() };
    let origin = Origin { cluster: "lab".parse()?, naming: Naming::Fixed };
    let imported = import(data_dir, &files, origin, &ProgressBar::hidden());
    std::fs::remove_file(&recording)?;
    imported?;
    println!("a recorded cluster day is in {}; try, in another terminal:", data_dir.display());
    let program = std::env::args().next().unwrap_or_else(|| "kubewitness".to_owned());
    for question in QUESTIONS {
        println!("  {program} {}", question.replace("{data}", &data_dir.display().to_string()));
    }
    if args.import_only {
        return Ok(ExitCode::SUCCESS);
    }
    let mut raw = RawConfig { data_dir: Some(data_dir.display().to_string()), ..RawConfig::default() };
    raw.webhook.listen = Some("127.0.0.1:0".to_owned());
    raw.api.listen = Some(args.api_listen.clone());
    serve(Config::from_raw(raw)?, &mut |greeting| {
        println!("\nor in a browser\n  {}/api/v1/search?q=code:403&limit=5\n\nstop with Ctrl-C", greeting.api);
    })
}
