//! Hashes of leaves and nodes, as RFC 6962 section 2.1 defines them.

use std::{fmt, str::FromStr};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash: of a leaf, of a node, or the root of a tree. Written as base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::SIZE]);

/// Text that is no hash.
#[derive(Debug, thiserror::Error)]
#[error("not the base64 of a 32-byte hash")]
pub struct HashError;

impl Hash {
    /// Bytes of a hash.
    pub const SIZE: usize = 32;

    /// Root of the tree without entries: the hash of nothing.
    pub fn empty_root() -> Self {
        sha256(&[])
    }

    /// The hash with these bytes.
    pub const fn new(bytes: [u8; Self::SIZE]) -> Self {
        Self(bytes)
    }

    /// The hash in the first 32 bytes of a slice; `None` when it is shorter.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }

    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

/// Plain SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// Hash of a leaf with this content.
//= https://www.rfc-editor.org/rfc/rfc6962#section-2.1
//# The hash of a list with one entry (also known as a leaf hash) is: MTH({d(0)}) = SHA-256(0x00 || d(0)).
pub fn leaf_hash(content: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(content).finalize().into())
}

/// Hash of a node with these children.
//= https://www.rfc-editor.org/rfc/rfc6962#section-2.1
//# MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut content = [1; 1 + 2 * Hash::SIZE];
    content[1..=Hash::SIZE].copy_from_slice(&left.0);
    content[1 + Hash::SIZE..].copy_from_slice(&right.0);
    sha256(&content)
}

/// Root over consecutive nodes of one height; over leaf hashes this is the root of a tree.
pub fn subtree_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::empty_root(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split_point(many.len() as u64) as usize);
            node_hash(&subtree_root(left), &subtree_root(right))
        }
    }
}

/// Largest power of two smaller than `n`, for `n` of at least two.
pub(crate) const fn split_point(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}
