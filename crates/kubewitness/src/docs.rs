//! Generated pages of `docs/`: `kubewitness docs cli`, `kubewitness docs config`.

use std::fmt::Write as _;

use clap::{Arg, Command};

/// The reference of all commands as Markdown.
pub(crate) fn cli(root: &mut Command) -> String {
    root.build();
    let mut page = String::from(
        "# Commands\n\nGenerated from the binary: `cargo xtask docs`. Do not edit.\n\n## Exit codes\n\n| code | means |\n|---|---|\n\
         | 0 | done; a question found something; a check found nothing wrong |\n\
         | 1 | a question found nothing, or a check found something wrong |\n\
         | 2 | the command line is wrong; `scan`: findings at or above `--fail-on` |\n\
         | 3 | input or data directory cannot be read or written; the message says what to do |\n",
    );
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(&mut page, command, "kubewitness");
    }
    page
}

fn describe(page: &mut String, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## {name}\n\n{}\n", about.trim());
    let subcommands: Vec<&Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
    if subcommands.is_empty() {
        arguments(page, command);
    }
    for subcommand in subcommands {
        describe(page, subcommand, &name);
    }
}

fn arguments(page: &mut String, command: &Command) {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    if shown.is_empty() {
        return;
    }
    page.push_str("\n| argument | default | meaning |\n|---|---|---|\n");
    for arg in shown {
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
        let values: Vec<_> =
            arg.get_possible_values().iter().filter(|v| !v.is_hide_set()).map(|v| v.get_name().to_owned()).collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choice = match values.is_empty() || !arg.get_action().takes_values() {
            true => String::new(),
            false => format!(" ({})", values.join(", ")),
        };
        let _ = writeln!(
            page,
            "| `{}` | {default} | {}{choice} |",
            usage(arg),
            help.replace('|', "\\|").replace('\n', " ")
        );
    }
}

fn usage(arg: &Arg) -> String {
    let names: Vec<_> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = if arg.get_action().takes_values() { names.join(" ") } else { String::new() };
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => return value,
    };
    if value.is_empty() { flag } else { format!("{flag} {value}") }
}
