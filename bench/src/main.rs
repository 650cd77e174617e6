//! Measures KubeWitness side by side with its peers in one run, and writes `bench/results.md`.
//!
//! `cargo run --release -p bench` does everything: makes a million events of the recorded cluster,
//! installs the peers, takes the events in with each, asks each ten questions and compares answers and
//! times. Knows the product by its command line and its API alone.
//!
//! `cargo run --release -p bench -- detection` tells how many recorded attacks the rules find and how fast a scan is, and
//! writes `bench/detection/results.md`; for the first it runs the rules themselves.

mod amplify;
mod corpus;
mod detection;
mod kubewitness;
mod process;
mod python;
mod questions;
mod report;
mod scan;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use corpus::{Corpus, disk_use};
use kubewitness::KubeWitness;
use process::Usage;
use python::Python;
use questions::{Answer, QUESTIONS};
use report::{Asked, Import, Report};
use serde::Deserialize;

/// What a short run on a shared machine forgives: few events share little, and clocks are noisy.
const QUICK_SLACK: f64 = 2.0;

/// Measures KubeWitness and its peers on the same events
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Copies of the recorded cluster: 32 make a million events
    #[arg(long, default_value_t = 32)]
    copies: u32,
    /// How often each question is asked; the median counts
    #[arg(long, default_value_t = 9)]
    repetitions: u32,
    /// A short run of ours alone, which fails if a figure is out of bounds
    #[arg(long)]
    quick: bool,
    /// Also measure a clean release build (about ten minutes)
    #[arg(long)]
    build: bool,
    /// The program under test [default: the release build, made if need be]
    #[arg(long, value_name = "FILE")]
    kubewitness: Option<PathBuf>,
    /// Where the page is written [default: bench/results.md; nowhere with --quick]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What to measure instead
#[derive(Subcommand)]
enum What {
    /// How many of the recorded attacks the rules find, how often they cry wolf, and how fast a scan is
    Detection,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(What::Detection) = options.what {
        return detect(&options);
    }
    match measure(&options) {
        Ok(report) => {
            let (met, missed) = report.verdict();
            println!("{met} passed, {missed} failed");
            if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::from(2)
        }
    }
}

fn detect(options: &Options) -> ExitCode {
    match detection::run(options.kubewitness.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<Report> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench stands at the root")?;
    let cache = repository.join("bench/.cache");
    std::fs::create_dir_all(&cache)?;
    let build = options.build.then(|| clean_build(repository, &cache)).transpose()?;
    let program = program(repository, options.kubewitness.as_deref())?;
    let corpus = Corpus::of(repository, &cache, options.copies)?;
    println!("{} events, {} MB", corpus.events, corpus.bytes / 1_000_000);

    let ours = KubeWitness { program, data: fresh(&cache, "kubewitness")? };
    let mut report = measure_ours(&ours, &corpus, build, options.repetitions)?;
    if options.quick {
        report.slack = QUICK_SLACK;
    } else {
        let python = Python::prepare(repository, &cache)?;
        measure_peers(&python, &ours, &corpus, &cache, options.repetitions, &mut report)?;
    }
    let page = report.page();
    println!("{page}");
    let default = (!options.quick).then(|| repository.join("bench/results.md"));
    if let Some(out) = options.out.clone().or(default) {
        std::fs::write(out, page)?;
    }
    Ok(report)
}

fn measure_ours(ours: &KubeWitness, corpus: &Corpus, build: Option<Usage>, repetitions: u32) -> Result<Report> {
    println!("kubewitness import");
    let usage = ours.import(&corpus.file)?;
    let import = Import { engine: "KubeWitness".to_owned(), usage, bytes: disk_use(&ours.data)? };
    println!("kubewitness verify");
    let verify = ours.verify()?;
    println!("kubewitness serve");
    let runtime = tokio::runtime::Runtime::new()?;
    let (answers, server) = runtime.block_on(async {
        let server = ours.serve().await?;
        let mut answers = Vec::new();
        for question in QUESTIONS {
            answers.push(server.ask(&question.ours, &corpus.audit_id, repetitions).await.context(question.title)?);
        }
        Ok::<(Vec<Answer>, Usage), anyhow::Error>((answers, server.stop()?))
    })?;
    let command_line = ours.search_once("user:alice@example.com")?;
    Ok(Report {
        events: corpus.events,
        bytes: corpus.bytes,
        imports: vec![import],
        asked: vec![Asked { engine: "KubeWitness".to_owned(), answers }],
        verify,
        command_line,
        server,
        build,
        binary: ours.program.metadata()?.len(),
        slack: 1.0,
    })
}

fn measure_peers(
    python: &Python,
    ours: &KubeWitness,
    corpus: &Corpus,
    cache: &Path,
    repetitions: u32,
    report: &mut Report,
) -> Result<()> {
    let questions = |text: fn(&questions::Question) -> &str| -> Vec<String> {
        QUESTIONS.iter().map(|question| text(question).replace(questions::AUDIT_ID, &corpus.audit_id)).collect()
    };
    println!("clickhouse");
    let store = fresh(cache, "clickhouse")?;
    let (loaded, usage): (Loaded, Usage) = python.run("import_clickhouse.py", &[&corpus.file, &store], "")?;
    ensure!(loaded.events == corpus.events, "ClickHouse holds {} events", loaded.events);
    report.imports.push(Import { engine: format!("ClickHouse {}", loaded.version), usage, bytes: loaded.bytes });
    let asked = python.ask("ask_clickhouse.py", &store, &questions(|question| question.clickhouse), repetitions)?;
    report.asked.push(Asked { engine: format!("ClickHouse {}", asked.version), answers: asked.answers });

    println!("duckdb");
    let segments = ours.data.join("**/*.parquet");
    let asked = python.ask("ask_duckdb.py", &segments, &questions(|question| question.duckdb), repetitions)?;
    report.asked.push(Asked { engine: format!("DuckDB {} on our segments", asked.version), answers: asked.answers });
    Ok(())
}

/// What the ClickHouse import says.
#[derive(Deserialize)]
struct Loaded {
    version: String,
    events: u64,
    bytes: u64,
}

/// An empty directory in the cache.
fn fresh(cache: &Path, name: &str) -> Result<PathBuf> {
    let dir = cache.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir(&dir)?;
    Ok(dir)
}

/// The program under test: the given one, or the release build.
fn program(repository: &Path, given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(given) => given.canonicalize().with_context(|| given.display().to_string()),
        None => built(repository),
    }
}

fn built(repository: &Path) -> Result<PathBuf> {
    let mut build = cargo_build(repository);
    process::run(&mut build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
    Ok(target.join("release/kubewitness"))
}

/// Builds the binary where nothing has been built, without any cache of compiled crates.
fn clean_build(repository: &Path, cache: &Path) -> Result<Usage> {
    println!("clean release build");
    let target = fresh(cache, "clean-target")?;
    let usage = process::run(cargo_build(repository).env("CARGO_TARGET_DIR", &target).env_remove("RUSTC_WRAPPER"))?;
    std::fs::remove_dir_all(target)?;
    Ok(usage)
}

fn cargo_build(repository: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--package", "kubewitness"]).current_dir(repository);
    command
}
