//! `kubewitness policy`: audit policies before and after they are rolled out.

mod blind_spots;
mod correlation;
mod detection;
mod diff;
mod eval;
mod explain;
mod format;
mod generate;
mod input;
mod lint;
mod needs;
mod render;
mod simulate;
mod traffic;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Arguments of `kubewitness policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load a policy exactly as the API server does, then say what the server would not
    Lint(lint::Lint),
    /// Decide requests: one JSON line in, one out
    Eval(eval::Eval),
    /// Say which rule decides one request, and why no earlier one
    Explain(explain::Explain),
    /// Say what a policy keeps and drops of recorded traffic
    Simulate(simulate::Simulate),
    /// Compare two policies by meaning: which requests are recorded differently
    Diff(diff::Diff),
    /// Make a policy from goals and a budget
    Generate(generate::Generate),
    /// Say which detections cannot fire under a policy, and the smallest change that lets them
    BlindSpots(blind_spots::BlindSpots),
    /// Bring policy files into one layout, comments kept
    Fmt(format::Fmt),
    /// Convert a policy of a removed version to audit.k8s.io/v1
    Convert(format::Convert),
    /// Print the JSON schema of a policy, for editors
    Schema,
}

/// Runs a policy command.
pub(crate) fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Lint(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Simulate(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::Generate(args) => args.run(),
        Command::BlindSpots(args) => args.run(),
        Command::Fmt(args) => args.run(),
        Command::Convert(args) => args.run(),
        Command::Schema => format::schema(),
    }
}
