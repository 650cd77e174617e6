//! The table of commands.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    config, connect, demo, evidence, exit, history, import, key, policy, quarantine, rules, scan, search, serve, sql,
    tail, top, verify, who,
};

/// The witness of everything that happens in a Kubernetes cluster: receives every audit event, keeps it durably,
/// proves that none was lost or altered, and tells who did what.
#[derive(Debug, Parser)]
#[command(
    name = "kubewitness",
    version,
    propagate_version = true,
    max_term_width = 120,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One variant a command; its arguments and its work are in the module of its name.
#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, keep, prove and answer: runs until it is stopped
    Serve(serve::ServeArgs),
    /// Bring files of any audit form into a data directory
    Import(import::ImportArgs),
    /// Print what an API server needs to send its audit events here
    Connect(connect::ConnectArgs),
    /// Serve a recorded cluster day, to try things with
    Demo(demo::DemoArgs),
    /// Check, show or describe the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Search(search::Search),
    Who(who::Who),
    History(history::History),
    Top(top::Top),
    Tail(tail::Tail),
    #[command(subcommand)]
    Quarantine(quarantine::Quarantine),
    Sql(sql::Sql),
    Verify(verify::Verify),
    #[command(subcommand)]
    Evidence(evidence::Evidence),
    #[command(subcommand)]
    Key(key::Key),
    Scan(Box<scan::Scan>),
    #[command(subcommand)]
    Rules(Box<rules::Rules>),
    /// Print a generated page of the documentation
    #[command(hide = true)]
    Docs {
        /// Which page
        #[arg(value_enum)]
        page: Page,
    },
    /// Print a shell completion script: `source <(kubewitness completion bash)`
    Completion {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page: `kubewitness man | man -l -`
    Man,
    /// Audit policies: lint, decide, explain, simulate, compare, generate
    Policy(policy::PolicyArgs),
}

/// The generated pages.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    Cli,
    Config,
}

/// Reads the command line, runs the command, reports an error once.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            ExitCode::from(exit::code_of(&error))
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Search(search) => search.run(),
        Command::Who(who) => who.run(),
        Command::History(history) => history.run(),
        Command::Top(top) => top.run(),
        Command::Tail(tail) => tail.run(),
        Command::Quarantine(quarantine) => quarantine.run(),
        Command::Sql(sql) => sql.run(),
        Command::Verify(verify) => verify.run(),
        Command::Evidence(evidence) => evidence.run(),
        Command::Key(key) => key.run(),
        Command::Scan(scan) => scan.run(),
        Command::Rules(rules) => rules.run(),
        Command::Docs { page } => {
            let text = match page {
                Page::Cli => crate::docs::cli(&mut Cli::command()),
                Page::Config => config::reference(),
            };
            std::io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(args) => policy::run(&args),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "kubewitness", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `kubewitness … | head` closes our output; that is no error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
