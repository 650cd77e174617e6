//! Roots and proofs against published vectors and against a naive tree.

use std::convert::Infallible;

use proptest::prelude::*;
use tlog::{
    ConsistencyProof, Frontier, Hash, InclusionProof, LeafIndex, Nodes, ProofError, Tile, TreeSize, consistency_proof,
    inclusion_proof, leaf_hash, subtree_root, tree_root, verify_consistency, verify_inclusion,
};

/// The leaves of the test vectors that Certificate Transparency implementations share.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// Roots of the first one to eight leaves.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, height: u8, index: u64) -> Result<Hash, Infallible> {
        let start = (index << height) as usize;
        Ok(subtree_root(&self.0[start..start + (1 << height)]))
    }
}

fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|index| leaf_hash(&index.to_le_bytes())).collect())
}

#[test]
fn roots_are_those_of_the_published_vectors() {
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), Hash::empty_root());
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        frontier.push(leaf_hash(&hex(leaf)), |_| {});
        assert_eq!(frontier.root().as_bytes()[..], hex(root));
    }
}

#[test]
fn tile_paths_are_those_of_the_specification() {
    for (level, index, width, path) in [
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (0, 273, 17, "tile/0/273.p/17"),
        (2, 0, 1, "tile/2/000.p/1"),
        (1, 1000, 256, "tile/1/x001/000"),
    ] {
        let tile = Tile::new(level, index, width).expect("valid");
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    for bad in [
        "tile/0/1",
        "tile/9/001",
        "tile/0/001.p/256",
        "tile/0/001.p/0",
        "tile/0/x001",
        "tile/00/001",
        "tile/0/999999999999999999999999",
        "",
    ] {
        assert!(bad.parse::<Tile>().is_err(), "{bad}");
    }
    let tiles: Vec<String> = Tile::all(TreeSize::new(70_000)).map(|tile| tile.to_string()).collect();
    assert_eq!(tiles.len(), 274 + 2 + 1);
    assert_eq!(tiles.last().map(String::as_str), Some("tile/2/000.p/1"));
}

proptest! {
    #[test]
    fn the_frontier_agrees_with_the_naive_tree(size in 0u64..600) {
        let naive = leaves(size);
        let mut frontier = Frontier::default();
        let mut completed = Vec::new();
        naive.0.iter().for_each(|leaf| frontier.push(*leaf, |node| completed.push(node)));
        prop_assert_eq!(frontier.root(), subtree_root(&naive.0));
        prop_assert_eq!(tree_root(&naive, TreeSize::new(size)).unwrap(), subtree_root(&naive.0));
        for node in completed {
            prop_assert_eq!(Ok(node.hash), naive.node(node.height, node.index));
        }
        let again = Frontier::new(frontier.size(), frontier.roots().to_vec()).unwrap();
        prop_assert_eq!(again, frontier);
    }

    #[test]
    fn inclusion_proofs_hold_and_break_with_any_bit(size in 1u64..400, seed: u64, bit in 0usize..256) {
        let tree = leaves(size);
        let (index, root) = (seed % size, subtree_root(&tree.0));
        let (place, tree_size) = (LeafIndex::new(index), TreeSize::new(size));
        let proof = inclusion_proof(&tree, place, tree_size).unwrap();
        let leaf = tree.0[index as usize];
        prop_assert_eq!(verify_inclusion(&proof, leaf, place, tree_size, root), Ok(()));

        prop_assert!(verify_inclusion(&proof, flip(leaf, bit), place, tree_size, root).is_err());
        prop_assert!(verify_inclusion(&proof, leaf, place, tree_size, flip(root, bit)).is_err());
        for at in 0..proof.0.len() {
            let mut forged = proof.clone();
            forged.0[at] = flip(forged.0[at], bit);
            prop_assert_eq!(verify_inclusion(&forged, leaf, place, tree_size, root), Err(ProofError::Root));
        }
        let mut longer = proof.0.clone();
        longer.push(root);
        prop_assert!(verify_inclusion(&InclusionProof(longer), leaf, place, tree_size, root).is_err());
        if size > 1 {
            let other = LeafIndex::new((index + 1) % size);
            prop_assert!(verify_inclusion(&proof, leaf, other, tree_size, root).is_err());
        }
    }

    #[test]
    fn consistency_proofs_hold_and_break_with_any_bit(new in 1u64..400, seed: u64, bit in 0usize..256) {
        let tree = leaves(new);
        let old = seed % (new + 1);
        let (old_root, new_root) = (subtree_root(&tree.0[..old as usize]), subtree_root(&tree.0));
        let (old_size, new_size) = (TreeSize::new(old), TreeSize::new(new));
        let proof = consistency_proof(&tree, old_size, new_size).unwrap();
        let verify = |proof: &ConsistencyProof, old_root, new_root| {
            verify_consistency(proof, old_size, old_root, new_size, new_root)
        };
        prop_assert_eq!(verify(&proof, old_root, new_root), Ok(()));
        prop_assert!(verify(&proof, flip(old_root, bit), new_root).is_err());
        if old > 0 {
            prop_assert!(verify(&proof, old_root, flip(new_root, bit)).is_err());
        }
        for at in 0..proof.0.len() {
            let mut forged = proof.clone();
            forged.0[at] = flip(forged.0[at], bit);
            prop_assert!(verify(&forged, old_root, new_root).is_err());
            forged.0.truncate(at);
            prop_assert!(verify(&forged, old_root, new_root).is_err());
        }
    }
}

fn flip(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::new(bytes)
}
