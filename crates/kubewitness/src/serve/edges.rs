//! The sockets and files that a server listens to, and how they start and stop.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use api::{Access, Api, Readiness, Slots};
use arc_swap::ArcSwap;
use host::Host;
use ingest::{
    Admission, Feeder, IngestMetrics, MemoryBudget, Naming, Origin, Server, ServerMetrics, StopFlag, Tail, TailOptions,
    Tls, Tokens, Transport, Webhook, follow_pipe, positions_file,
};
use ledger::Ledger;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, TailConfig, WebhookConfig};
use crate::serve::certificates::CertificateFiles;
use crate::serve::greeting::{Greeting, url};
use crate::serve::metrics::LogAndStore;
use crate::serve::notify;
use crate::serve::reload::{Reloading, until_signal};
use crate::serve::secrets::Secrets;

/// The path that means standard input.
const STANDARD_INPUT: &str = "-";

/// What the listening edges share.
pub(super) struct Edges<'a> {
    pub(super) config: &'a Config,
    pub(super) host: &'a Host,
    pub(super) ledger: &'a Arc<Ledger>,
    pub(super) store: store::Reader,
    pub(super) secrets: &'a Secrets,
}

/// Serves until SIGINT or SIGTERM, then lets everything in progress finish.
pub(super) async fn serve(edges: &Edges<'_>, greet: &mut dyn FnMut(&Greeting)) -> anyhow::Result<()> {
    let Edges { config, secrets, .. } = edges;
    let certificates = CertificateFiles::ensure(config)?;
    let tls = certificates.load()?;
    let api_is_local = config.api.listen.ip().is_loopback();
    let api_tls = if api_is_local { None } else { Some(certificates.load_for_api(tls.as_ref())?) };

    let mut registry = Registry::with_prefix("kubewitness");
    let metrics = IngestMetrics::default();
    metrics.register(&mut registry);
    let webhook = edges.webhook(metrics.clone())?;
    let webhook_server = edges.webhook_server(&webhook, tls.clone(), &mut registry).await?;
    let readiness = Readiness::default();
    let api_server = edges.api_server(api_tls.clone(), readiness.clone(), registry).await?;
    let greeting = edges.greeting(&webhook_server, &api_server, tls.as_ref())?;

    let stop_feeding = StopFlag::default();
    let tails = edges.start_tails(&metrics, &stop_feeding)?;
    let (stop, stopped) = watch::channel(());
    let until_stopped = |mut stopped: watch::Receiver<()>| async move { drop(stopped.changed().await) };
    let serving = [
        tokio::spawn(webhook_server.run(until_stopped(stopped.clone()))),
        tokio::spawn(api_server.run(until_stopped(stopped))),
    ];
    readiness.ready();
    greet(&greeting);
    notify::service_manager("READY=1");
    let reloading = Reloading { certificates: &certificates, tls: [tls, api_tls], webhook: &webhook, config, secrets };
    until_signal(reloading).await?;

    readiness.not_ready();
    notify::service_manager("STOPPING=1");
    tracing::info!("stopping: requests in progress are finished first");
    drop(stop);
    stop_feeding.raise();
    for server in serving {
        server.await?;
    }
    tokio::task::spawn_blocking(move || tails.into_iter().for_each(|tail| drop(tail.join()))).await?;
    Ok(())
}

impl Edges<'_> {
    fn webhook(&self, metrics: IngestMetrics) -> anyhow::Result<Arc<Webhook>> {
        let WebhookConfig { limits, memory_max, memory_wait_max, .. } = &self.config.webhook;
        Ok(Arc::new(Webhook {
            appender: self.ledger.appender(),
            admission: ArcSwap::from_pointee(admission(self.config, self.secrets)?),
            default_cluster: self.config.cluster.clone(),
            limits: limits.clone(),
            budget: MemoryBudget::new(*memory_max, *memory_wait_max),
            metrics,
            clock: self.host.clock.clone(),
        }))
    }

    async fn webhook_server(
        &self,
        webhook: &Arc<Webhook>,
        tls: Option<Arc<Tls>>,
        registry: &mut Registry,
    ) -> anyhow::Result<Server> {
        let metrics = ServerMetrics::default();
        metrics.register("webhook", registry);
        webhook.budget.register(registry);
        Ok(Server {
            listener: listen("webhook.listen", self.config.webhook.listen).await?,
            transport: tls.map_or(Transport::Plain, Transport::Tls),
            router: webhook.clone().router(),
            limits: self.config.webhook.server.clone(),
            metrics,
        })
    }

    async fn api_server(
        &self,
        tls: Option<Arc<Tls>>,
        readiness: Readiness,
        mut registry: Registry,
    ) -> anyhow::Result<Server> {
        let metrics = ServerMetrics::default();
        metrics.register("api", &mut registry);
        let slots = Slots::default();
        slots.register(&mut registry);
        registry.register_collector(Box::new(LogAndStore {
            ledger: Arc::downgrade(self.ledger),
            store: self.store.clone(),
            pending_bytes_max: self.config.ledger.pending_bytes_max,
        }));
        let access = if tls.is_none() { Access::Local } else { Access::token(&self.secrets.api) };
        let api = Api {
            log: self.ledger.reader(),
            store: self.store.clone(),
            registry: Arc::new(registry),
            readiness,
            slots,
            clock: self.host.clock.clone(),
        };
        Ok(Server {
            listener: listen("api.listen", self.config.api.listen).await?,
            transport: tls.map_or(Transport::Plain, Transport::Tls),
            router: api.router(access),
            limits: self.config.api.server.clone(),
            metrics,
        })
    }

    fn greeting(&self, webhook: &Server, api: &Server, tls: Option<&Arc<Tls>>) -> anyhow::Result<Greeting> {
        let is_tls = |server: &Server| matches!(server.transport, Transport::Tls(_));
        let place = |server: &Server| -> std::io::Result<String> {
            let scheme = if is_tls(server) { "https" } else { "http" };
            Ok(url(scheme, server.listener.local_addr()?))
        };
        Ok(Greeting {
            webhook: place(webhook)?,
            webhook_token: self.secrets.webhook_path.clone(),
            fingerprint: tls.map(|tls| tls.fingerprint()),
            api: place(api)?,
            api_token: is_tls(api).then(|| self.secrets.api_path.clone()),
            data_dir: self.config.data_dir.clone(),
        })
    }

    fn start_tails(&self, metrics: &IngestMetrics, stop: &StopFlag) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let directory = self.config.data_dir.join("tail");
        if !self.config.tails.is_empty() {
            std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let start = |TailConfig { path, cluster }: &TailConfig| {
            let origin = Origin { cluster: cluster.clone(), naming: Naming::Fixed };
            let clock = self.host.clock.clone();
            let mut feeder = Feeder::new(self.ledger.appender(), origin, clock, metrics.clone(), stop.clone());
            let stop = stop.clone();
            let thread = std::thread::Builder::new().name("tail".to_owned());
            if path == Path::new(STANDARD_INPUT) {
                return Ok(thread.spawn(move || follow_standard_input(&mut feeder, &stop))?);
            }
            let tail = Tail::open(TailOptions::new(path.clone(), positions_file(&directory, path)))
                .with_context(|| format!("cannot follow {}", path.display()))?;
            Ok(thread.spawn(move || tail.run(&mut feeder, &stop))?)
        };
        self.config.tails.iter().map(start).collect()
    }
}

/// Its end ends nothing else: the server goes on.
fn follow_standard_input(feeder: &mut Feeder, stop: &StopFlag) {
    match follow_pipe(std::io::stdin(), feeder, stop) {
        Ok(bytes) => tracing::info!(bytes, "standard input ended"),
        Err(error) => tracing::error!("standard input cannot be read: {error}"),
    }
}

async fn listen(setting: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let hint = "is another kubewitness running? Choose another address with the flag or the setting";
    TcpListener::bind(address).await.with_context(|| format!("{setting}: cannot listen on {address} ({hint})"))
}

/// The tokens of the file, and the one that was made at the first start.
pub(super) fn admission(config: &Config, secrets: &Secrets) -> anyhow::Result<Admission> {
    let mut tokens = config.webhook.tokens.as_deref().map(Tokens::read).transpose()?.unwrap_or_default();
    tokens.add(&secrets.webhook, None);
    Ok(Admission { tokens, open: config.webhook.openness })
}
