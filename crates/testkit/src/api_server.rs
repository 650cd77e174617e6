//! The audit webhook client of kube-apiserver: its batches, buffer, throttle, retries and redirects.
//!
//! What it does was measured against v1.36: a failure of any kind is tried five times with pauses of the initial backoff
//! times 1.5ⁿ (plus up to a fifth), then the batch is lost; an integer `Retry-After` on 429 or 5xx adds up to ten tries to
//! each of the five, within the request's timeout; 301, 302 and 303 turn the POST into a GET whose success counts.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The `--audit-webhook-*` flags, with the API server's defaults.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// Where batches are sent.
    pub url: String,
    /// Bearer token of the kubeconfig.
    pub token: Option<String>,
    /// PEM of the authority that the kubeconfig trusts.
    pub authority: Option<Vec<u8>>,
    /// PEM of a client certificate and its key, one after the other.
    pub identity: Option<Vec<u8>>,
    /// Events that wait to be put in a batch; beyond this they are dropped.
    pub buffer_size: usize,
    /// Events in a batch.
    pub batch_size_max: usize,
    /// Longest wait for a full batch.
    pub batch_wait_max: Duration,
    /// Batches a second.
    pub throttle_qps: f64,
    /// Batches that may be sent at once after a pause.
    pub throttle_burst: f64,
    /// Pause after the first failure.
    pub initial_backoff: Duration,
    /// Time for one try. Fixed in the API server.
    pub timeout: Duration,
}

/// Tries of one batch.
const ATTEMPTS: u32 = 5;
/// Further tries inside one try, when the answer asks for them.
const RETRY_AFTER_ATTEMPTS: u32 = 10;

impl WebhookOptions {
    /// The API server's defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            authority: None,
            identity: None,
            buffer_size: 10_000,
            batch_size_max: 400,
            batch_wait_max: Duration::from_secs(30),
            throttle_qps: 10.0,
            throttle_burst: 15.0,
            initial_backoff: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
        }
    }

    /// The same behaviour without the waiting.
    pub fn hurried(self) -> Self {
        Self {
            batch_wait_max: Duration::from_millis(50),
            throttle_qps: 1_000.0,
            throttle_burst: 1_000.0,
            initial_backoff: Duration::from_millis(100),
            ..self
        }
    }
}

/// What became of the events so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Events in batches that were answered with success.
    pub delivered: u64,
    /// Events in batches that failed five times.
    pub lost: u64,
    /// Events that found the buffer full.
    pub dropped: u64,
    /// Requests made.
    pub posts: u64,
}

#[derive(Debug, Default)]
struct Counters {
    delivered: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
    posts: AtomicU64,
}

/// An API server, as far as its audit webhook goes.
#[derive(Debug)]
pub struct ApiServer {
    buffer: Sender<Vec<u8>>,
    counters: Arc<Counters>,
    batching: tokio::task::JoinHandle<()>,
}

impl ApiServer {
    /// Starts it on the current runtime.
    ///
    /// # Panics
    /// When the authority or identity is not PEM.
    pub fn start(options: WebhookOptions) -> Self {
        let (buffer, events) = mpsc::channel(options.buffer_size);
        let counters = Arc::new(Counters::default());
        let webhook = Arc::new(Webhook { client: client(&options), options, counters: counters.clone() });
        let batching = tokio::spawn(webhook.batch(events));
        Self { buffer, counters, batching }
    }

    /// Emits an event, as an encoded JSON object; never waits. A full buffer drops it.
    pub fn emit(&self, event: Vec<u8>) {
        if self.buffer.try_send(event).is_err() {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Emits an event, and waits while the buffer is full, which an API server would not do.
    pub async fn emit_patiently(&self, event: Vec<u8>) {
        let _ = self.buffer.send(event).await;
    }

    /// What became of the events so far.
    pub fn report(&self) -> Report {
        self.counters.report()
    }

    /// Shuts down as on SIGTERM: sends what is buffered and waits for every batch to be delivered or lost.
    pub async fn shut_down(self) -> Report {
        let Self { buffer, counters, batching } = self;
        drop(buffer);
        let _ = batching.await;
        counters.report()
    }
}

impl Counters {
    fn report(&self) -> Report {
        Report {
            delivered: self.delivered.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            posts: self.posts.load(Ordering::Relaxed),
        }
    }
}

struct Webhook {
    options: WebhookOptions,
    client: Client,
    counters: Arc<Counters>,
}

fn client(options: &WebhookOptions) -> Client {
    let mut builder = Client::builder().timeout(options.timeout).no_proxy();
    if let Some(pem) = &options.authority {
        let authority = reqwest::Certificate::from_pem(pem).expect("the authority is PEM");
        builder = builder.tls_certs_only([authority]);
    }
    if let Some(pem) = &options.identity {
        builder = builder.identity(reqwest::Identity::from_pem(pem).expect("the identity is PEM"));
    }
    builder.build().expect("the client can be made")
}

impl Webhook {
    async fn batch(self: Arc<Self>, mut events: Receiver<Vec<u8>>) {
        let mut sending = JoinSet::new();
        let mut throttle = Throttle::new(&self.options);
        while let Some(batch) = self.next_batch(&mut events).await {
            throttle.wait().await;
            sending.spawn(self.clone().send(batch));
            while sending.try_join_next().is_some() {}
        }
        sending.join_all().await;
    }

    async fn next_batch(&self, events: &mut Receiver<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
        let mut batch = vec![events.recv().await?];
        let deadline = Instant::now() + self.options.batch_wait_max;
        while batch.len() < self.options.batch_size_max {
            match tokio::time::timeout_at(deadline, events.recv()).await {
                Ok(Some(event)) => batch.push(event),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }

    async fn send(self: Arc<Self>, batch: Vec<Vec<u8>>) {
        let body = event_list(&batch);
        let count = batch.len() as u64;
        drop(batch);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(jittered(self.options.initial_backoff.mul_f64(1.5f64.powi(attempt as i32 - 1))))
                    .await;
            }
            if self.try_once(&body).await {
                self.counters.delivered.fetch_add(count, Ordering::Relaxed);
                return;
            }
        }
        self.counters.lost.fetch_add(count, Ordering::Relaxed);
    }

    async fn try_once(&self, body: &[u8]) -> bool {
        let attempt = async {
            for _ in 0..=RETRY_AFTER_ATTEMPTS {
                let Ok(response) = self.post(body).await else { return false };
                match retry_after(&response) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return succeeded(response).await,
                }
            }
            false
        };
        tokio::time::timeout(self.options.timeout, attempt).await.unwrap_or(false)
    }

    async fn post(&self, body: &[u8]) -> reqwest::Result<Response> {
        self.counters.posts.fetch_add(1, Ordering::Relaxed);
        let mut request = self.client.post(&self.options.url).body(body.to_vec());
        request =
            request.header(header::CONTENT_TYPE, "application/json").header(header::USER_AGENT, "Go-http-client/2.0");
        if let Some(token) = &self.options.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }
}

/// 200 to 206, with a body that arrives whole.
async fn succeeded(response: Response) -> bool {
    (200..=206).contains(&response.status().as_u16()) && response.bytes().await.is_ok()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let status = response.status();
    let asks = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    asks.then(|| Duration::from_secs(seconds))
}

/// The body of a batch, byte for byte as the API server encodes it around the events.
fn event_list(events: &[Vec<u8>]) -> Vec<u8> {
    let mut body = br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#.to_vec();
    body.extend(events.join(&b','));
    body.extend(b"]}\n");
    body
}

/// Adds up to a fifth.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(pause) % 1_000;
    pause + pause.mul_f64(random as f64 / 5_000.0)
}

/// A token bucket.
struct Throttle {
    qps: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl Throttle {
    fn new(options: &WebhookOptions) -> Self {
        let burst = options.throttle_burst;
        Self { qps: options.throttle_qps, burst, tokens: burst, at: Instant::now() }
    }

    async fn wait(&mut self) {
        let now = Instant::now();
        self.tokens = (self.tokens + (now - self.at).as_secs_f64() * self.qps).min(self.burst) - 1.0;
        self.at = now;
        if self.tokens < 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(-self.tokens / self.qps)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::extract::{Request, State};
    use axum::response::IntoResponse;
    use axum::routing::any;

    use super::*;

    /// A status, and the value of `Retry-After` or `Location`.
    type Answer = (u16, Option<&'static str>);

    /// Answers in turn; the last answer stays. Returns what the client saw and the methods that were used.
    async fn play(answers: &'static [Answer]) -> (Report, Vec<String>) {
        type Seen = Arc<Mutex<Vec<String>>>;
        async fn answer(
            State((answers, seen)): State<(&'static [Answer], Seen)>,
            request: Request,
        ) -> impl IntoResponse {
            let mut seen = seen.lock().unwrap();
            let (status, value) = answers[seen.len().min(answers.len() - 1)];
            seen.push(request.method().to_string());
            let name = if (300..400).contains(&status) { header::LOCATION } else { header::RETRY_AFTER };
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(value) = value {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", any(answer)).with_state((answers, seen.clone()));
        tokio::spawn(axum::serve(listener, router).into_future());
        let options =
            WebhookOptions { initial_backoff: Duration::from_millis(5), ..WebhookOptions::new(url).hurried() };
        let server = ApiServer::start(options);
        (0..3).for_each(|number| server.emit(crate::event(number)));
        let report = server.shut_down().await;
        let seen = seen.lock().unwrap().clone();
        (report, seen)
    }

    #[tokio::test]
    async fn behaves_as_measured() {
        let delivered = |posts| Report { delivered: 3, posts, ..Report::default() };
        let lost = |posts| Report { lost: 3, posts, ..Report::default() };
        assert_eq!(play(&[(200, None)]).await.0, delivered(1));
        assert_eq!(play(&[(206, None)]).await.0, delivered(1));
        assert_eq!(play(&[(207, None)]).await.0, lost(5));
        assert_eq!(play(&[(401, None)]).await.0, lost(5));
        assert_eq!(play(&[(400, Some("1"))]).await.0, lost(5));
        assert_eq!(play(&[(500, None), (500, None), (200, None)]).await.0, delivered(3));
        assert_eq!(play(&[(503, Some("0"))]).await.0, lost(55));
        let (report, methods) = play(&[(302, Some("/")), (200, None)]).await;
        assert_eq!((report, methods), (delivered(1), vec!["POST".to_owned(), "GET".to_owned()]));
        let (report, methods) = play(&[(307, Some("/")), (200, None)]).await;
        assert_eq!((report, methods), (delivered(1), vec!["POST".to_owned(), "POST".to_owned()]));
    }

    #[tokio::test]
    async fn a_full_buffer_drops() {
        let options = WebhookOptions { buffer_size: 10, ..WebhookOptions::new("http://127.0.0.1:1/").hurried() };
        let server = ApiServer::start(options);
        (0..25).for_each(|number| server.emit(crate::event(number)));
        assert_eq!(server.report().dropped, 15);
    }
}
