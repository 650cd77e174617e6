//! Who may send, and which cluster he speaks for: bearer tokens, client certificates, the path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::cluster::{ClusterName, NotAClusterName};
use crate::server::ClientCertificate;

/// Shortest token that is taken: shorter ones can be guessed over the network.
pub const TOKEN_BYTES_MIN: usize = 16;

/// The bearer tokens that are known, as hashes, and the cluster that each speaks for.
#[derive(Default)]
pub struct Tokens(Vec<Token>);

struct Token {
    hash: Digest,
    /// `None` leaves the cluster to the path.
    cluster: Option<ClusterName>,
}

/// A token file cannot be used; the message names the line.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file cannot be read.
    #[error("cannot read the token file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A token is too short to be a secret.
    #[error("{}:{line}: the token has fewer than {TOKEN_BYTES_MIN} characters", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// From one.
        line: usize,
    },
    /// The second word is not a cluster name.
    #[error("{}:{line}", path.display())]
    Cluster {
        /// The file.
        path: PathBuf,
        /// From one.
        line: usize,
        /// Why not.
        #[source]
        cause: NotAClusterName,
    },
}

impl Tokens {
    /// Reads lines of `token [cluster]`; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// When the file cannot be read or one of its lines is wrong.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let text = fs::read_to_string(path).map_err(|cause| TokenFileError::Read { path: path.to_owned(), cause })?;
        let mut tokens = Self::default();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(token) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let line = number + 1;
            if token.len() < TOKEN_BYTES_MIN {
                return Err(TokenFileError::Short { path: path.to_owned(), line });
            }
            let cluster = words.next().map(str::parse).transpose();
            let cluster = cluster.map_err(|cause| TokenFileError::Cluster { path: path.to_owned(), line, cause })?;
            tokens.add(token, cluster);
        }
        Ok(tokens)
    }

    /// Adds a token; without a cluster, the path names it.
    pub fn add(&mut self, token: &str, cluster: Option<ClusterName>) {
        self.0.push(Token { hash: digest(&SHA256, token.as_bytes()), cluster });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with all of them, in the same time whichever fits.
    fn find(&self, presented: &str) -> Option<&Token> {
        let presented = digest(&SHA256, presented.as_bytes());
        let fits = |token: &&Token| verify_slices_are_equal(token.hash.as_ref(), presented.as_ref()).is_ok();
        self.0.iter().fold(None, |found, token| if fits(&token) { Some(token) } else { found })
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} known)", self.0.len())
    }
}

/// What a sender must show.
#[derive(Debug)]
pub struct Admission {
    /// Known tokens.
    pub tokens: Tokens,
    /// Whether anyone may send. Only sensible on loopback.
    pub open: Openness,
}

/// Whether a sender must show a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// A known token or client certificate is needed.
    Credential,
    /// Anyone who can connect may send.
    Anyone,
}

/// Why a sender was turned away. Says what to do and nothing about what would have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither a token nor a client certificate.
    #[error("no credential: send a bearer token or a client certificate")]
    Absent,
    /// The token is not known.
    #[error("the bearer token is not known here")]
    Token,
    /// The client certificate is not from a known authority, or names no cluster.
    #[error("the client certificate is not known here")]
    Certificate,
}

impl Refusal {
    /// Value of the metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Absent => "no_credential",
            Self::Token => "unknown_token",
            Self::Certificate => "unknown_certificate",
        }
    }
}

impl Admission {
    /// The cluster that a credential is bound to; `Ok(None)` admits the sender and leaves the cluster to the path.
    ///
    /// A certificate outweighs a token, and a credential outweighs the path: a sender cannot speak for another cluster.
    pub(crate) fn judge(
        &self,
        certificate: &ClientCertificate,
        bearer: Option<&str>,
    ) -> Result<Option<ClusterName>, Refusal> {
        if let ClientCertificate::Trusted(certificate) = certificate {
            return cluster_of(certificate).map(Some).ok_or(Refusal::Certificate);
        }
        if let Some(token) = bearer.and_then(|presented| self.tokens.find(presented)) {
            return Ok(token.cluster.clone());
        }
        match (self.open, certificate, bearer) {
            (Openness::Anyone, _, _) => Ok(None),
            (_, ClientCertificate::Unknown, None) => Err(Refusal::Certificate),
            (_, _, Some(_)) => Err(Refusal::Token),
            (_, _, None) => Err(Refusal::Absent),
        }
    }
}

/// The first name of a certificate that can be a cluster's: its common name, then its DNS names.
fn cluster_of(certificate: &CertificateDer<'_>) -> Option<ClusterName> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    common.chain(alternative).find_map(|name| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Tokens, TokenFileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, text).unwrap();
        Tokens::read(&path)
    }

    #[test]
    fn tokens_name_clusters() {
        let tokens = read("# for production\n\n0123456789abcdef  prod\nfedcba9876543210\n").unwrap();
        let admission = Admission { tokens, open: Openness::Credential };
        let judge = |bearer| admission.judge(&ClientCertificate::Absent, bearer);
        assert_eq!(judge(Some("0123456789abcdef")), Ok(Some("prod".parse().unwrap())));
        assert_eq!(judge(Some("fedcba9876543210")), Ok(None));
        assert_eq!(judge(Some("0123456789abcdeF")), Err(Refusal::Token));
        assert_eq!(judge(Some("")), Err(Refusal::Token));
        assert_eq!(judge(None), Err(Refusal::Absent));
        assert_eq!(admission.judge(&ClientCertificate::Unknown, None), Err(Refusal::Certificate));
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert!(read("0123456789abcdef prod\nshort\n").unwrap_err().to_string().contains(":2: the token has fewer"));
        assert!(read("0123456789abcdef a/b\n").unwrap_err().to_string().ends_with("tokens:1"));
    }
}
