//! TLS of the inbound edge: certificates that reload without a restart, and client certificates that are judged later.
//!
//! A client whose certificate we do not know still completes the handshake (it must prove that it has the key) and is then
//! answered with a plain `401`: an alert in the handshake would tell the operator of a control plane nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};

/// The files that TLS is made of, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Private key of the first certificate.
    pub key: PathBuf,
    /// Authorities whose client certificates name a cluster; `None` asks for no client certificate.
    pub client_authorities: Option<PathBuf>,
}

/// TLS could not be set up; the message names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A file is not PEM or holds nothing of the kind that is needed.
    #[error("no usable PEM {wanted} in {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// Certificate and key do not fit each other, or an authority is not one.
    #[error("cannot use certificate {} with key {}", certificate.display(), key.display())]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What the TLS library said.
        #[source]
        cause: rustls::Error,
    },
    /// The client authorities cannot be used.
    #[error("cannot use client authorities {}", path.display())]
    ClientAuthorities {
        /// The file.
        path: PathBuf,
        /// What the TLS library said.
        #[source]
        cause: rustls::server::VerifierBuilderError,
    },
}

/// The TLS set-up in use; replaced as a whole when a file changes.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<Loaded>,
}

/// One consistent reading of the files.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) server: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    fingerprint: Fingerprint,
    stamps: Vec<Option<SystemTime>>,
}

/// SHA-256 of a certificate, as people compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file is missing or unusable; nothing is half loaded.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let loaded = Loaded::read(&files)?;
        Ok(Self { files, current: ArcSwap::from_pointee(loaded) })
    }

    /// Reads the files again if one of them changed. Open connections keep what they started with.
    ///
    /// # Errors
    /// When the new files are unusable; the old set-up then stays in use.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        if self.files.stamps() == self.current.load().stamps {
            return Ok(Reload::Unchanged);
        }
        let loaded = Loaded::read(&self.files)?;
        let fingerprint = loaded.fingerprint;
        self.current.store(Arc::new(loaded));
        Ok(Reload::Changed(fingerprint))
    }

    /// Fingerprint of the server's certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.current.load().fingerprint
    }

    /// Whether client certificates are asked for.
    pub fn knows_clients(&self) -> bool {
        self.files.client_authorities.is_some()
    }

    pub(crate) fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }
}

/// What [`Tls::reload`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// No file changed.
    Unchanged,
    /// The new certificate has this fingerprint.
    Changed(Fingerprint),
}

impl TlsFiles {
    fn stamps(&self) -> Vec<Option<SystemTime>> {
        [Some(&self.certificate), Some(&self.key), self.client_authorities.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
            .collect()
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        // Stamps first: a file that changes while we read it is read again next time.
        let stamps = files.stamps();
        let chain = certificates(&files.certificate)?;
        let key = private_key(&files.key)?;
        let clients = files.client_authorities.as_deref().map(client_verifier).transpose()?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &chain[0]);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        let server = server_config(chain, key, clients.clone()).map_err(|cause| TlsError::Unusable {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            cause,
        })?;
        Ok(Self { server: Arc::new(server), clients, fingerprint: Fingerprint(fingerprint), stamps })
    }

    /// Whether a client's chain leads to one of our authorities now.
    pub(crate) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(clients), [own, rest @ ..]) = (&self.clients, chain) else { return false };
        clients.verify_client_cert(own, rest, UnixTime::now()).is_ok()
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(JudgedLater(clients))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::Pem { path: path.to_owned(), wanted: "certificate" }),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Pem { path: path.to_owned(), wanted: "private key" })
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |cause| TlsError::ClientAuthorities { path: path.to_owned(), cause };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(unusable)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

/// Accepts any client certificate whose holder proves the key; [`Loaded::trusts`] says later what it is worth.
#[derive(Debug)]
struct JudgedLater(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for JudgedLater {
    fn client_auth_mandatory(&self) -> bool {
        false // a bearer token may stand in for the certificate
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
