//! The KubeWitness binary: commands, configuration, wiring, lifecycle.
//!
//! `main` knows exit codes; `cli` is the table of commands; each command is a module of its name.

mod backend;
mod cli;
mod config;
mod connect;
mod deed;
mod demo;
mod exit;
mod history;
mod import;
mod local;
mod output;
mod quarantine;
mod record;
mod remote;
mod resource_name;
mod search;
mod serve;
mod source;
mod tail;
mod top;
mod who;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
