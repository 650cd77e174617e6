//! What is read again while serving: certificates and tokens, every few seconds and on SIGHUP.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ingest::{Reload, Tls, Webhook};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::serve::certificates::CertificateFiles;
use crate::serve::edges::admission;
use crate::serve::secrets::Secrets;

/// How often certificates and tokens are looked at; SIGHUP looks at once.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// What is read again while serving.
pub(super) struct Reloading<'a> {
    pub(super) certificates: &'a CertificateFiles,
    pub(super) tls: [Option<Arc<Tls>>; 2],
    pub(super) webhook: &'a Webhook,
    pub(super) config: &'a Config,
    pub(super) secrets: &'a Secrets,
}

/// Looks at what may have changed until SIGINT or SIGTERM.
pub(super) async fn until_signal(reload: Reloading<'_>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interval = tokio::time::interval(RELOAD_INTERVAL);
    let mut tokens = reload.tokens_stamp();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => reload.look(&mut tokens),
            _ = interval.tick() => reload.look(&mut tokens),
        }
    }
}

impl Reloading<'_> {
    /// Takes what changed into use; what is broken changes nothing and is said in the log.
    fn look(&self, tokens: &mut Option<SystemTime>) {
        if let Err(error) = self.certificates.renew() {
            tracing::error!("cannot renew the certificate: {error:#}");
        }
        for tls in self.tls.iter().flatten() {
            match tls.reload() {
                Ok(Reload::Unchanged) => {}
                Ok(Reload::Changed(fingerprint)) => tracing::info!(%fingerprint, "the certificate was changed"),
                Err(error) => tracing::error!("keeping the old certificate: {:#}", anyhow::Error::from(error)),
            }
        }
        let stamp = self.tokens_stamp();
        if stamp != *tokens {
            match admission(self.config, self.secrets) {
                Ok(admission) => {
                    self.webhook.admission.store(Arc::new(admission));
                    tracing::info!("the tokens were changed");
                }
                Err(error) => tracing::error!("keeping the old tokens: {error:#}"),
            }
            *tokens = stamp;
        }
    }

    fn tokens_stamp(&self) -> Option<SystemTime> {
        let path = self.config.webhook.tokens.as_deref()?;
        std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
    }
}
