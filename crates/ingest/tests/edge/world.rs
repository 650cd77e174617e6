//! A ledger in a directory of its own, and a webhook before it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use host::Host;
use ingest::{
    Admission, Feeder, Generated, IngestMetrics, MemoryBudget, Naming, Openness, Origin, Server, ServerLimits,
    ServerMetrics, StopFlag, Tls, TlsFiles, Tokens, Transport, Webhook, WebhookLimits,
};
use ledger::{Ledger, Options};
use tlog::LeafIndex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Token of the cluster `prod`.
pub(crate) const PROD_TOKEN: &str = "prod-0123456789abcdef";

/// What a test chooses.
pub(crate) struct Choice {
    pub(crate) webhook: WebhookLimits,
    pub(crate) server: ServerLimits,
    pub(crate) ledger: Options,
    pub(crate) memory: usize,
    pub(crate) open: Openness,
    pub(crate) client_authorities: Option<PathBuf>,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            webhook: WebhookLimits::default(),
            server: ServerLimits::default(),
            ledger: Options { free_bytes_min: 0, ..Options::default() },
            memory: 64 << 20,
            open: Openness::Credential,
            client_authorities: None,
        }
    }
}

/// A running webhook.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) tls: Arc<Tls>,
    pub(crate) files: Generated,
    pub(crate) port: u16,
    pub(crate) directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

impl World {
    pub(crate) async fn start(choice: Choice) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open_ledger(directory.path(), choice.ledger);
        let files = Generated::in_directory(&directory.path().join("tls"));
        files.ensure(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let tls = Tls::load(TlsFiles {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            client_authorities: choice.client_authorities,
        });
        let tls = Arc::new(tls.unwrap());
        let mut tokens = Tokens::default();
        tokens.add(PROD_TOKEN, Some("prod".parse().unwrap()));
        let webhook = Arc::new(Webhook {
            appender: ledger.appender(),
            admission: ArcSwap::from_pointee(Admission { tokens, open: choice.open }),
            default_cluster: "default".parse().unwrap(),
            limits: choice.webhook,
            budget: MemoryBudget::new(choice.memory, Duration::from_millis(100)),
            metrics: IngestMetrics::default(),
            clock: Host::system().clock,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server {
            listener,
            transport: Transport::Tls(tls.clone()),
            router: webhook.router(),
            limits: choice.server,
            metrics: ServerMetrics::default(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Self { ledger, tls, files, port, directory, stop: Some(stop), serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub(crate) fn authority(&self) -> Vec<u8> {
        std::fs::read(&self.files.authority).unwrap()
    }

    /// A client that trusts the webhook and carries the token of `prod`.
    pub(crate) fn client(&self) -> reqwest::Client {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {PROD_TOKEN}").parse().unwrap());
        self.bare_client().default_headers(headers).build().unwrap()
    }

    /// A client that trusts the webhook and shows nothing.
    pub(crate) fn bare_client(&self) -> reqwest::ClientBuilder {
        let authority = reqwest::Certificate::from_pem(&self.authority()).unwrap();
        reqwest::Client::builder().tls_certs_only([authority]).no_proxy()
    }

    /// Cluster and bytes of everything in the log, in order.
    pub(crate) fn entries(&self) -> Vec<(String, Vec<u8>)> {
        entries(&self.ledger)
    }

    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        self.stop.take();
        self.serving.await.unwrap();
        self.ledger.close().unwrap();
        self.directory
    }
}

pub(crate) fn open_ledger(directory: &Path, options: Options) -> Ledger {
    Ledger::open(&Host::system(), &directory.join("data"), options).unwrap()
}

pub(crate) fn entries(ledger: &Ledger) -> Vec<(String, Vec<u8>)> {
    let reader = ledger.reader();
    let mut found = Vec::new();
    let end = LeafIndex::new(reader.size().get());
    reader
        .read(LeafIndex::new(0)..end, |entry| {
            found.push((entry.cluster.to_owned(), entry.payload.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// A feeder for the cluster `tailed`.
pub(crate) fn feeder(ledger: &Ledger, stop: StopFlag) -> Feeder {
    let origin = Origin { cluster: "tailed".parse().unwrap(), naming: Naming::Fixed };
    Feeder::new(ledger.appender(), origin, Host::system().clock, IngestMetrics::default(), stop)
}

/// A batch as the API server sends it.
pub(crate) fn event_list(events: &[Vec<u8>]) -> Vec<u8> {
    let items = events.join(&b',');
    [br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#.as_slice(), &items, b"]}\n"]
        .concat()
}

pub(crate) fn events(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(testkit::event).collect()
}
