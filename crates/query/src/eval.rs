//! The naive evaluator: what a query means, one row at a time.

use std::borrow::Cow;
use std::net::IpAddr;

use audit::{Event, Format, Json, JsonKind, Micros};

use crate::expr::{Expr, Query, Target, Term, Test};
use crate::field::Field;
use crate::path::Path;
use crate::pattern::Pattern;
use crate::scalars::Scalars;
use crate::trust::{Remark, remarks};

/// One row as a query sees it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Place in the log, from zero.
    pub index: u64,
    /// When the log took the entry.
    pub received: Micros,
    /// Origin.
    pub cluster: &'a str,
    /// Form in which the entry arrived.
    pub format: Format,
    /// The entry's exact bytes.
    pub payload: &'a [u8],
    /// The event in them, in the API server's own form; `None` for an entry in quarantine.
    pub event: Option<&'a Event<'a>>,
    /// Why it is in quarantine.
    pub defect: Option<&'a str>,
}

impl Query {
    /// Whether `row` matches.
    pub fn matches(&self, row: &Row<'_>) -> bool {
        self.expr.matches(row)
    }
}

impl Expr {
    /// Whether `row` matches.
    pub fn matches(&self, row: &Row<'_>) -> bool {
        match self {
            Expr::All => true,
            Expr::Term(term) => term.matches(row),
            Expr::Not(inner) => !inner.matches(row),
            Expr::And(parts) => parts.iter().all(|part| part.matches(row)),
            Expr::Or(parts) => parts.iter().any(|part| part.matches(row)),
        }
    }
}

impl Term {
    /// Whether any value of the target satisfies the test.
    pub fn matches(&self, row: &Row<'_>) -> bool {
        match &self.target {
            Target::Anything => self.test.fits_anything(row),
            Target::Path(path) => row.event.is_some_and(|event| self.test.fits_path(path, event)),
            Target::Field(field) if field.kind().is_ordered() => {
                row.integer(*field).is_some_and(|value| self.test.fits_integer(value))
            }
            Target::Field(field) => row.any_text(*field, |text| self.test.fits_text(text)),
        }
    }
}

impl Test {
    /// Whether an integer of an ordered field satisfies the test.
    pub fn fits_integer(&self, value: i64) -> bool {
        match self {
            Test::Exists => true,
            Test::Within(range) => range.contains(value),
            Test::Is(_) | Test::Has(_) | Test::Between(_) | Test::Inside(_) => false,
        }
    }

    /// Whether one value of a text field satisfies the test.
    pub fn fits_text(&self, text: &str) -> bool {
        match self {
            _ if text.is_empty() => false,
            Test::Exists => true,
            Test::Is(pattern) => pattern.matches(text),
            Test::Has(pattern) => pattern.found_in(text),
            Test::Inside(network) => {
                text.parse::<IpAddr>().is_ok_and(|address| network.contains(&address.to_canonical()))
            }
            Test::Within(_) | Test::Between(_) => false,
        }
    }

    /// Whether a JSON value at the end of a path satisfies the test.
    pub fn fits_json(&self, value: Json<'_>) -> bool {
        let is_object = value.kind() == JsonKind::Object;
        match self {
            Test::Exists => true,
            Test::Is(pattern) | Test::Has(pattern) if is_object => any_scalar_has(value, pattern),
            Test::Between(range) => value.float().is_some_and(|number| range.contains(number)),
            _ => self.fits_text(&value.display()),
        }
    }

    fn fits_path(&self, path: &Path, event: &Event<'_>) -> bool {
        path.any(event, |value| self.fits_json(value))
    }

    fn fits_anything(&self, row: &Row<'_>) -> bool {
        match (self, row.event) {
            (Test::Has(pattern) | Test::Is(pattern), Some(event)) => any_scalar_has(event.json, pattern),
            (Test::Has(pattern) | Test::Is(pattern), None) => pattern.found_in(&String::from_utf8_lossy(row.payload)),
            (Test::Exists, _) => true,
            (Test::Within(_) | Test::Between(_) | Test::Inside(_), _) => false,
        }
    }
}

fn any_scalar_has(value: Json<'_>, pattern: &Pattern) -> bool {
    Scalars::of(value).any(|scalar| pattern.found_in(&scalar.display()))
}

/// One entry of the log, from which a [`Row`] is made.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "see `Row`")]
pub struct Entry<'a> {
    pub index: u64,
    pub received: Micros,
    pub cluster: &'a str,
    pub format: Format,
    pub payload: &'a [u8],
}

impl Entry<'_> {
    /// Opens the wrapper that the event came in, reads the event, and shows the row.
    pub fn with_row<T>(&self, show: impl FnOnce(&Row<'_>) -> T) -> T {
        let Entry { index, received, cluster, format, payload } = *self;
        let row = Row { index, received, cluster, format, payload, event: None, defect: None };
        let defect = match audit::normalise(format, payload) {
            Ok(text) => match Event::parse(&text) {
                Ok(event) => return show(&Row { event: Some(&event), ..row }),
                Err(defect) => defect.to_string(),
            },
            Err(reason) => reason.to_string(),
        };
        show(&Row { defect: Some(&defect), ..row })
    }
}

impl Row<'_> {
    /// Time of the row: of the event, else of its receipt.
    pub fn time(&self) -> Micros {
        self.event.and_then(Event::time).unwrap_or(self.received)
    }

    /// The value of an ordered field.
    pub fn integer(&self, field: Field) -> Option<i64> {
        let length = |json: Option<Json<'_>>| json.map(|json| json.bytes().len() as i64);
        match field {
            Field::Time => Some(self.time()),
            Field::Received => Some(self.received),
            Field::Index => i64::try_from(self.index).ok(),
            Field::Size => Some(self.payload.len() as i64),
            Field::Code => self.event?.code(),
            Field::Latency => Some(self.event?.stage_time()? - self.event?.received()?),
            Field::RequestSize => length(self.event?.request_object),
            Field::ResponseSize => length(self.event?.response_object),
            _ => None,
        }
    }

    /// Whether any text of a field that is not ordered satisfies `test`.
    pub fn any_text(&self, field: Field, mut test: impl FnMut(&str) -> bool) -> bool {
        match field {
            Field::Cluster => return test(self.cluster),
            Field::Format => return test(self.format.name()),
            Field::Defect => return self.defect.is_some_and(test),
            Field::Trust => return any_remark(self.event, test),
            _ => {}
        }
        let Some(event) = self.event else { return false };
        match field {
            Field::Groups => event.groups().any(|group| test(&group)),
            Field::Ip => event.source_ips().any(|address| test(&address)),
            Field::ImpersonatedGroups => event
                .impersonated_user
                .and_then(|user| user.groups)
                .is_some_and(|groups| groups.elements().filter_map(Json::text).any(|group| test(&group))),
            _ => single_text(event, field).is_some_and(|text| test(&text)),
        }
    }
}

fn any_remark(event: Option<&Event<'_>>, mut test: impl FnMut(&str) -> bool) -> bool {
    let remarks = remarks(event);
    if remarks.is_empty() { test("ok") } else { remarks.into_iter().map(Remark::name).any(test) }
}

/// The text of a field that has at most one.
pub(crate) fn single_text<'a>(event: &Event<'a>, field: Field) -> Option<Cow<'a, str>> {
    let object = event.object_ref;
    let status = event.response_status;
    let json = match field {
        Field::User => event.user.username,
        Field::Uid => event.user.uid,
        Field::Verb => event.verb,
        Field::Resource => object?.resource,
        Field::Subresource => object?.subresource,
        Field::Namespace => object?.namespace,
        Field::Name => object?.name,
        Field::ApiGroup => object?.api_group,
        Field::ApiVersion => object?.api_version,
        Field::ObjectUid => object?.uid,
        Field::ResourceVersion => object?.resource_version,
        Field::Status => status?.status,
        Field::Error => status?.reason,
        Field::Message => status?.message,
        Field::Decision => event.annotations?.get("authorization.k8s.io/decision"),
        Field::Reason => event.annotations?.get("authorization.k8s.io/reason"),
        Field::Peer => return event.source_ips().last(),
        Field::Agent => event.user_agent,
        Field::Uri => event.request_uri,
        Field::Stage => event.stage,
        Field::Level => event.level,
        Field::AuditId => event.audit_id,
        Field::Impersonated => event.impersonated_user?.username,
        Field::ImpersonatedUid => event.impersonated_user?.uid,
        _ => None,
    };
    json?.text()
}
