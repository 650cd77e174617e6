//! The tree on disk: nodes at heights 8, 16, 24 and so on, one file for each.
//!
//! The file `tiles/L` holds the nodes of height `8 L`, 32 bytes each, in order; 256 of them are one C2SP tile.
//! Leaf hashes (level 0) are recomputed from the entries; only those of erased entries are in `tiles/0`.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use host::{Access, Disk, DiskFile, Secrecy};
use parking_lot::Mutex;
use tlog::{Hash, Node, TILE_HEIGHT};

use crate::layout::Layout;

const LEVELS: usize = 8;

/// The files with nodes.
pub(crate) struct TileFiles {
    disk: Arc<dyn Disk>,
    layout: Layout,
    access: Access,
    levels: Mutex<[Option<Arc<dyn DiskFile>>; LEVELS]>,
}

impl TileFiles {
    /// `access` says whether existing files are opened to read or to write.
    pub(crate) fn new(disk: Arc<dyn Disk>, layout: Layout, access: Access) -> Self {
        Self { disk, layout, access, levels: Mutex::default() }
    }

    /// Hashes of consecutive nodes at a level, fewer when not all of them are there.
    pub(crate) fn read(&self, level: u8, first: u64, count: usize) -> io::Result<Vec<Hash>> {
        let Some(file) = self.file(level)? else { return Ok(Vec::new()) };
        let mut bytes = vec![0; count * Hash::SIZE];
        let read = file.read_at(&mut bytes, first * Hash::SIZE as u64)?;
        Ok(bytes[..read].chunks_exact(Hash::SIZE).filter_map(Hash::from_slice).collect())
    }

    /// Writes hashes of consecutive nodes at a level. Durable after [`TileFiles::sync`].
    pub(crate) fn write(&self, level: u8, first: u64, hashes: &[Hash]) -> io::Result<()> {
        let file = match self.file(level)? {
            Some(file) => file,
            None => self.create(level)?,
        };
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        file.write_at(&[IoSlice::new(&bytes)], first * Hash::SIZE as u64)
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let files: Vec<_> = self.levels.lock().iter().flatten().cloned().collect();
        files.iter().try_for_each(|file| file.sync_data())?;
        self.disk.sync_dir(&self.layout.tiles())
    }

    fn file(&self, level: u8) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let mut levels = self.levels.lock();
        let slot = &mut levels[usize::from(level) % LEVELS];
        if slot.is_none() {
            let path = self.layout.tile_level(level);
            *slot = match self.disk.open(&path, self.access) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(slot.clone())
    }

    fn create(&self, level: u8) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.layout.tile_level(level);
        let file = self.disk.open(&path, Access::Create(Secrecy::Shared))?;
        self.levels.lock()[usize::from(level) % LEVELS] = Some(file.clone());
        Ok(file)
    }
}

/// Nodes that were completed and are not written yet, in the order of the tree.
#[derive(Default)]
pub(crate) struct PendingNodes {
    levels: [Vec<(u64, Hash)>; LEVELS],
}

impl PendingNodes {
    /// Takes a completed node if it is one that is kept.
    pub(crate) fn push(&mut self, node: Node) {
        if node.height.is_multiple_of(TILE_HEIGHT) {
            let level = usize::from(node.height / TILE_HEIGHT);
            self.levels[level % LEVELS].push((node.index, node.hash));
        }
    }

    /// Writes them; what could not be written stays pending.
    pub(crate) fn write(&mut self, files: &TileFiles) -> io::Result<()> {
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            let Some((first, _)) = nodes.first() else { continue };
            let hashes: Vec<Hash> = nodes.iter().map(|(_, hash)| *hash).collect();
            files.write(level as u8, *first, &hashes)?;
            nodes.clear();
        }
        Ok(())
    }
}
