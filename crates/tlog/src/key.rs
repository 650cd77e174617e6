//! Ed25519 keys and the one-line text they are passed around as.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::sha256;

/// Longest key name that is accepted, in bytes.
const NAME_MAX: usize = 255;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// What a key signs; the first byte of its encoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Signs the text of a note.
    Ed25519,
    /// Signs a checkpoint together with the time: a witness.
    Cosignature,
}

/// Four bytes that tell a verifier which key to try; not a secret and not proof of anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

/// A public key with its name; written `name+id+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public: [u8; 32],
}

/// A private key with its name.
pub struct SigningKey {
    verifier: VerifierKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// Why text is no key.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// A name is 1 to 255 bytes.
    #[error("a key name is 1 to {NAME_MAX} bytes without spaces, control characters and plus signs")]
    Name,
    /// Not three fields, or a field that cannot be decoded.
    #[error("not a key: expected NAME+ID+BASE64")]
    Text,
    /// The id in the text is not that of the key.
    #[error("the id in the key's text does not belong to the key")]
    Id,
    /// Not Ed25519 (1) and not a cosignature key (4).
    #[error("key algorithm {0} is not known")]
    Algorithm(u8),
    /// The bytes of a private key are refused.
    #[error("not an Ed25519 private key")]
    Secret,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            1 => Ok(Self::Ed25519),
            4 => Ok(Self::Cosignature),
            other => Err(KeyError::Algorithm(other)),
        }
    }
}

impl VerifierKey {
    /// The key with this name and these bytes.
    pub fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), algorithm, public })
    }

    /// Name of whoever signs: for a log its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Id of the key, from its name and bytes.
    //= https://c2sp.org/signed-note#signatures
    //# key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
    pub fn id(&self) -> KeyId {
        let mut content = self.name.clone().into_bytes();
        content.push(b'\n');
        content.push(self.algorithm.byte());
        content.extend_from_slice(&self.public);
        let [a, b, c, d, ..] = *sha256(&content).as_bytes();
        KeyId([a, b, c, d])
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }
}

impl SigningKey {
    /// The key that grows out of 32 random bytes.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Secret)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Secret)?;
        Ok(Self { verifier: VerifierKey::new(name, algorithm, public)?, seed, pair })
    }

    /// Reads what [`SigningKey::to_secret_text`] wrote.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let rest = text.trim_end().strip_prefix(SECRET_PREFIX).ok_or(KeyError::Text)?;
        let (name, id, algorithm, seed) = fields(rest)?;
        let key = Self::from_seed(name, algorithm, seed)?;
        if key.verifier.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The key as one line, to be kept secret: `PRIVATE+KEY+name+id+base64`.
    pub fn to_secret_text(&self) -> String {
        let VerifierKey { name, algorithm, .. } = &self.verifier;
        let encoded = encode(*algorithm, &self.seed);
        format!("{SECRET_PREFIX}{name}+{}+{encoded}", self.verifier.id())
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Checks a name as C2SP signed-note defines it.
pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > NAME_MAX || name.contains(is_bad) {
        return Err(KeyError::Name);
    }
    Ok(())
}

fn encode(algorithm: Algorithm, bytes: &[u8; 32]) -> String {
    let mut content = vec![algorithm.byte()];
    content.extend_from_slice(bytes);
    BASE64_STANDARD.encode(content)
}

fn fields(text: &str) -> Result<(&str, KeyId, Algorithm, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Text);
    };
    check_name(name)?;
    let content = BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::Text)?;
    let (algorithm, bytes) = content.split_first().ok_or(KeyError::Text)?;
    let bytes = bytes.try_into().map_err(|_| KeyError::Text)?;
    Ok((name, id.parse()?, Algorithm::from_byte(*algorithm)?, bytes))
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, algorithm, public) = fields(text)?;
        let key = Self::new(name, algorithm, public)?;
        if key.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id(), encode(self.algorithm, &self.public))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows the public half only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() != 8 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(KeyError::Text);
        }
        let id = u32::from_str_radix(text, 16).map_err(|_| KeyError::Text)?;
        Ok(Self(id.to_be_bytes()))
    }
}
