//! `kubewitness history`: the life of one object.

use std::io::Write;
use std::process::ExitCode;

use query::{Expr, Field, Query, Raw};

use crate::backend::{Ask, Backend, Order};
use crate::exit::{self, Usage};
use crate::output::{Cell, Column, OutputArgs, OutputFormat, Style, Zone, printer, visible};
use crate::record::{self, Record};
use crate::resource_name::ObjectName;
use crate::source::{FilterArgs, SourceArgs, context};
use crate::who::{Naming, last_stages, object_expr};

mod body;
mod step;

use step::{Step, steps};

/// Requests of one life that are looked at; more are cut off, oldest kept, with a note.
const REQUESTS_MAX: usize = 10_000;

/// Show the life of an object: `kubewitness history deployment/frontend -n web --diff`
///
/// Creation, every change with who made it, deletion. Changes are found by comparing the recorded bodies; where the
/// audit level is Metadata there are none. Updates of the status are folded into one line.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// The object: `deployment/frontend`, `po web-0`, `clusterrole/admin`
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2)]
    object: Vec<String>,
    /// Show each change as a diff
    #[arg(long)]
    diff: bool,
    /// Also show requests that were refused or failed
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

impl History {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let words: Vec<&str> = self.object.iter().map(String::as_str).collect();
        let object = ObjectName::parse(&words).filter(|object| object.name.is_some());
        let object = object.ok_or_else(|| Usage("name one object: `deployment/frontend`".to_owned()))?;
        let zone = self.output.zone();
        let query = Query { expr: changes_of(&object) }.and(self.filter.rows(&context(&zone))?);
        let rows = requests(&*self.source.open()?, &query)?;
        let mut steps = steps(&rows)?;
        if !self.failed {
            steps.retain(Step::is_done);
        }
        let mut out = anstream::stdout().lock();
        match self.output.format() {
            OutputFormat::Table if self.diff => write_story(&steps, &zone, &mut out)?,
            _ => {
                let mut printer = printer(&self.output, &columns(), &mut out);
                steps.iter().try_for_each(|step| printer.record(&step.to_json(self.diff_shown())))?;
                printer.finish()?;
            }
        }
        Ok(exit::found(!steps.is_empty()))
    }

    fn diff_shown(&self) -> step::Diff {
        if self.diff { step::Diff::Shown } else { step::Diff::Hidden }
    }
}

/// Requests that can have changed the object.
fn changes_of(object: &ObjectName) -> Expr {
    let reads = ["get", "list", "watch"].map(|verb| Expr::field_is(Field::Verb, verb));
    // An exec or a port-forward is a `create` that changes nothing.
    let used = ["exec", "attach", "portforward", "proxy", "log"].map(|sub| Expr::field_is(Field::Subresource, sub));
    let complete = Expr::field_is(Field::Stage, "ResponseComplete");
    Expr::and([object_expr(object, Naming::Answered), Expr::or(reads).negate(), Expr::or(used).negate(), complete])
}

fn requests(backend: &dyn Backend, query: &Query) -> anyhow::Result<Vec<Vec<u8>>> {
    let ask = Ask { query, order: Order::Oldest, limit: Some(REQUESTS_MAX), raw: Raw::With };
    let rows = backend.rows(&ask)?;
    if rows.len() == REQUESTS_MAX {
        anstream::eprintln!("only the first {REQUESTS_MAX} requests are looked at; --since and --until choose others");
    }
    last_stages(rows)
}

fn columns() -> Vec<Column> {
    vec![
        Column::time("time"),
        Column::key("index").wide(),
        Column::key("user"),
        Column::with("did", |row| {
            let row = Record(row);
            let verb = row.text("verb");
            let times = row.0.get("times").and_then(audit::Json::integer).unwrap_or(1);
            let times = if times > 1 { format!(" ×{times}") } else { String::new() };
            let did = [verb.as_str(), &row.text("subresource")].join(" ");
            Cell::new(format!("{}{times}", did.trim_end()), Style::of_verb(&verb))
        }),
        Column::with("what changed", |row| Cell::plain(step::summary(row))),
        record::code(),
        Column::with("with", |row| Cell::dim(Record(row).program())),
        record::ip().wide(),
        Column::key("auditID").wide(),
    ]
}

/// Each step with its diff below, as `git log -p` shows commits.
fn write_story(steps: &[Step], zone: &Zone, out: &mut dyn Write) -> std::io::Result<()> {
    for step in steps {
        let row = step.record();
        let style = Style::of_verb(&row.text("verb")).ansi();
        let with = [row.program(), row.peer()].join(" from ");
        let line = format!("{}  {} {}", zone.show_micros(row.time()), row.text("user"), step.did());
        writeln!(out, "{style}{}{style:#}  ({}, entry {})", visible(&line), visible(&with), row.index())?;
        for line in step.diff().lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => Style::Good,
                Some(b'-') => Style::Bad,
                Some(b'@') => Style::Dim,
                _ => Style::Plain,
            };
            let style = style.ansi();
            writeln!(out, "    {style}{}{style:#}", visible(line))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
