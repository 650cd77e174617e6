//! The KubeWitness binary: commands, configuration, wiring, lifecycle.
//!
//! `main` knows exit codes; `cli` is the table of commands; each command is a module of its name.

mod backend;
mod cli;
mod config;
mod connect;
mod deed;
mod demo;
mod docs;
mod evidence;
mod exit;
mod history;
mod import;
mod key;
mod local;
mod output;
mod pace;
mod policy;
mod printable;
mod quarantine;
mod record;
mod recording;
mod remote;
mod resource_name;
mod rules;
mod rulesets;
mod scan;
mod search;
mod serve;
mod source;
mod sql;
mod tail;
mod top;
mod verify;
mod who;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
