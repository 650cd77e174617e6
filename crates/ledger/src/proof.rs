//! Proofs about the log: nodes from the tile files, leaf hashes from the entries.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use tlog::{
    ConsistencyProof, Hash, InclusionProof, LeafIndex, Nodes, TILE_HEIGHT, TILE_WIDTH, Tile, TreeSize,
    consistency_proof, inclusion_proof, subtree_root, tree_root,
};

use crate::{ReadError, Reader, reader::leaf_hashes};

/// Blocks of leaf hashes that one prover keeps: 8 KiB each.
const BLOCKS_MAX: usize = 64;

/// Makes proofs. Keeps what it read, so that proofs of neighbours cost little; meant for one request.
pub struct Prover {
    reader: Reader,
    blocks: RefCell<HashMap<u64, Rc<Vec<Hash>>>>,
}

impl Reader {
    /// Makes proofs from this log.
    pub fn prover(&self) -> Prover {
        Prover { reader: self.clone(), blocks: RefCell::default() }
    }
}

impl Prover {
    /// The proof that an entry is in the tree of this size.
    pub fn inclusion(&self, index: LeafIndex, size: TreeSize) -> Result<InclusionProof, ReadError> {
        self.check(size)?;
        if !size.contains(index) {
            return Err(ReadError::Beyond { index, size });
        }
        inclusion_proof(self, index, size)
    }

    /// The proof that the tree of size `old` is the beginning of that of size `new`.
    pub fn consistency(&self, old: TreeSize, new: TreeSize) -> Result<ConsistencyProof, ReadError> {
        self.check(new)?;
        if old > new {
            return Err(ReadError::Beyond { index: old.next(), size: new });
        }
        consistency_proof(self, old, new)
    }

    /// Root of the tree of this size.
    pub fn root(&self, size: TreeSize) -> Result<Hash, ReadError> {
        self.check(size)?;
        tree_root(self, size)
    }

    /// Hash of an entry's leaf.
    pub fn leaf(&self, index: LeafIndex) -> Result<Hash, ReadError> {
        self.node(0, index.get())
    }

    /// The hashes of a C2SP tile; `None` when the log does not have all of them yet.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<Hash>>, ReadError> {
        if !tile.is_within(self.reader.size()) {
            return Ok(None);
        }
        let count = usize::from(tile.width());
        self.nodes(tile.level(), tile.first_node(), count).map(Some)
    }

    fn check(&self, size: TreeSize) -> Result<(), ReadError> {
        let found = self.reader.size();
        if size > found {
            return Err(ReadError::Beyond { index: size.next(), size: found });
        }
        Ok(())
    }

    /// Consecutive nodes of height `8 * level` out of one tile.
    fn nodes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, ReadError> {
        if level == 0 {
            let width = u64::from(TILE_WIDTH);
            let block = self.block(first / width)?;
            let start = (first % width) as usize;
            let found = block.get(start..start + count);
            return found.map(<[Hash]>::to_vec).ok_or(ReadError::Missing { index: first.into() });
        }
        let view = &self.reader.view;
        let path = view.layout.tile_level(level);
        let found = view.tiles.read(level, first, count);
        let hashes = found.map_err(|cause| ReadError::Disk { path, cause })?;
        if hashes.len() < count {
            return Err(ReadError::Missing { index: (first << (8 * u32::from(level))).into() });
        }
        Ok(hashes)
    }

    /// The leaf hashes of one level-0 tile, as far as it is filled.
    fn block(&self, block: u64) -> Result<Rc<Vec<Hash>>, ReadError> {
        let start = block * u64::from(TILE_WIDTH);
        let end = (start + u64::from(TILE_WIDTH)).min(self.reader.size().get());
        let mut blocks = self.blocks.borrow_mut();
        if let Some(known) = blocks.get(&block)
            && known.len() as u64 == end - start
        {
            return Ok(known.clone());
        }
        let hashes = Rc::new(all_leaf_hashes(&self.reader, start, end)?);
        if blocks.len() >= BLOCKS_MAX {
            blocks.clear();
        }
        blocks.insert(block, hashes.clone());
        Ok(hashes)
    }
}

impl Nodes for Prover {
    type Error = ReadError;

    fn node(&self, height: u8, index: u64) -> Result<Hash, ReadError> {
        let above = height % TILE_HEIGHT;
        let nodes = self.nodes(height / TILE_HEIGHT, index << above, 1 << above)?;
        Ok(subtree_root(&nodes))
    }
}

/// Leaf hashes of a range: recomputed from entries, and for erased ones those that were stored.
fn all_leaf_hashes(reader: &Reader, start: u64, end: u64) -> Result<Vec<Hash>, ReadError> {
    let computed = leaf_hashes(reader, start..end)?;
    if computed.iter().all(Option::is_some) {
        return Ok(computed.into_iter().flatten().collect());
    }
    let stored = reader.stored_leaf_hashes(start, computed.len())?;
    let both = (start..).zip(computed.into_iter().zip(stored));
    both.map(|(index, (computed, stored))| computed.or(stored).ok_or(ReadError::Missing { index: index.into() }))
        .collect()
}
