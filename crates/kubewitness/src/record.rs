//! A row as the commands read it: the stable JSON, by key.

use audit::{AgentFamily, Json};

use crate::output::{Cell, Column, Style};

/// A view of a row's JSON.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a>(pub(crate) Json<'a>);

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused,
    Failed,
    Unknown,
}

impl<'a> Record<'a> {
    /// Reads a row.
    pub(crate) fn parse(row: &'a [u8]) -> anyhow::Result<Self> {
        Ok(Self(Json::whole(row)?))
    }

    /// The text of a key; empty if there is none.
    pub(crate) fn text(self, key: &str) -> String {
        self.0.get(key).and_then(Json::text).unwrap_or_default().into_owned()
    }

    pub(crate) fn index(self) -> u64 {
        self.0.get("index").and_then(Json::integer).and_then(|index| index.try_into().ok()).unwrap_or(0)
    }

    pub(crate) fn code(self) -> Option<i64> {
        self.0.get("code").and_then(Json::integer)
    }

    pub(crate) fn time(self) -> audit::Micros {
        audit::parse_rfc3339(&self.text("time")).unwrap_or(0)
    }

    /// The last source address: the one the API server saw itself.
    pub(crate) fn peer(self) -> String {
        self.0.get("ips").and_then(|ips| ips.elements().last()).and_then(Json::text).unwrap_or_default().into_owned()
    }

    /// The program that the client says it is.
    pub(crate) fn program(self) -> String {
        AgentFamily::of(&self.text("agent")).name().to_owned()
    }

    /// `pods/exec`, with the subresource if there is one.
    pub(crate) fn resource(self) -> String {
        join(&[&self.text("resource"), &self.text("subresource")])
    }

    /// `namespace/name`, or the one there is.
    pub(crate) fn place(self) -> String {
        join(&[&self.text("namespace"), &self.text("name")])
    }

    pub(crate) fn outcome(self) -> Outcome {
        match self.code() {
            Some(100..=399) => Outcome::Done,
            Some(401 | 403) => Outcome::Refused,
            Some(_) => Outcome::Failed,
            None if self.text("decision") == "forbid" => Outcome::Refused,
            None => Outcome::Unknown,
        }
    }
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/")
}

/// Columns of a table of rows.
pub(crate) fn columns() -> Vec<Column> {
    vec![
        Column::time("time"),
        Column::key("cluster").wide(),
        Column::key("index").wide(),
        Column::key("user"),
        Column::with("verb", |row| {
            let verb = Record(row).text("verb");
            Cell::new(verb.clone(), Style::of_verb(&verb))
        }),
        Column::with("resource", |row| Cell::plain(Record(row).resource())),
        Column::with("object", |row| Cell::plain(Record(row).place())),
        code(),
        ip(),
        Column::with("agent", |row| Cell::dim(Record(row).program())),
        Column::key("stage").wide(),
        Column::key("level").wide(),
        Column::key("groups").wide(),
        Column::key("auditID").wide(),
        Column::key("trust").wide(),
    ]
}

/// The HTTP status.
pub(crate) fn code() -> Column {
    Column::with("code", |row| {
        let code = Record(row).code();
        Cell::new(code.map_or(String::new(), |code| code.to_string()), Style::of_code(code.unwrap_or(0)))
    })
}

/// The peer address; in another colour if the client claimed further ones.
pub(crate) fn ip() -> Column {
    Column::with("ip", |row| {
        let record = Record(row);
        let claimed =
            record.0.get("trust").is_some_and(|trust| trust.elements().any(|remark| remark.is_text("claimed-ip")));
        Cell::new(record.peer(), if claimed { Style::Warning } else { Style::Plain })
    })
}
