//! Inclusion and consistency proofs: making them from nodes, verifying them from nothing.

use crate::{
    Hash, LeafIndex, TreeSize,
    hash::{node_hash, split_point},
};

/// Where the complete subtrees of a tree are looked up.
pub trait Nodes {
    /// Why a node could not be had.
    type Error;

    /// Hash of the complete subtree of `2^height` leaves that begins at leaf `index << height`.
    fn node(&self, height: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The hashes that lead from a leaf to the root, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof(pub Vec<Hash>);

/// The hashes that show that an older tree is the beginning of a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof(pub Vec<Hash>);

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// The leaf or the older tree is not inside the tree.
    #[error("place {place} is not in a tree of {size} entries")]
    Outside {
        /// The leaf's index or the older size.
        place: u64,
        /// The tree's size.
        size: TreeSize,
    },
    /// Too many or too few hashes for these sizes.
    #[error("the proof has {found} hashes, which does not fit the sizes")]
    Length {
        /// Hashes in the proof.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Root of the first `size` leaves.
pub fn tree_root<N: Nodes>(nodes: &N, size: TreeSize) -> Result<Hash, N::Error> {
    if size == TreeSize::EMPTY {
        return Ok(Hash::empty_root());
    }
    range_root(nodes, 0, size.get())
}

/// The proof that the leaf is in the tree of this size. The caller knows that `index < size`.
pub fn inclusion_proof<N: Nodes>(nodes: &N, index: LeafIndex, size: TreeSize) -> Result<InclusionProof, N::Error> {
    assert!(size.contains(index), "leaf {index} is outside a tree of {size}");
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size.get());
    while end - start > 1 {
        let middle = start + split_point(end - start);
        if index.get() < middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(InclusionProof(path))
}

/// The proof that the tree of size `old` is the beginning of that of size `new`. The caller knows that `old <= new`.
pub fn consistency_proof<N: Nodes>(nodes: &N, old: TreeSize, new: TreeSize) -> Result<ConsistencyProof, N::Error> {
    assert!(old <= new, "{old} is larger than {new}");
    let mut path = Vec::new();
    if old == TreeSize::EMPTY || old == new {
        return Ok(ConsistencyProof(path));
    }
    let (mut start, mut end) = (0, new.get());
    while end != old.get() {
        let middle = start + split_point(end - start);
        if old.get() <= middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    // When the older tree is itself a complete subtree, the verifier has its root already.
    if start > 0 {
        path.push(range_root(nodes, start, end)?);
    }
    path.reverse();
    Ok(ConsistencyProof(path))
}

/// Checks that a leaf stands at `index` in the tree with this size and root.
//= https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2
pub fn verify_inclusion(
    proof: &InclusionProof,
    leaf: Hash,
    index: LeafIndex,
    size: TreeSize,
    root: Hash,
) -> Result<(), ProofError> {
    if !size.contains(index) {
        return Err(ProofError::Outside { place: index.get(), size });
    }
    let length = ProofError::Length { found: proof.0.len() };
    let (mut node, mut last) = (index.get(), size.get() - 1);
    let mut hash = leaf;
    for sibling in &proof.0 {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last == 0, hash == root) {
        (false, _) => Err(length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}

/// Checks that the tree `(old, old_root)` is the beginning of the tree `(new, new_root)`.
//= https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2
pub fn verify_consistency(
    proof: &ConsistencyProof,
    old: TreeSize,
    old_root: Hash,
    new: TreeSize,
    new_root: Hash,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Outside { place: old.get(), size: new });
    }
    let length = ProofError::Length { found: proof.0.len() };
    if old == new || old == TreeSize::EMPTY {
        let expected = if old == new { new_root } else { Hash::empty_root() };
        return match (proof.0.is_empty(), old_root == expected) {
            (false, _) => Err(length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let (mut node, mut last) = (old.get() - 1, new.get() - 1);
    let complete_levels = (!node).trailing_zeros();
    node >>= complete_levels;
    last >>= complete_levels;
    let mut hashes = proof.0.iter();
    let seed = if node == 0 { old_root } else { *hashes.next().ok_or(length)? };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in hashes {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last == 0, old_hash == old_root && new_hash == new_root) {
        (false, _) => Err(length),
        (true, false) => Err(ProofError::Root),
        (true, true) => Ok(()),
    }
}

/// Root over the leaves `start..end`, where `start` is a multiple of the largest power of two below the length,
/// as all ranges of RFC 6962 proofs are.
fn range_root<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let count = end - start;
    if count.is_power_of_two() {
        let height = count.ilog2();
        return nodes.node(height as u8, start >> height);
    }
    let middle = start + split_point(count);
    let right = range_root(nodes, middle, end)?;
    Ok(node_hash(&range_root(nodes, start, middle)?, &right))
}
