//! `kubewitness who`: who did something to an object.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

use audit::{Micros, Stage};
use query::{Expr, Field, Path, Pattern, Query, Range, Root, Step, Target, Term, Test};

use crate::backend::{Ask, Backend, Order};
use crate::deed::{DEEDS, Deed, sentence};
use crate::exit::{self, Usage};
use crate::output::{Cell, Column, OutputArgs, OutputFormat, Style, Zone, printer, visible};
use crate::record::{self, Outcome, Record};
use crate::resource_name::ObjectName;
use crate::search;
use crate::source::{FilterArgs, SourceArgs, context, glob};

/// Before a controller cleaned up, somebody did what made it do so; this long at most.
const CAUSE_WITHIN: Micros = 10 * 60 * 1_000_000;
/// Candidates for a cause that are shown.
const CAUSES_SHOWN: usize = 5;
/// Controllers that delete because something else was deleted.
const CLEANERS: [&str; 2] = [
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
];

/// Ask who did something: `kubewitness who deleted deployment/frontend -n web`
///
/// Words: deleted, created, updated (changed, edited), patched (applied), read, listed, watched, exec'd (into), attached,
/// port-forwarded, logged, scaled, evicted, minted (a token for), touched (anything). Kinds may be short: deploy, po, svc, sa, cm.
#[derive(Debug, clap::Args)]
pub(crate) struct Who {
    /// What was done, and to what: `deleted deploy/web`, `read secrets`, `exec'd into pod web-0`
    #[arg(value_name = "DEED OBJECT", required = true)]
    words: Vec<String>,
    /// Most requests to show; 0 for all
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    source: SourceArgs,
}

/// What was asked.
#[derive(Debug)]
struct Question {
    deed: &'static Deed,
    object: Option<ObjectName>,
}

impl Who {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let question = Question::parse(&self.words)?;
        let zone = self.output.zone();
        let flags = self.filter.rows(&context(&zone))?;
        let backend = self.source.open()?;
        let query = Query { expr: question.expr() }.and(flags.clone());
        let rows = requests(&*backend, &query, self.limit, &self.output)?;
        let mut out = anstream::stdout().lock();
        let mut printer = printer(&self.output, &columns(), &mut out);
        rows.iter().try_for_each(|row| printer.record(row))?;
        printer.finish()?;
        drop(printer);
        if matches!(self.output.format(), OutputFormat::Table | OutputFormat::Wide) {
            let answer = Answer { question: &question, rows: &rows, zone: &zone, backend: &*backend, flags: &flags };
            answer.write(&mut out)?;
        }
        Ok(exit::found(!rows.is_empty()))
    }
}

/// The requests that match, latest first: one row each, of its last stage.
fn requests(backend: &dyn Backend, query: &Query, limit: usize, output: &OutputArgs) -> anyhow::Result<Vec<Vec<u8>>> {
    // Two rows a request at most: the stage at which everything is received is left out.
    let received = Expr::field_is(Field::Stage, Stage::RequestReceived.name()).negate();
    let query = Query { expr: Expr::and([query.expr.clone(), received]) };
    let rows_limit = (limit > 0).then(|| limit.saturating_mul(2));
    let ask = Ask { query: &query, order: Order::Newest, limit: rows_limit, raw: search::raw(output) };
    let mut rows = last_stages(backend.rows(&ask)?)?;
    if limit > 0 {
        rows.truncate(limit);
    }
    Ok(rows)
}

/// Keeps of each request the row of its last stage. Ids are chosen by clients, so two rows are one request only if
/// everything else that names it is the same and their stages differ.
pub(crate) fn last_stages(rows: Vec<Vec<u8>>) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut kept: Vec<(Option<Stage>, Vec<u8>)> = Vec::with_capacity(rows.len());
    let mut places: HashMap<[String; 6], usize> = HashMap::new();
    for row in rows {
        let record = Record::parse(&row)?;
        let stage = Stage::from_name(&record.text("stage"));
        let key = ["cluster", "auditID", "user", "verb", "namespace", "name"].map(|key| record.text(key));
        match places.get(&key).map(|place| &mut kept[*place]) {
            Some(other) if other.0 > stage => {}
            Some(other) if other.0 < stage => *other = (stage, row),
            _ => {
                places.insert(key, kept.len());
                kept.push((stage, row));
            }
        }
    }
    Ok(kept.into_iter().map(|(_, row)| row).collect())
}

impl Question {
    fn parse(words: &[String]) -> Result<Self, Usage> {
        let mut words = words.iter().map(String::as_str);
        let first = words.next().unwrap_or_default();
        let deed = Deed::of_word(first).ok_or_else(|| unknown_deed(first))?;
        let fillers = ["into", "in", "to", "of", "for", "from", "the", "a", "on"];
        let object: Vec<&str> = words.filter(|word| !fillers.contains(word)).collect();
        if object.is_empty() {
            return Ok(Self { deed, object: None });
        }
        let wrong = || {
            Usage(format!(
                "`{}` names no object: write `deployment/frontend`, `deployment frontend` or `deployments`",
                object.join(" ")
            ))
        };
        Ok(Self { deed, object: Some(ObjectName::parse(&object).ok_or_else(wrong)?) })
    }

    fn expr(&self) -> Expr {
        let naming = if self.deed.creates() { Naming::Answered } else { Naming::Asked };
        let object = self.object.as_ref().map_or(Expr::All, |object| object_expr(object, naming));
        Expr::and([self.deed.expr(), object])
    }
}

fn unknown_deed(word: &str) -> Usage {
    let all: Vec<&str> = DEEDS.iter().map(|deed| deed.words[0]).collect();
    let nearest = Deed::nearest_word(word).map_or(String::new(), |word| format!("; did you mean `{word}`?"));
    Usage(format!("I do not know how to `{word}`{nearest} Known: {}", all.join(", ")))
}

/// Where an object's name is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// In the request.
    Asked,
    /// Also in the answer: where a creation stands that let the server make up the name.
    Answered,
}

/// Requests about an object.
pub(crate) fn object_expr(object: &ObjectName, naming: Naming) -> Expr {
    let resource = Expr::field(Field::Resource, glob(&object.resource));
    let group = object.group.as_ref().map_or(Expr::All, |group| Expr::field(Field::ApiGroup, glob(group)));
    let name = object.name.as_ref().map_or(Expr::All, |name| {
        let asked = Expr::field(Field::Name, glob(name));
        if naming == Naming::Asked {
            return asked;
        }
        let steps = vec![Step::Key("metadata".to_owned()), Step::Key("name".to_owned())];
        let answered = Target::Path(Path { root: Root::ResponseObject, steps });
        let made_up = Expr::and([
            Expr::field_is(Field::Verb, "create"),
            Expr::field(Field::Name, Test::Exists).negate(),
            Expr::Term(Term { target: answered, test: glob(name) }),
        ]);
        Expr::or([asked, made_up])
    });
    Expr::and([resource, group, name])
}

fn columns() -> Vec<Column> {
    vec![
        Column { title: "when".to_owned(), ..Column::time("time") },
        Column::key("cluster").wide(),
        Column::key("index").wide(),
        Column { title: "who".to_owned(), ..Column::key("user") },
        Column::with("did", |row| {
            let row = Record(row);
            let verb = row.text("verb");
            Cell::new([verb.as_str(), &row.text("subresource")].join(" ").trim_end(), Style::of_verb(&verb))
        }),
        Column::with("object", |row| Cell::plain([Record(row).text("resource"), Record(row).place()].join(" "))),
        Column { title: "from".to_owned(), ..record::ip() },
        Column::with("with", |row| Cell::dim(Record(row).program())),
        Column::with("outcome", outcome),
        Column::key("auditID").wide(),
        Column::key("trust").wide(),
    ]
}

fn outcome(row: audit::Json<'_>) -> Cell {
    let row = Record(row);
    let code = row.code().map_or(String::new(), |code| format!(" {code}"));
    match row.outcome() {
        Outcome::Done => Cell::new(format!("done{code}"), Style::Good),
        Outcome::Refused => Cell::new(format!("refused{code}"), Style::Warning),
        Outcome::Failed => Cell::new(format!("failed{code}"), Style::Bad),
        Outcome::Unknown => Cell::dim("unknown"),
    }
}

/// The answer in words, below the table.
struct Answer<'a> {
    question: &'a Question,
    rows: &'a [Vec<u8>],
    zone: &'a Zone,
    backend: &'a dyn Backend,
    flags: &'a Query,
}

impl Answer<'_> {
    fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let Some(answer) = self.telling_row()? else { return self.write_nothing_found(out) };
        writeln!(out, "\n{}", visible(&self.tell(answer)))?;
        if CLEANERS.contains(&answer.text("user").as_str()) {
            writeln!(out, "That is a controller that cleans up after something else was deleted. Shortly before:")?;
            return self.write_candidates(out, &self.causes(answer));
        }
        Ok(())
    }

    /// The latest request that was carried out, else the latest.
    fn telling_row(&self) -> anyhow::Result<Option<Record<'_>>> {
        let records: Vec<Record<'_>> = self.rows.iter().map(|row| Record::parse(row)).collect::<Result<_, _>>()?;
        let done = records.iter().find(|row| row.outcome() == Outcome::Done);
        Ok(done.or(records.first()).copied())
    }

    /// `alice deleted deployment frontend in namespace web on …, with kubectl from 10.0.0.9.`
    fn tell(&self, row: Record<'_>) -> String {
        let user = match row.text("user") {
            user if user.is_empty() => "someone who was not authenticated".to_owned(),
            user => user,
        };
        let with = match row.program() {
            program if program.is_empty() => String::new(),
            program => format!(", with {program}"),
        };
        let from = match row.peer() {
            peer if peer.is_empty() => String::new(),
            peer => format!(" from {peer}"),
        };
        let when = format!("{} {}", self.zone.show_micros(row.time()), self.zone.name(row.time()));
        let (deed, ending) = sentence(row);
        format!("{user} {deed} on {when}{with}{from}{ending}.")
    }

    fn write_nothing_found(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "No such request is in the log.")?;
        let deletes = self.question.deed.words[0] == "deleted";
        if let (true, Some(object)) = (deletes, &self.question.object) {
            self.write_candidates_for(object, out)?;
        }
        writeln!(out, "An audit policy that records nothing of this kind, or a shorter --since, would hide it.")?;
        Ok(())
    }

    /// Objects vanish without a request of their own name.
    fn write_candidates_for(&self, object: &ObjectName, out: &mut dyn Write) -> anyhow::Result<()> {
        let collection = Expr::and([
            Expr::field_is(Field::Verb, "deletecollection"),
            Expr::field(Field::Resource, glob(&object.resource)),
        ]);
        let namespace =
            Expr::and([Expr::field_is(Field::Verb, "delete"), Expr::field_is(Field::Resource, "namespaces")]);
        let query = Query { expr: Expr::or([collection, namespace]) }.and(self.flags.clone());
        writeln!(out, "It can also have gone with a whole collection or with its namespace:")?;
        self.write_candidates(out, &query)
    }

    /// Deletions by others before a controller's, in its namespace or of a namespace.
    fn causes(&self, effect: Record<'_>) -> Query {
        let by_cleaner = CLEANERS.map(|cleaner| Expr::field_is(Field::User, cleaner));
        let namespace = match effect.text("namespace") {
            namespace if namespace.is_empty() => Expr::All,
            namespace => Expr::field(Field::Namespace, Test::Is(Pattern::literal(namespace))),
        };
        let deletes = ["delete", "deletecollection"].map(|verb| Expr::field_is(Field::Verb, verb));
        let time = effect.time();
        let before = Query::within(Range { low: Some(time - CAUSE_WITHIN), high: Some(time) });
        Query { expr: Expr::and([Expr::or(deletes), Expr::or(by_cleaner).negate(), namespace]) }.and(before)
    }

    fn write_candidates(&self, out: &mut dyn Write, query: &Query) -> anyhow::Result<()> {
        let done = Expr::field(Field::Code, Test::Within(Range { low: Some(200), high: Some(299) }));
        let complete = Expr::field_is(Field::Stage, Stage::ResponseComplete.name());
        let query = Query { expr: Expr::and([query.expr.clone(), done, complete]) };
        let ask = Ask { query: &query, order: Order::Newest, limit: Some(CAUSES_SHOWN), raw: query::Raw::Without };
        let rows = self.backend.rows(&ask)?;
        for row in &rows {
            writeln!(out, "  {}", visible(&self.tell(Record::parse(row)?)))?;
        }
        if rows.is_empty() {
            writeln!(out, "  nothing of that kind is in the log")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_queries() {
        for (words, wanted) in [
            (
                "deleted deployment/frontend",
                "(verb:delete OR verb:deletecollection) AND NOT subresource:* AND resource:deployments AND name:frontend",
            ),
            (
                "created po a-1",
                "verb:create AND NOT subresource:* AND resource:pods AND (name:a-1 OR verb:create AND NOT name:* AND responseObject.metadata.name:a-1)",
            ),
            ("exec'd into pod", "subresource:exec AND resource:pods"),
            ("touched secrets.v1", "resource:secrets AND apiGroup:v1"),
            ("read", "(verb:get OR verb:list OR verb:watch) AND NOT subresource:*"),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(Question::parse(&words).unwrap().expr().to_string(), wanted);
        }
        let error = Question::parse(&["delted".to_owned()]).unwrap_err();
        assert!(error.0.contains("did you mean `deleted`?"), "{}", error.0);
    }

    #[test]
    fn a_request_is_one_row() {
        let row =
            |id: &str, stage: &str| format!(r#"{{"auditID":"{id}","stage":"{stage}","verb":"get"}}"#).into_bytes();
        let rows = [
            row("a", "ResponseComplete"),
            row("a", "ResponseStarted"),
            row("b", "ResponseStarted"),
            row("b", "ResponseStarted"),
        ];
        assert_eq!(last_stages(rows.to_vec()).unwrap(), [rows[0].clone(), rows[2].clone(), rows[3].clone()]);
    }
}
