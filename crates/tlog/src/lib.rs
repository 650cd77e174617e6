//! Transparency-log arithmetic: hashing, trees, tiles, proofs, signed checkpoints.
//!
//! RFC 6962 hashing and proofs, C2SP [tlog-tiles], [signed-note], [tlog-checkpoint] and
//! [tlog-cosignature].
//!
//! Does not know where bytes are kept, what a leaf means or what time it is. Nothing here does I/O,
//! which is why the same code verifies proofs in the server and on an auditor's laptop.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [signed-note]: https://c2sp.org/signed-note
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [tlog-cosignature]: https://c2sp.org/tlog-cosignature

mod checkpoint;
mod cosignature;
mod frontier;
mod hash;
mod key;
mod note;
mod place;
mod proof;
mod tile;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{Cosignature, CosignatureError, cosign, verify_cosignature};
pub use frontier::{Frontier, FrontierError, Node};
pub use hash::{Hash, HashError, leaf_hash, node_hash, sha256, subtree_root};
pub use key::{Algorithm, KeyError, KeyId, SigningKey, VerifierKey};
pub use note::{Note, NoteError, Signature};
pub use place::{LeafIndex, TreeSize};
pub use proof::{
    ConsistencyProof, InclusionProof, Nodes, ProofError, consistency_proof, inclusion_proof, tree_root,
    verify_consistency, verify_inclusion,
};
pub use tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileError};
