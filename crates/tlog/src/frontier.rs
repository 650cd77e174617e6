//! The right edge of a growing tree: all that appending needs.

use crate::{Hash, TreeSize, hash::node_hash};

/// Roots of the complete subtrees that make up a tree, largest (leftmost) first.
///
/// There is one for each bit set in the size, so a tree of a billion entries has at most thirty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

/// Root of a complete subtree: of `2^height` leaves beginning at leaf `index << height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Zero for a leaf.
    pub height: u8,
    /// Place among the nodes of this height, from zero.
    pub index: u64,
    /// Hash of the subtree.
    pub hash: Hash,
}

/// Hashes that do not fit the size.
#[derive(Debug, thiserror::Error)]
#[error("a tree of {size} entries has {expected} complete subtrees, not {found}")]
pub struct FrontierError {
    /// The size that was given.
    pub size: TreeSize,
    /// Subtrees that a tree of this size has.
    pub expected: usize,
    /// Hashes that were given.
    pub found: usize,
}

impl Frontier {
    /// The frontier of a tree from its size and the roots of its complete subtrees, largest first.
    pub fn new(size: TreeSize, roots: Vec<Hash>) -> Result<Self, FrontierError> {
        let expected = size.get().count_ones() as usize;
        if roots.len() != expected {
            return Err(FrontierError { size, expected, found: roots.len() });
        }
        Ok(Self { size: size.get(), roots })
    }

    /// Number of leaves.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// Roots of the complete subtrees, largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends a leaf and shows every node that it completes above the leaf, from low to high.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node)) {
        let mut node = Node { height: 0, index: self.size, hash: leaf };
        while node.index & 1 == 1
            && let Some(left) = self.roots.pop()
        {
            node = Node { height: node.height + 1, index: node.index >> 1, hash: node_hash(&left, &node.hash) };
            completed(node);
        }
        self.roots.push(node.hash);
        self.size += 1;
    }

    /// Root of the whole tree.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.roots.iter().rev();
        let Some(last) = smallest_first.next() else {
            return Hash::empty_root();
        };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }
}
