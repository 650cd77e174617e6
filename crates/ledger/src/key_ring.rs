//! The log's keys: one to sign with, and all that ever signed.

use std::io;

use host::{Host, Secrecy, read_all, replace_file};
use tlog::{Algorithm, KeyError, SigningKey, VerifierKey};

use crate::layout::Layout;

/// Largest key file that is read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;

/// The keys of a log.
pub(crate) struct KeyRing {
    pub(crate) signing: SigningKey,
    /// Oldest first; the last one is that of `signing`.
    pub(crate) verifiers: Vec<VerifierKey>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// A key file's content is no key.
    #[error("{path} does not hold a key of this log")]
    Key {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        #[source]
        cause: KeyError,
    },
    /// A key file cannot be read or written.
    #[error("cannot use the log's keys in {path}")]
    Disk {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl KeyRing {
    /// Reads the keys; makes the first one when there is none.
    pub(crate) fn open(host: &Host, layout: &Layout, origin: &str) -> Result<Self, KeyRingError> {
        let path = layout.signing_key();
        let verifiers = read_verifiers(host, layout)?;
        match read_all(&*host.disk, &path, KEY_FILE_BYTES_MAX) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let signing = SigningKey::from_secret_text(&text).map_err(|cause| KeyRingError::Key { path, cause })?;
                Ok(Self { signing, verifiers })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => generate(host, layout, origin, verifiers),
            Err(cause) => Err(KeyRingError::Disk { path, cause }),
        }
    }

    /// Puts a new signing key in the place of the old one, which stays known as a verifier. Returns the old one.
    pub(crate) fn rotate(&mut self, host: &Host, layout: &Layout) -> Result<SigningKey, KeyRingError> {
        let origin = self.signing.verifier().name().to_owned();
        let next = generate(host, layout, &origin, self.verifiers.clone())?;
        Ok(std::mem::replace(self, next).signing)
    }
}

/// All public keys of the log, oldest first.
pub(crate) fn read_verifiers(host: &Host, layout: &Layout) -> Result<Vec<VerifierKey>, KeyRingError> {
    let path = layout.verifier_keys();
    let bytes = match read_all(&*host.disk, &path, KEY_FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(KeyRingError::Disk { path, cause }),
    };
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(|line| line.parse().map_err(|cause| KeyRingError::Key { path: path.clone(), cause }))
        .collect()
}

/// Makes a key. Its public half is made durable first, so that nothing is ever signed by an unknown key.
fn generate(
    host: &Host,
    layout: &Layout,
    origin: &str,
    mut verifiers: Vec<VerifierKey>,
) -> Result<KeyRing, KeyRingError> {
    let mut seed = [0; 32];
    let path = layout.signing_key();
    let disk_error = |cause| KeyRingError::Disk { path: path.clone(), cause };
    host.entropy.fill(&mut seed).map_err(disk_error)?;
    let signing = SigningKey::from_seed(origin, Algorithm::Ed25519, seed)
        .map_err(|cause| KeyRingError::Key { path: path.clone(), cause })?;
    verifiers.push(signing.verifier().clone());
    let public: String = verifiers.iter().map(|key| format!("{key}\n")).collect();
    let secret = format!("{}\n", signing.to_secret_text());
    replace_file(&*host.disk, &layout.verifier_keys(), Secrecy::Shared, public.as_bytes()).map_err(disk_error)?;
    replace_file(&*host.disk, &path, Secrecy::Private, secret.as_bytes()).map_err(disk_error)?;
    Ok(KeyRing { signing, verifiers })
}
