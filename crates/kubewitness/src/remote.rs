//! A server, asked over its API.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use audit::{Format, Json};
use query::{Field, Query, Raw};
use reqwest::{Response, StatusCode, Url};
use tokio::runtime::Runtime;

use crate::backend::{Ask, Backend, Found, Group, Order, RowSink};
use crate::exit::Usage;

/// Rows of one answer; the server's own limit is the same.
const PAGE_ROWS: usize = 10_000;
/// Groups of one answer; the server's own limit is the same.
const GROUPS_MAX: usize = 100_000;
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest line of a tail: a row whose event has the largest size that a log takes, in quotes.
const LINE_BYTES_MAX: usize = 1 << 30;

/// A connection to one server.
pub(crate) struct Remote {
    client: reqwest::Client,
    base: Url,
    token: Option<String>,
    runtime: Runtime,
    tail: RefCell<Option<TailStream>>,
}

/// The answer to a tail, as far as it has come.
struct TailStream {
    response: Response,
    /// Place from which it goes on.
    next: u64,
    /// A line that is not complete yet.
    line: Vec<u8>,
}

impl Remote {
    /// A client of the server at `url`. `ca` is a PEM file of certificates that are trusted besides the system's.
    pub(crate) fn new(url: &str, token: Option<String>, ca: Option<&Path>) -> anyhow::Result<Self> {
        let wrong =
            |cause: String| Usage(format!("--server {url}: {cause}; write it like https://kubewitness.example:8443"));
        let base = Url::parse(url).map_err(|cause| wrong(cause.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong(format!("`{}` is no scheme of ours", base.scheme())).into());
        }
        let mut client =
            reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca {
            let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{} holds no certificates in PEM", path.display()))?;
            client = client.tls_certs_merge(certificates);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: client.build()?, base, token, runtime, tail: RefCell::new(None) })
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/api/v1/{path}"));
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    async fn send(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Response> {
        let mut request = self.client.get(self.url(path, parameters));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.with_context(|| format!("cannot reach {}", self.base))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED => bail!(
                "{} wants a valid token: give it with --token or KUBEWITNESS_TOKEN (the server's keys/api.token)",
                self.base
            ),
            status => Err(problem(status, &response.bytes().await.unwrap_or_default())),
        }
    }

    /// The body of an answer, read as JSON text.
    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
        self.runtime.block_on(async {
            let response = self.send(path, parameters).await?;
            Ok(response.bytes().await.context("the answer broke off")?.to_vec())
        })
    }

    /// The next bytes of a tail; empty if none came in time.
    fn next_chunk(&self, tail: &mut TailStream, wait: Duration) -> anyhow::Result<Vec<u8>> {
        let chunk = self.runtime.block_on(async { tokio::time::timeout(wait, tail.response.chunk()).await });
        match chunk {
            Err(_) => Ok(Vec::new()),
            Ok(Ok(Some(bytes))) => Ok(bytes.to_vec()),
            Ok(Ok(None)) => bail!("the server ended the tail"),
            Ok(Err(error)) => Err(anyhow::Error::new(error).context("the tail broke off")),
        }
    }

    fn open_tail(&self, query: &Query, from: u64, raw: Raw) -> anyhow::Result<TailStream> {
        let parameters = [("q", &*query.to_string()), ("from", &*from.to_string()), ("raw", raw_flag(raw))];
        let response = self.runtime.block_on(self.send("tail", &parameters))?;
        Ok(TailStream { response, next: from, line: Vec::new() })
    }
}

/// What the server says is wrong: `{"error": …, "hint": …}`.
fn problem(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let text = |key| Json::whole(body).ok()?.get(key)?.text().map(|text| text.into_owned());
    match (text("error"), text("hint")) {
        (Some(error), Some(hint)) => anyhow::anyhow!("{error} ({hint})"),
        (Some(error), None) => anyhow::anyhow!("{error}"),
        _ => anyhow::anyhow!("the server answered {status}; is it a kubewitness?"),
    }
}

fn raw_flag(raw: Raw) -> &'static str {
    if raw == Raw::With { "true" } else { "false" }
}

fn member<'a>(json: Json<'a>, key: &str) -> anyhow::Result<Json<'a>> {
    json.get(key).with_context(|| format!("the server's answer has no `{key}`"))
}

impl Backend for Remote {
    fn search(&self, ask: &Ask<'_>, sink: &mut RowSink<'_>) -> anyhow::Result<()> {
        let query = ask.query.to_string();
        let order = if ask.order == Order::Newest { "newest" } else { "oldest" };
        let mut left = ask.limit.unwrap_or(usize::MAX);
        let mut cursor: Option<String> = None;
        while left > 0 {
            let limit = left.min(PAGE_ROWS).to_string();
            let mut parameters =
                vec![("q", query.as_str()), ("order", order), ("limit", &limit), ("raw", raw_flag(ask.raw))];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.get("search", &parameters)?;
            let answer = Json::whole(&answer)?;
            for row in member(answer, "rows")?.elements() {
                left -= 1;
                if sink(row.bytes())?.is_break() {
                    return Ok(());
                }
            }
            cursor = answer.get("next").and_then(Json::text).map(|next| next.into_owned());
            if cursor.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn group(&self, query: &Query, by: &[Field]) -> anyhow::Result<Vec<Group>> {
        let by: Vec<&str> = by.iter().map(|field| field.name()).collect();
        let (query, by, limit) = (query.to_string(), by.join(","), GROUPS_MAX.to_string());
        let answer = self.get("groups", &[("q", &query), ("by", &by), ("sum", "size"), ("limit", &limit)])?;
        member(Json::whole(&answer)?, "groups")?.elements().map(group).collect()
    }

    fn get(&self, index: u64) -> anyhow::Result<Option<Found>> {
        let response = self.runtime.block_on(async {
            match self.send(&format!("entries/{index}"), &[]).await {
                Ok(response) => {
                    let headers = response.headers().clone();
                    Ok(Some((headers, response.bytes().await.context("the answer broke off")?)))
                }
                Err(_) if index >= self.size().await? => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        let Some((headers, payload)) = response else { return Ok(None) };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let entry = query::Entry {
            index,
            received: header("kubewitness-received").parse().unwrap_or(0),
            cluster: header("kubewitness-cluster"),
            format: header("kubewitness-format").parse().ok().and_then(Format::from_code).unwrap_or(Format::Quarantine),
            payload: &payload,
        };
        let (row, defect) = entry.with_row(|row| (row.to_json(Raw::With), row.defect.map(str::to_owned)));
        Ok(Some(Found { row, payload: payload.to_vec(), defect }))
    }

    fn end(&self) -> anyhow::Result<u64> {
        self.runtime.block_on(self.size())
    }

    fn follow(
        &self,
        query: &Query,
        from: u64,
        wait: Duration,
        raw: Raw,
        sink: &mut RowSink<'_>,
    ) -> anyhow::Result<u64> {
        let mut slot = self.tail.borrow_mut();
        let mut tail = match slot.take() {
            Some(tail) if tail.next == from => tail,
            _ => self.open_tail(query, from, raw)?,
        };
        let chunk = self.next_chunk(&mut tail, wait)?;
        tail.line.extend_from_slice(&chunk);
        while let Some(end) = tail.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = tail.line.drain(..=end).collect();
            // Empty lines only show that the connection lives.
            let Ok(row) = Json::whole(&line) else { continue };
            let index = row.get("index").and_then(Json::integer).and_then(|index| u64::try_from(index).ok());
            tail.next = index.map_or(tail.next, |index| index + 1);
            if let ControlFlow::Break(()) = sink(row.bytes())? {
                break;
            }
        }
        if tail.line.len() > LINE_BYTES_MAX {
            bail!("a line of the tail is longer than {LINE_BYTES_MAX} bytes");
        }
        let next = tail.next;
        *slot = Some(tail);
        Ok(next)
    }
}

impl Remote {
    /// Entries that the server's searches see.
    async fn size(&self) -> anyhow::Result<u64> {
        let answer = self.send("search", &[("limit", "0")]).await?.bytes().await?;
        let searched = member(Json::whole(&answer)?, "searched")?.integer();
        searched.and_then(|size| u64::try_from(size).ok()).context("the server's answer has no size")
    }
}

fn group(json: Json<'_>) -> anyhow::Result<Group> {
    let integer = |key| member(json, key)?.integer().with_context(|| format!("`{key}` is no integer"));
    let time = |key| {
        let text = member(json, key)?.text().unwrap_or_default();
        audit::parse_rfc3339(&text).with_context(|| format!("`{text}` is no time"))
    };
    let value = |value: Json<'_>| (!value.is_null()).then(|| value.display().into_owned());
    Ok(Group {
        values: member(json, "keys")?.elements().map(value).collect(),
        count: integer("count")?.unsigned_abs(),
        bytes: integer("sum")?.unsigned_abs(),
        first: time("first")?,
        last: time("last")?,
    })
}
