//! Where everything of a data directory is.

use std::path::{Path, PathBuf};

/// Paths inside a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join("kubewitness.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(crate) fn signing_key(&self) -> PathBuf {
        self.keys().join("log.key")
    }

    pub(crate) fn verifier_keys(&self) -> PathBuf {
        self.keys().join("log.pub")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    pub(crate) fn frames(&self) -> PathBuf {
        self.ledger().join("frames")
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.frames().join(format!("{first:020}.frames"))
    }

    pub(crate) fn tiles(&self) -> PathBuf {
        self.ledger().join("tiles")
    }

    pub(crate) fn tile_level(&self, level: u8) -> PathBuf {
        self.tiles().join(level.to_string())
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.ledger().join("checkpoint")
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.ledger().join("checkpoints")
    }

    pub(crate) fn digests(&self) -> PathBuf {
        self.ledger().join("digests")
    }

    pub(crate) fn erased(&self) -> PathBuf {
        self.ledger().join("erased")
    }

    pub(crate) fn erasure(&self, number: u64) -> PathBuf {
        self.erased().join(format!("{number:010}"))
    }

    pub(crate) fn directories(&self) -> [PathBuf; 5] {
        [self.keys(), self.ledger(), self.frames(), self.tiles(), self.erased()]
    }
}

/// Place of the first entry in a frame file, from the file's name.
pub(crate) fn segment_first(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".frames")?.parse().ok()
}
