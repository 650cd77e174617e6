//! The whole product from outside: a real kube-apiserver with a real etcd sends its audit events to a
//! real `kubewitness serve`, which is killed in the middle, and every event must be there afterwards.
//!
//! Knows the product by its command line and its ports alone. Everything runs on 127.0.0.1 in a
//! directory of its own, and only processes that were started here are stopped.

mod apiserver;
mod child;
mod crashes;
mod evidence;
mod random_rules;
mod readers;
mod real_cluster;
mod sigma;
mod story;
mod verdicts;
mod witness;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use verdicts::Verdicts;

/// Runs KubeWitness against a real kube-apiserver
#[derive(Parser)]
struct Options {
    /// The program under test [default: the release build, made if need be]
    #[arg(long, value_name = "FILE")]
    kubewitness: Option<PathBuf>,
    /// etcd and kube-apiserver in one program [default: built with Go into e2e/.cache]
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Keep the data of the run in this new directory
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Scenarios to run [default: all]
    #[arg(value_parser = ["real-cluster", "crashes", "readers", "sigma"])]
    scenarios: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(verdicts) => verdicts.close(),
        Err(error) => {
            eprintln!("e2e: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Verdicts> {
    let kubewitness = match &options.kubewitness {
        Some(given) => given.canonicalize().with_context(|| given.display().to_string())?,
        None => build_kubewitness()?,
    };
    let scratch = tempfile::Builder::new().prefix("kubewitness-e2e-").tempdir()?;
    let dir = match &options.keep {
        Some(kept) => {
            std::fs::create_dir(kept).with_context(|| format!("{} must be new", kept.display()))?;
            kept.canonicalize()?
        }
        None => scratch.path().to_owned(),
    };
    let mut verdicts = Verdicts::default();
    let chosen = |name: &str| options.scenarios.is_empty() || options.scenarios.iter().any(|wanted| wanted == name);
    if chosen("real-cluster") {
        let cluster = match &options.cluster {
            Some(given) => given.canonicalize()?,
            None => apiserver::build()?,
        };
        real_cluster::run(&kubewitness, &cluster, &dir.join("real-cluster"), &mut verdicts).await?;
    }
    if chosen("crashes") {
        crashes::run(&kubewitness, &dir.join("crashes"), &mut verdicts).await?;
    }
    if chosen("readers") {
        readers::run(&kubewitness, &dir.join("readers"), &mut verdicts)?;
    }
    if chosen("sigma") {
        sigma::run(&kubewitness, &dir.join("sigma"), &mut verdicts)?;
    }
    Ok(verdicts)
}

fn build_kubewitness() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::process::Command::new(cargo)
        .args(["build", "--release", "--package", "kubewitness"])
        .current_dir(repository())
        .status()
        .context("cargo build")?;
    ensure!(built.success(), "cargo build: {built}");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    Ok(target.join("release/kubewitness"))
}

/// Root of the repository that this program was built from.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e stands at the root")
}
