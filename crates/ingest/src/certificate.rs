//! Makes the certificates of a first start: a small authority of our own and a server certificate under it.
//!
//! The API server is given the authority's certificate, which lives for ten years, so that the server certificate can be
//! replaced (it lives for a year) without touching any control plane.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// Life of the authority: longer than that of most clusters.
const AUTHORITY_LIFE: Duration = Duration::from_secs(3_650 * DAY);
/// Life of a server certificate: what public authorities allow, so every TLS stack takes it.
const SERVER_LIFE: Duration = Duration::from_secs(397 * DAY);
/// A server certificate with less than this left is replaced.
pub(crate) const RENEW_BEFORE: Duration = Duration::from_secs(30 * DAY);
/// Clocks of control planes may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(DAY);
const DAY: u64 = 24 * 60 * 60;

/// Where the generated certificates live, below one directory.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Certificate of the authority: what an API server must trust.
    pub authority: PathBuf,
    authority_key: PathBuf,
    /// Certificate chain of the server.
    pub certificate: PathBuf,
    /// Its private key, readable by the owner only.
    pub key: PathBuf,
    names: PathBuf,
}

/// A certificate could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The directory or a file in it cannot be read or written.
    #[error("cannot keep certificates at {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A name cannot stand in a certificate, or a kept authority cannot be read.
    #[error("cannot make a certificate from {}", path.display())]
    Make {
        /// The authority's file.
        path: PathBuf,
        /// What the library said.
        #[source]
        cause: rcgen::Error,
    },
}

impl Generated {
    /// The files of `directory`, which need not exist yet.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            authority: directory.join("ca.crt"),
            authority_key: directory.join("ca.key"),
            certificate: directory.join("server.crt"),
            key: directory.join("server.key"),
            names: directory.join("names"),
        }
    }

    /// Makes what is missing, and a new server certificate if the names changed or the old one is about to expire.
    ///
    /// `names` are host names and addresses; they become the certificate's subject alternative names.
    ///
    /// # Errors
    /// When a file cannot be written, or the kept authority is damaged (delete `ca.crt` and `ca.key` to start anew; API
    /// servers must then be given the new one).
    pub fn ensure(&self, names: &[String]) -> Result<(), GenerateError> {
        if let Some(directory) = self.authority.parent() {
            fs::create_dir_all(directory).map_err(|cause| file_error(directory, cause))?;
        }
        if !self.authority.exists() || !self.authority_key.exists() {
            self.make_authority()?;
        }
        let listed = names.join("\n");
        let names_changed = fs::read_to_string(&self.names).ok().as_deref() != Some(listed.as_str());
        if names_changed || !self.key.exists() || self.expires_soon() {
            self.make_server_certificate(names)?;
            write_private(&self.names, &listed)?;
        }
        Ok(())
    }

    fn make_authority(&self) -> Result<(), GenerateError> {
        let make = || {
            let key = KeyPair::generate()?;
            let mut parameters = dated(CertificateParams::default(), AUTHORITY_LIFE);
            parameters.distinguished_name = common_name("KubeWitness authority");
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) = make().map_err(|cause| self.make_error(cause))?;
        // The key first: a crash in between leaves no certificate that nobody can sign under.
        write_private(&self.authority_key, &key)?;
        write_private(&self.authority, &certificate)
    }

    fn make_server_certificate(&self, names: &[String]) -> Result<(), GenerateError> {
        let authority = read(&self.authority)?;
        let authority_key = read(&self.authority_key)?;
        let make = || {
            let issuer = Issuer::from_ca_cert_pem(&authority, KeyPair::from_pem(&authority_key)?)?;
            let key = KeyPair::generate()?;
            let mut parameters = dated(CertificateParams::default(), SERVER_LIFE);
            parameters.distinguished_name = common_name("kubewitness");
            parameters.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            parameters.use_authority_key_identifier_extension = true;
            Ok((parameters.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) = make().map_err(|cause| self.make_error(cause))?;
        write_private(&self.key, &key)?;
        write_private(&self.certificate, &(certificate + &authority))
    }

    fn expires_soon(&self) -> bool {
        let Ok(pem) = fs::read(&self.certificate) else { return true };
        let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&pem) else { return true };
        let Ok(certificate) = pem.parse_x509() else { return true };
        let expires = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_secs(expires) < SystemTime::now() + RENEW_BEFORE
    }

    fn make_error(&self, cause: rcgen::Error) -> GenerateError {
        GenerateError::Make { path: self.authority.clone(), cause }
    }
}

fn dated(mut parameters: CertificateParams, life: Duration) -> CertificateParams {
    let now = SystemTime::now();
    parameters.not_before = (now - CLOCK_SKEW).into();
    parameters.not_after = (now + life).into();
    parameters
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn alternative_name(name: &str) -> Result<SanType, rcgen::Error> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}

fn read(path: &Path) -> Result<String, GenerateError> {
    fs::read_to_string(path).map_err(|cause| file_error(path, cause))
}

/// Replaces `path` in one step; only the owner can read it.
fn write_private(path: &Path, text: &str) -> Result<(), GenerateError> {
    let write = || {
        let fresh = path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|cause| file_error(path, cause))
}

fn file_error(path: &Path, cause: io::Error) -> GenerateError {
    GenerateError::File { path: path.to_owned(), cause }
}
