//! Accepts connections and serves them: TLS or plain, HTTP/1.1 or 2, bounded in number, patience and headers.
//!
//! The webhook and the API are both served by it, so what holds for one holds for the other.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::tls::Tls;

/// Patience and sizes of connections. Beyond any of them the connection is closed; the client may come again.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections open at once. A further one is closed as soon as it is accepted.
    pub connections_max: usize,
    /// Time for the TLS handshake.
    pub handshake_time_max: Duration,
    /// Time for the headers of a request, also the longest idle time of an HTTP/1.1 connection.
    pub header_time_max: Duration,
    /// Bytes of a request's headers.
    pub header_bytes_max: u32,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// Time that requests in progress get when the server stops.
    pub drain_time_max: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            handshake_time_max: Duration::from_secs(10),
            header_time_max: Duration::from_secs(30),
            header_bytes_max: 64 << 10,
            // An API server with a slow receiver sends hundreds of batches at once over one connection.
            streams_max: 250,
            drain_time_max: Duration::from_secs(25),
        }
    }
}

/// Bytes in flight that HTTP/2 grants one request, and one connection: a batch of the usual size in one round trip.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// An HTTP/2 peer that is gone is noticed after the sum of these.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener speaks.
#[derive(Debug, Clone)]
pub enum Transport {
    /// HTTP/1.1 without TLS.
    Plain,
    /// HTTP/1.1 or 2, as agreed in the handshake.
    Tls(Arc<Tls>),
}

/// Who is at the other end; an extension of every request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    pub(crate) certificate: ClientCertificate,
}

/// The client certificate of a connection.
#[derive(Debug, Clone)]
pub(crate) enum ClientCertificate {
    /// None was sent.
    Absent,
    /// Sent, but not from an authority we know.
    Unknown,
    /// From a known authority.
    Trusted(Arc<CertificateDer<'static>>),
}

/// What happened to connections of one listener.
#[derive(Debug, Clone, Default)]
pub struct ServerMetrics {
    open: Gauge,
    refused: Counter,
    failed_handshakes: Counter,
}

impl ServerMetrics {
    /// Names them `kubewitness_<listener>_connections…`.
    pub fn register(&self, listener: &str, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix(listener);
        registry.register("connections", "Connections open now", self.open.clone());
        let refused = "Connections closed because connections_max was reached";
        registry.register("connections_refused", refused, self.refused.clone());
        let failed = "TLS handshakes that failed or took too long";
        registry.register("handshakes_failed", failed, self.failed_handshakes.clone());
    }
}

/// One listening socket and what it serves.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub listener: TcpListener,
    /// What it speaks.
    pub transport: Transport,
    /// What answers.
    pub router: Router,
    /// Its limits.
    pub limits: ServerLimits,
    /// Its counters.
    pub metrics: ServerMetrics,
}

impl Server {
    /// Serves until `stop` is ready, then lets requests in progress finish within `drain_time_max`.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let connections = Arc::new(Semaphore::new(self.limits.connections_max));
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let (stream, address) = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => { accept_failed(&error).await; continue }
                },
                () = &mut stop => break,
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
                self.metrics.refused.inc();
                continue;
            };
            let connection = Connection {
                address,
                transport: self.transport.clone(),
                router: self.router.clone(),
                limits: self.limits.clone(),
                metrics: self.metrics.clone(),
            };
            let watcher = graceful.watcher();
            tokio::spawn(async move {
                connection.metrics.open.inc();
                let open = connection.metrics.open.clone();
                connection.serve(stream, watcher).await;
                open.dec();
                drop(permit);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(self.limits.drain_time_max, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still in progress after the drain time; closing them");
        }
    }
}

async fn accept_failed(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

struct Connection {
    address: SocketAddr,
    transport: Transport,
    router: Router,
    limits: ServerLimits,
    metrics: ServerMetrics,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        match self.transport.clone() {
            Transport::Plain => self.serve_http(stream, Version::Http1, ClientCertificate::Absent, watcher).await,
            Transport::Tls(tls) => self.serve_tls(stream, &tls, watcher).await,
        }
    }

    async fn serve_tls(self, stream: TcpStream, tls: &Tls, watcher: Watcher) {
        let loaded = tls.current();
        let handshake = TlsAcceptor::from(Arc::clone(&loaded.server)).accept(stream);
        let Ok(Ok(stream)) = tokio::time::timeout(self.limits.handshake_time_max, handshake).await else {
            self.metrics.failed_handshakes.inc();
            return;
        };
        let session = stream.get_ref().1;
        let certificate = match session.peer_certificates() {
            None | Some([]) => ClientCertificate::Absent,
            Some(chain) if loaded.trusts(chain) => ClientCertificate::Trusted(Arc::new(chain[0].clone().into_owned())),
            Some(_) => ClientCertificate::Unknown,
        };
        let version = if session.alpn_protocol() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
        self.serve_http(stream, version, certificate, watcher).await;
    }

    async fn serve_http<S>(self, stream: S, version: Version, certificate: ClientCertificate, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer { address: self.address, certificate };
        let router = self.router;
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (router, peer) = (router.clone(), peer.clone());
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(peer);
                router.oneshot(request).await
            }
        });
        let builder = http(version, &self.limits);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        // A connection that breaks is the client's affair; what it had sent is answered for by its request.
        let _ = watcher.watch(connection).await;
    }
}

#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// Never guesses the version from the first bytes: a silent client would be waited for without end.
fn http(version: Version, limits: &ServerLimits) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        .max_buf_size(limits.header_bytes_max as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes_max)
        .max_concurrent_streams(limits.streams_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
