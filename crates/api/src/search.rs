//! Searching: rows that match, and groups of them.

use audit::{Micros, Writer, format_rfc3339, quote};
use axum::extract::{Query as Parameters, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use query::{Context, Expr, Field, Query, ROW_KEYS, Range, Raw, RowKeys, Test};
use query::{parse_duration, parse_since, parse_until};
use serde::Deserialize;
use serde_json::Value as JsonValue;
use store::{Column, FoundRow, GroupBy, KEYS_MAX, Key, Order, Scan, Snapshot, StoreError, Value};

use crate::problem::Problem;
use crate::router::Api;

/// Rows of an answer, when nothing else is asked for and at most.
const ROWS: usize = 100;
const ROWS_MAX: usize = 10_000;
/// Bytes of the entries behind an answer. An answer that would hold more ends earlier; its cursor continues.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Groups of an answer, when nothing else is asked for and at most.
const GROUPS: usize = 1_000;
const GROUPS_MAX: usize = 100_000;

/// What is searched.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchParameters {
    q: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    order: Option<String>,
    cursor: Option<String>,
    fields: Option<String>,
    raw: Option<bool>,
}

/// What is counted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupParameters {
    q: Option<String>,
    since: Option<String>,
    until: Option<String>,
    by: String,
    distinct: Option<String>,
    sum: Option<String>,
    limit: Option<usize>,
}

/// Rows that match, newest first: `{"rows": […], "next": CURSOR or null, "searched": entries searched}`.
pub(crate) async fn search(
    State(api): State<Api>,
    Parameters(parameters): Parameters<SearchParameters>,
) -> Result<Response, Problem> {
    api.clone()
        .answer(move || {
            let context = Context::utc(api.clock.now().0);
            let query = read_query(&context, parameters.q.as_deref(), &parameters.since, &parameters.until)?;
            let order = read_order(parameters.order.as_deref())?;
            let query = match parameters.cursor.as_deref() {
                Some(cursor) => query.and(Query { expr: after(read_cursor(cursor)?, order) }),
                None => query,
            };
            let raw = if parameters.raw.unwrap_or(false) { Raw::With } else { Raw::Without };
            let limit = parameters.limit.unwrap_or(ROWS).min(ROWS_MAX);
            let keys = parameters.fields.as_deref().map_or(Ok(RowKeys::ALL), read_fields)?;
            let page = Page::find(&api.store.snapshot(), &query, (limit, order), keys, raw);
            Ok(page.map_err(|error| Problem::internal(&error))?.into_response())
        })
        .await
}

/// Groups of matching rows, largest first.
pub(crate) async fn groups(
    State(api): State<Api>,
    Parameters(parameters): Parameters<GroupParameters>,
) -> Result<Response, Problem> {
    api.clone()
        .answer(move || {
            let context = Context::utc(api.clock.now().0);
            let query = read_query(&context, parameters.q.as_deref(), &parameters.since, &parameters.until)?;
            let by = GroupBy {
                keys: read_keys(&parameters.by)?,
                distinct: parameters.distinct.as_deref().map(|name| read_column("distinct", name)).transpose()?,
                sum: parameters.sum.as_deref().map(|name| read_column("sum", name)).transpose()?,
            };
            let limit = parameters.limit.unwrap_or(GROUPS).min(GROUPS_MAX);
            let found = api.store.snapshot().group_by(&query, &by).map_err(|error| Problem::internal(&error))?;
            let left_out: u64 = found.groups.iter().skip(limit).map(|group| group.count).sum();
            let mut text = b"{\"groups\":[".to_vec();
            for (place, group) in found.groups.iter().take(limit).enumerate() {
                text.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
                text.extend_from_slice(&group_json(group, &by));
            }
            text.extend_from_slice(format!("\n],\"other\":{}}}\n", found.other + left_out).as_bytes());
            Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
        })
        .await
}

/// The JSON of a group, written as it is made: there may be very many.
fn group_json(group: &store::Group, by: &GroupBy) -> Vec<u8> {
    let mut keys = b"[".to_vec();
    for (place, (value, key)) in group.keys.iter().zip(&by.keys).enumerate() {
        keys.extend_from_slice(if place == 0 { b"" } else { b"," });
        write_key(value, *key, &mut keys);
    }
    keys.push(b']');
    let mut json = Writer::new();
    json.json("keys", &keys).json("count", group.count.to_string().as_bytes());
    json.text("first", &format_rfc3339(group.first)).text("last", &format_rfc3339(group.last));
    if by.distinct.is_some() {
        json.json("distinct", group.distinct.to_string().as_bytes());
    }
    if by.sum.is_some() {
        json.json("sum", group.sum.to_string().as_bytes());
    }
    json.finish()
}

fn write_key(value: &Value, key: Key, out: &mut Vec<u8>) {
    match (value, key) {
        (Value::Absent, _) => out.extend_from_slice(b"null"),
        (Value::Integer(time), Key::TimeStep(_) | Key::Column(Column::Time | Column::Received)) => {
            quote(&format_rfc3339(*time), out);
        }
        (Value::Integer(integer), _) => out.extend_from_slice(integer.to_string().as_bytes()),
        (Value::Text(text), _) => quote(text, out),
    }
}

/// Rows of an answer.
pub(crate) struct Page {
    rows: Vec<FoundRow>,
    keys: RowKeys,
    raw: Raw,
    /// There may be more behind the last row.
    more: bool,
    searched: u64,
}

impl Page {
    /// Finds the places of rows first, so that their sizes are known before they are held.
    pub(crate) fn find(
        snapshot: &Snapshot,
        query: &Query,
        (limit, order): (usize, Order),
        keys: RowKeys,
        raw: Raw,
    ) -> Result<Self, StoreError> {
        let scan = Scan::shown(limit, order, keys, raw);
        let mut found = snapshot.find(query, order, limit)?;
        let count = found.len();
        found.keep_bytes(ANSWER_BYTES_MAX)?;
        let rows = found.rows(&scan.columns, scan.payload)?;
        let more = limit > 0 && (count == limit || rows.len() < count);
        Ok(Self { rows, keys, raw, more, searched: snapshot.next() })
    }

    /// The answer. The JSON of the rows is written as it is made: a row is no object of ours.
    pub(crate) fn into_response(self) -> Response {
        let mut text = b"{\"rows\":[".to_vec();
        for (place, row) in self.rows.iter().enumerate() {
            text.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
            text.extend_from_slice(&row.to_json(self.keys, self.raw));
        }
        let next = self.rows.last().filter(|_| self.more).map(|row| cursor(row.time, row.index));
        let next = JsonValue::from(next);
        text.extend_from_slice(format!("\n],\"next\":{next},\"searched\":{}}}\n", self.searched).as_bytes());
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    }
}

/// Reads the query and the time that it is limited to.
pub(crate) fn read_query(
    context: &Context,
    text: Option<&str>,
    since: &Option<String>,
    until: &Option<String>,
) -> Result<Query, Problem> {
    let query = Query::parse(text.unwrap_or(""), context)?;
    let since = since.as_deref().map(|text| parse_since(text, context)).transpose();
    let until = until.as_deref().map(|text| parse_until(text, context)).transpose();
    let since = since.map_err(|error| Problem::parameter("since", error))?;
    let until = until.map_err(|error| Problem::parameter("until", error))?;
    let range = Range { low: since, high: until };
    Ok(query.and(Query::within(range)))
}

fn read_order(name: Option<&str>) -> Result<Order, Problem> {
    match name {
        None | Some("newest") => Ok(Order::Newest),
        Some("oldest") => Ok(Order::Oldest),
        Some(other) => Err(Problem::parameter("order", format_args!("{other:?} is neither newest nor oldest"))),
    }
}

fn read_fields(list: &str) -> Result<RowKeys, Problem> {
    RowKeys::parse(list).map_err(|name| {
        let known = ROW_KEYS.join(", ");
        Problem::parameter("fields", format_args!("a row has no field {name:?}; it has {known}"))
    })
}

fn read_keys(text: &str) -> Result<Vec<Key>, Problem> {
    let keys: Vec<Key> = text.split(',').map(read_key).collect::<Result<_, _>>()?;
    if keys.len() > KEYS_MAX {
        return Err(Problem::parameter("by", format_args!("at most {KEYS_MAX} fields")));
    }
    Ok(keys)
}

/// A field's name, or `time:5m` for steps of time.
fn read_key(text: &str) -> Result<Key, Problem> {
    match text.strip_prefix("time:") {
        Some(step) => match parse_duration(step).filter(|step| *step > 0) {
            Some(step) => Ok(Key::TimeStep(step)),
            None => Err(Problem::parameter("by", format_args!("{step:?} is not a duration such as 5m"))),
        },
        None => read_column("by", text).map(Key::Column),
    }
}

fn read_column(parameter: &str, name: &str) -> Result<Column, Problem> {
    let field = Field::from_name(name.trim());
    let column = field.and_then(|field| Column::from_name(field.column()));
    column.ok_or_else(|| Problem::parameter(parameter, format_args!("there is no field {name:?} to count by")))
}

fn cursor(time: Micros, index: u64) -> String {
    format!("{time}.{index}")
}

fn read_cursor(text: &str) -> Result<(Micros, u64), Problem> {
    let wrong = || Problem::parameter("cursor", "not a cursor that an answer gave as `next`");
    let (time, index) = text.split_once('.').ok_or_else(wrong)?;
    Ok((time.parse().map_err(|_| wrong())?, index.parse().map_err(|_| wrong())?))
}

/// What comes behind a row in an order.
fn after((time, index): (Micros, u64), order: Order) -> Expr {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let within = |field, range| Expr::field(field, Test::Within(range));
    let beyond = |value: i64| match order {
        Order::Newest => Range { low: None, high: Some(value.saturating_sub(1)) },
        Order::Oldest => Range { low: Some(value.saturating_add(1)), high: None },
    };
    let same_time = [within(Field::Time, Range::exactly(time)), within(Field::Index, beyond(index))];
    Expr::or([within(Field::Time, beyond(time)), Expr::and(same_time)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back() {
        assert_eq!(read_cursor(&cursor(-5, 7)).unwrap(), (-5, 7));
        for wrong in ["", "1", "1.", "a.b", "1.-2"] {
            assert!(read_cursor(wrong).is_err(), "{wrong}");
        }
    }
}
