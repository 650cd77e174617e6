//! The endpoint that API servers send their audit events to.
//!
//! | answer | when | what the API server does |
//! |---|---|---|
//! | 200 | everything of the request is synced in the ledger | forgets the batch |
//! | 401 | unknown token or client certificate, or none | tries five times in all, then the batch is lost |
//! | 404, 405 | another path or method. Never a redirect: it would lose the batch without a trace | the same |
//! | 413 | the body is larger than `body_bytes_max` | the same |
//! | 415, 400 | an encoding that we do not know, or that the body does not have | the same |
//! | 408 | the body stopped coming | the same |
//! | 503 with `Retry-After: 1` | queue or memory full, or the disk refuses | tries up to 55 times |
//!
//! What cannot be read as an audit event is kept in quarantine and acknowledged: refusing it would cost the whole batch.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use host::Clock;
use http_body_util::BodyExt;
use ledger::{AppendError, Appender, Batch, SubmitError, Ticket};

use crate::budget::{Exhausted, MemoryBudget, Share};
use crate::cluster::ClusterName;
use crate::encoding::{DECODER_BYTES, Decoded, Decoder};
use crate::intake::{BATCH_BYTES, Intake, Naming, Origin, Tally};
use crate::metrics::IngestMetrics;
use crate::sender::{Admission, Refusal};
use crate::server::Peer;

/// Limits of one request. Connections have their own in [`crate::ServerLimits`].
#[derive(Debug, Clone)]
pub struct WebhookLimits {
    /// Bytes of a body, as sent and as decoded; a larger one is answered with 413.
    pub body_bytes_max: u64,
    /// Time without a byte of the body, after which it is given up.
    pub body_idle_max: Duration,
    /// Time for a whole request. The API server gives up after 30 s.
    pub request_time_max: Duration,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 << 20,
            body_idle_max: Duration::from_secs(10),
            request_time_max: Duration::from_secs(120),
        }
    }
}

/// Seconds after which a refused sender should come again: the least that the API server understands.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");
/// A refused body is read on for so long and so far, so that the sender reads our answer instead of a broken connection.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
const DRAIN_BYTES_MAX: u64 = 64 << 20;
/// Bytes decoded at a time.
const PIECE_BYTES: usize = 64 << 10;
/// Memory that a request takes at first: for its batch, the copy in the ledger's queue, and pieces.
const FIRST_SHARE: usize = 2 * BATCH_BYTES;

/// The endpoint's state.
pub struct Webhook {
    /// Where batches go.
    pub appender: Appender,
    /// Who may send; can be replaced while serving.
    pub admission: ArcSwap<Admission>,
    /// Cluster of senders that name none.
    pub default_cluster: ClusterName,
    /// Limits of a request.
    pub limits: WebhookLimits,
    /// Memory for all requests together.
    pub budget: MemoryBudget,
    /// Counters.
    pub metrics: IngestMetrics,
    /// Tells when a request came.
    pub clock: Arc<dyn Clock>,
}

impl Webhook {
    /// The routes. Paths are taken as they are: a trailing slash is another path, and unknown ones are plain 404s.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/healthz", get("ok\n")).fallback(receive).with_state(self)
    }
}

/// Everything of a request is durable. The only way to a 200.
struct Acknowledged {
    tally: Tally,
    duplicates: u64,
}

/// Why a request is not acknowledged.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("no such path: use /, /audit, /audit/CLUSTER or /v1/audit/CLUSTER")]
    Path,
    #[error("only POST is taken here")]
    Method,
    #[error("{0}")]
    Refused(Refusal),
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the content encoding is not known: send plain, gzip or zstd")]
    Encoding,
    #[error("the body is not what its content encoding says")]
    Undecodable,
    #[error("the body stopped coming")]
    Stalled,
    #[error("the body was cut off")]
    Aborted,
    #[error("{0}; come again")]
    Busy(#[from] Exhausted),
    #[error("the log is behind; come again")]
    Full(#[from] SubmitError),
    #[error("the log cannot be written now; come again")]
    Log(#[from] AppendError),
}

async fn receive(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    let deadline = tokio::time::Instant::now() + webhook.limits.request_time_max;
    let received = async {
        let origin = webhook.admit(&parts)?;
        let intake = Intake::new(origin, webhook.clock.now().0);
        webhook.take_in(intake, &parts.headers, &mut body).await
    };
    let outcome = tokio::time::timeout_at(deadline, received).await.unwrap_or(Err(Problem::Stalled));
    let response = match outcome {
        Ok(acknowledged) => acknowledged.into_response(),
        Err(problem) => {
            drain(body).await;
            webhook.refuse(&problem, &parts)
        }
    };
    webhook.metrics.answered(response.status().as_u16());
    response
}

impl Webhook {
    fn admit(&self, parts: &axum::http::request::Parts) -> Result<Origin, Problem> {
        let path = cluster_of_path(parts.uri.path()).ok_or(Problem::Path)?;
        if parts.method != Method::POST {
            return Err(Problem::Method);
        }
        let peer = parts.extensions.get::<Peer>();
        let certificate = peer.map_or(&crate::server::ClientCertificate::Absent, |peer| &peer.certificate);
        let bound = self.admission.load().judge(certificate, bearer(&parts.headers)).map_err(Problem::Refused)?;
        Ok(match bound.or(path) {
            Some(cluster) => Origin { cluster, naming: Naming::Fixed },
            None => Origin { cluster: self.default_cluster.clone(), naming: Naming::ByRecord },
        })
    }

    /// Reads the body, splits it, and submits it batch by batch. Memory stays within the request's share.
    async fn take_in(&self, mut intake: Intake, headers: &HeaderMap, body: &mut Body) -> Result<Acknowledged, Problem> {
        let limit = self.limits.body_bytes_max;
        let declared = declared_length(headers);
        if declared.is_some_and(|length| length > limit) {
            return Err(Problem::TooLarge(limit));
        }
        let encoding = headers.get(header::CONTENT_ENCODING).map_or(Ok(""), HeaderValue::to_str);
        let encoding = encoding.map_err(|_| Problem::Encoding)?.trim().to_ascii_lowercase();
        let decoder = Decoder::for_encoding(&encoding).ok().flatten().ok_or(Problem::Encoding)?;
        let decoder_bytes = if matches!(decoder, Decoder::Zstd(_)) { DECODER_BYTES } else { 0 };
        let first = declared.map_or(FIRST_SHARE, |length| FIRST_SHARE.min(2 * length as usize + PIECE_BYTES));
        let share = self.budget.take(first + decoder_bytes).await?;
        let mut submission = Submission { webhook: self, share, fixed: decoder_bytes, waiting: None, duplicates: 0 };
        let mut body = Decoding { body, decoder, idle_max: self.limits.body_idle_max, limit, taken: 0 };
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = body.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            intake.push(&piece[..read]);
            submission.after_piece(&mut intake).await?;
        }
        intake.end();
        submission.finish(&mut intake).await?;
        let tally = intake.tally();
        self.metrics.committed(intake.cluster(), tally, submission.duplicates);
        Ok(Acknowledged { tally, duplicates: submission.duplicates })
    }

    fn refuse(&self, problem: &Problem, parts: &axum::http::request::Parts) -> Response {
        let (status, reason) = problem.status();
        self.metrics.refused(reason);
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.address.to_string()).unwrap_or_default();
        let path = parts.uri.path();
        match problem {
            Problem::TooLarge(limit) => {
                let cluster = self.admit(parts).map(|origin| origin.cluster.to_string()).unwrap_or_default();
                let hint = "raise webhook.body_bytes_max, or lower --audit-webhook-batch-max-size of the API server";
                tracing::warn!(
                    peer,
                    cluster,
                    limit,
                    hint,
                    "a request body is too large; its batch is lost if it stays so"
                );
            }
            Problem::Log(cause) => tracing::error!(peer, cause = crate::chain(cause), "cannot acknowledge a request"),
            _ => tracing::warn!(peer, path, reason, "refused a webhook request: {problem}"),
        }
        let mut response = (status, json(format!("{{\"error\":\"{problem}\"}}\n"))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

impl Problem {
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Path => (StatusCode::NOT_FOUND, "path"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Self::Refused(refusal) => (StatusCode::UNAUTHORIZED, refusal.label()),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Encoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding"),
            Self::Undecodable => (StatusCode::BAD_REQUEST, "undecodable"),
            Self::Stalled => (StatusCode::REQUEST_TIMEOUT, "stalled"),
            Self::Aborted => (StatusCode::BAD_REQUEST, "aborted"),
            Self::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "memory"),
            Self::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, "queue"),
            Self::Log(AppendError::Full { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "disk_full"),
            Self::Log(_) => (StatusCode::SERVICE_UNAVAILABLE, "disk"),
        }
    }
}

impl IntoResponse for Acknowledged {
    fn into_response(self) -> Response {
        let Tally { entries, quarantined, .. } = self.tally;
        let duplicates = self.duplicates;
        let text = format!("{{\"entries\":{entries},\"duplicates\":{duplicates},\"quarantined\":{quarantined}}}\n");
        json(text).into_response()
    }
}

/// A body whose content type the API server can parse; it counts an unparsable one as a failure.
fn json(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// The batches of one request on their way into the ledger: at most one waits while the next is made.
struct Submission<'w> {
    webhook: &'w Webhook,
    share: Share,
    /// Memory of the request that is no entry.
    fixed: usize,
    waiting: Option<(Ticket, usize)>,
    duplicates: u64,
}

impl Submission<'_> {
    async fn after_piece(&mut self, intake: &mut Intake) -> Result<(), Problem> {
        let waiting = self.waiting.as_ref().map_or(0, |(_, bytes)| *bytes);
        self.share.cover(self.fixed + waiting + intake.held() + PIECE_BYTES).await?;
        match intake.full_batch(|duplicates| self.webhook.appender.blank_batch(duplicates)) {
            Some(batch) => self.submit(batch).await,
            None => Ok(()),
        }
    }

    async fn finish(&mut self, intake: &mut Intake) -> Result<(), Problem> {
        if let Some(batch) = intake.last_batch() {
            self.submit(batch).await?;
        }
        self.wait().await
    }

    async fn submit(&mut self, batch: Batch) -> Result<(), Problem> {
        self.wait().await?;
        let bytes = batch.memory();
        let ticket = self.webhook.appender.submit(batch)?;
        self.waiting = Some((ticket, bytes));
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), Problem> {
        if let Some((ticket, _)) = self.waiting.take() {
            self.duplicates += ticket.await?.duplicates() as u64;
        }
        Ok(())
    }
}

/// A body, read and decoded piece by piece.
struct Decoding<'b> {
    body: &'b mut Body,
    decoder: Decoder,
    idle_max: Duration,
    /// Most bytes, as sent and as decoded.
    limit: u64,
    taken: u64,
}

impl Decoding<'_> {
    /// Reads some bytes; none at the end.
    async fn read(&mut self, piece: &mut [u8]) -> Result<usize, Problem> {
        loop {
            match self.decoder.read(piece).map_err(|_| Problem::Undecodable)? {
                Decoded::End => return Ok(0),
                Decoded::Bytes(read) => {
                    self.taken += read as u64;
                    return if self.taken > self.limit { Err(Problem::TooLarge(self.limit)) } else { Ok(read) };
                }
                Decoded::Hungry => match self.next_frame().await? {
                    Some(bytes) => self.decoder.feed(bytes),
                    None => self.decoder.end(),
                },
            }
        }
    }

    async fn next_frame(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = tokio::time::timeout(self.idle_max, self.body.frame()).await.map_err(|_| Problem::Stalled)?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Problem::Aborted),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_trailers) => {}
                },
            }
        }
    }
}

/// The cluster that a path names; `Some(None)` for a path that names none, `None` for a path that is not ours.
fn cluster_of_path(path: &str) -> Option<Option<ClusterName>> {
    if matches!(path, "/" | "/audit" | "/v1/audit") {
        return Some(None);
    }
    let name = path.strip_prefix("/v1/audit/").or_else(|| path.strip_prefix("/audit/"))?;
    name.parse().ok().map(Some)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the rest of a refused body, within reason.
async fn drain(mut body: Body) {
    let read = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            if drained > DRAIN_BYTES_MAX {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_are() {
        for none in ["/", "/audit", "/v1/audit"] {
            assert_eq!(cluster_of_path(none), Some(None), "{none}");
        }
        for named in ["/audit/prod", "/v1/audit/prod"] {
            assert_eq!(cluster_of_path(named), Some(Some("prod".parse().unwrap())), "{named}");
        }
        for unknown in
            ["", "/audit/", "/v1/audit/", "/audit/prod/", "/audit/a/b", "/v2/audit/a", "//", "/audit/..", "/x"]
        {
            assert_eq!(cluster_of_path(unknown), None, "{unknown}");
        }
    }
}
