//! Tiles: how C2SP tlog-tiles names and fills the files of a tree.

use std::{fmt, str::FromStr};

use crate::TreeSize;

/// Levels of the tree that one tile spans.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Highest tile level: a tree has at most 2^63 leaves.
const LEVEL_MAX: u8 = 7;

/// A tile: up to 256 consecutive nodes of height `8 * level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// What is wrong with a tile's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TileError {
    /// Above the highest level.
    #[error("tile level {0} is over {LEVEL_MAX}")]
    Level(u8),
    /// No hashes, or more than a tile holds.
    #[error("tile width {0} is not between 1 and {TILE_WIDTH}")]
    Width(u16),
    /// Not the path of a tile.
    #[error("not a tile path: expected tile/LEVEL/INDEX or tile/LEVEL/INDEX.p/WIDTH")]
    Path,
}

impl Tile {
    /// The tile at a level and place, with `width` hashes.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX {
            return Err(TileError::Level(level));
        }
        //= https://c2sp.org/tlog-tiles#merkle-tree
        //# Empty tiles MUST NOT be served.
        if width == 0 || width > TILE_WIDTH {
            return Err(TileError::Width(width));
        }
        Ok(Self { level, index, width })
    }

    /// Every tile of a tree, level by level; the last one of a level may be partial.
    pub fn all(size: TreeSize) -> impl Iterator<Item = Self> {
        (0..=LEVEL_MAX).flat_map(move |level| {
            let nodes = Self::nodes_at(level, size);
            let width = u64::from(TILE_WIDTH);
            (0..nodes.div_ceil(width)).map(move |index| Self {
                level,
                index,
                width: (nodes - index * width).min(width) as u16,
            })
        })
    }

    /// Nodes that a tree of this size has at a tile level.
    pub fn nodes_at(level: u8, size: TreeSize) -> u64 {
        size.get().checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
    }

    /// Level, from zero for leaf hashes.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Place among the tiles of the level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Hashes in the tile, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Place among the level's nodes of the tile's first hash.
    pub fn first_node(self) -> u64 {
        self.index.saturating_mul(u64::from(TILE_WIDTH))
    }

    /// Whether a tree of this size has all hashes of the tile.
    pub fn is_within(self, size: TreeSize) -> bool {
        self.first_node().checked_add(u64::from(self.width)).is_some_and(|end| end <= Self::nodes_at(self.level, size))
    }
}

/// The path that C2SP tlog-tiles gives the tile, such as `tile/0/x001/x234/067.p/5`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}", self.level)?;
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "/x{group:03}")?;
        }
        write!(f, "/{:03}", groups[0])?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, decimal(width)?),
            None => (rest, u64::from(TILE_WIDTH)),
        };
        let level = decimal(level)?.try_into().map_err(|_| TileError::Path)?;
        let width = width.try_into().map_err(|_| TileError::Path)?;
        let tile = Self::new(level, index_of(groups)?, width)?;
        // One tile has one path: leading zeros or a partial width of 256 are not accepted.
        if tile.to_string() == path { Ok(tile) } else { Err(TileError::Path) }
    }
}

fn index_of(groups: &str) -> Result<u64, TileError> {
    groups.split('/').try_fold(0u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index.checked_mul(1000).and_then(|index| index.checked_add(decimal(digits).ok()?)).ok_or(TileError::Path)
    })
}

fn decimal(digits: &str) -> Result<u64, TileError> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TileError::Path);
    }
    digits.parse().map_err(|_| TileError::Path)
}
