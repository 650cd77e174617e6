//! The KubeWitness binary: commands, configuration, wiring, lifecycle.
//!
//! `main` knows exit codes; `cli` is the table of commands; each command is a module of its name.

mod cli;
mod config;
mod connect;
mod demo;
mod exit;
mod import;
mod serve;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
