//! Certificates of the server: given, or made and renewed by us.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ingest::{Generated, Tls, TlsFiles};

use crate::config::{Certificates, Config};

/// Where the server's certificate is, and whether we made it.
pub(super) struct CertificateFiles {
    generated: Option<(Generated, Vec<String>)>,
    files: Option<TlsFiles>,
}

/// Certificates of a data directory; `connect` reads the authority from here.
pub(crate) fn generated_certificates(data_dir: &Path) -> Generated {
    Generated::in_directory(&data_dir.join("tls"))
}

impl CertificateFiles {
    pub(super) fn ensure(config: &Config) -> anyhow::Result<Self> {
        let client_authorities = config.webhook.client_authorities.clone();
        let generated = generated_certificates(&config.data_dir);
        Ok(match &config.webhook.certificates {
            Certificates::Files(files) => Self { generated: None, files: Some(files.clone()) },
            Certificates::Plain => Self { generated: Some((generated, names(&[])?)), files: None },
            Certificates::Generated(further) => {
                let names = names(further)?;
                generated.ensure(&names)?;
                let files = TlsFiles {
                    certificate: generated.certificate.clone(),
                    key: generated.key.clone(),
                    client_authorities,
                };
                Self { generated: Some((generated, names)), files: Some(files) }
            }
        })
    }

    pub(super) fn load(&self) -> anyhow::Result<Option<Arc<Tls>>> {
        Ok(self.files.clone().map(Tls::load).transpose()?.map(Arc::new))
    }

    /// The API asks for no client certificates.
    pub(super) fn load_for_api(&self, webhook: Option<&Arc<Tls>>) -> anyhow::Result<Arc<Tls>> {
        match (webhook, &self.files, &self.generated) {
            (Some(tls), _, _) if !tls.knows_clients() => Ok(tls.clone()),
            (_, Some(files), _) => Ok(Arc::new(Tls::load(TlsFiles { client_authorities: None, ..files.clone() })?)),
            (_, None, Some((generated, names))) => {
                generated.ensure(names)?;
                let (certificate, key) = (generated.certificate.clone(), generated.key.clone());
                Ok(Arc::new(Tls::load(TlsFiles { certificate, key, client_authorities: None })?))
            }
            (_, None, None) => anyhow::bail!("api.listen: TLS is needed except on loopback; set webhook.certificate"),
        }
    }

    /// Makes a new certificate when the old one is about to expire.
    pub(super) fn renew(&self) -> anyhow::Result<()> {
        match (&self.generated, &self.files) {
            (Some((generated, names)), Some(_)) => Ok(generated.ensure(names)?),
            _ => Ok(()),
        }
    }
}

/// Names that a generated certificate is for.
fn names(further: &[String]) -> anyhow::Result<Vec<String>> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let hostname = hostname.trim().to_ascii_lowercase();
    let usable =
        !hostname.is_empty() && hostname.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    names.extend(usable.then_some(hostname));
    names.extend(further.iter().cloned());
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}
