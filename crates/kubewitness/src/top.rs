//! `kubewitness top`: who and what there is most of.

use std::process::ExitCode;

use audit::{Json, Writer, format_rfc3339};
use query::Field;

use crate::backend::Group;
use crate::exit;
use crate::output::{Cell, Column, OutputArgs, printer};
use crate::source::{FilterArgs, SourceArgs};

/// Count events by a field: `kubewitness top user 'verb:delete' --since 7d`
#[derive(Debug, clap::Args)]
pub(crate) struct Top {
    /// What to count by; `bytes`: which requests fill the log
    #[arg(value_enum)]
    by: By,
    /// Only events that match this query
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// Most groups to show; 0 for all
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    User,
    Verb,
    Resource,
    Namespace,
    Ip,
    Agent,
    Code,
    Bytes,
    Cluster,
    Group,
    Name,
    Stage,
    Level,
    Decision,
    Error,
}

impl By {
    /// Fields that are counted by together.
    fn fields(self) -> &'static [Field] {
        match self {
            Self::User => &[Field::User],
            Self::Verb => &[Field::Verb],
            Self::Resource => &[Field::Resource, Field::Subresource],
            Self::Namespace => &[Field::Namespace],
            Self::Ip => &[Field::Ip],
            Self::Agent => &[Field::Agent],
            Self::Code => &[Field::Code],
            Self::Bytes => &[Field::Level, Field::Verb, Field::Resource, Field::Subresource],
            Self::Cluster => &[Field::Cluster],
            Self::Group => &[Field::Groups],
            Self::Name => &[Field::Resource, Field::Namespace, Field::Name],
            Self::Stage => &[Field::Stage],
            Self::Level => &[Field::Level],
            Self::Decision => &[Field::Decision],
            Self::Error => &[Field::Error],
        }
    }
}

impl Top {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let query = self.filter.query(&self.query.join(" "), &self.output.zone())?;
        let fields = self.by.fields();
        let mut groups = self.source.open()?.group(&query, fields)?;
        if self.by == By::Bytes {
            groups.sort_by_key(|group| std::cmp::Reverse(group.bytes));
        }
        let all = Totals::of(&groups);
        if self.limit > 0 {
            groups.truncate(self.limit);
        }
        let mut out = anstream::stdout().lock();
        let mut printer = printer(&self.output, &columns(fields), &mut out);
        for group in &groups {
            printer.record(&record(group, fields, &all, self.by))?;
        }
        printer.finish()?;
        Ok(exit::found(!groups.is_empty()))
    }
}

/// Sums over all groups, also those that are not shown.
struct Totals {
    count: u64,
    bytes: u64,
}

impl Totals {
    fn of(groups: &[Group]) -> Self {
        Self {
            count: groups.iter().map(|group| group.count).sum(),
            bytes: groups.iter().map(|group| group.bytes).sum(),
        }
    }
}

/// `{"user": "alice", "count": 12, "share": 0.25, "bytes": 9000, "first": …, "last": …}`; the share is of the bytes
/// for `bytes`, else of the events.
fn record(group: &Group, fields: &[Field], all: &Totals, by: By) -> Vec<u8> {
    let mut json = Writer::new();
    for (field, value) in fields.iter().zip(&group.values) {
        match value {
            Some(value) => json.text(field.name(), value),
            None => json.json(field.name(), b"null"),
        };
    }
    let (part, whole) = if by == By::Bytes { (group.bytes, all.bytes) } else { (group.count, all.count) };
    let share = part as f64 / whole.max(1) as f64;
    json.json("count", group.count.to_string().as_bytes())
        .json("share", format!("{share:.4}").as_bytes())
        .json("bytes", group.bytes.to_string().as_bytes())
        .text("first", &format_rfc3339(group.first))
        .text("last", &format_rfc3339(group.last));
    json.finish()
}

fn columns(fields: &[Field]) -> Vec<Column> {
    let numbers = [Column::key("count"), Column::with("share", share), Column::with("bytes", bytes)];
    let values = fields.iter().map(|field| Column::key(field.name()));
    let times = [Column::time("first"), Column::time("last")];
    numbers.into_iter().chain(values).chain(times).collect()
}

/// `12.5 % ███`
fn share(record: Json<'_>) -> Cell {
    /// Widest bar.
    const BAR: f64 = 16.0;
    let share = record.get("share").and_then(Json::float).unwrap_or(0.0);
    Cell::plain(format!("{:5.1} % {:<16}", share * 100.0, "█".repeat((share * BAR).round() as usize)))
}

fn bytes(record: Json<'_>) -> Cell {
    let bytes = record.get("bytes").and_then(Json::integer).unwrap_or(0);
    Cell::dim(audit::ByteSize(bytes.unsigned_abs()).to_string())
}
