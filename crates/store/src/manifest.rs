//! The manifest: which segments are the store, and how far it has followed the ledger. One file, replaced whole.

use std::path::{Path, PathBuf};

use audit::Micros;
use host::{Disk, Secrecy};
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::sorted::Sorted;
use crate::values::Values;

/// Name of the manifest in the store's directory.
///
/// Readers of a folder of Parquet files (Spark, pyarrow, pandas) leave out names that begin so.
const FILE: &str = "_manifest.json";
/// Version that is written; any other is refused.
const VERSION: u32 = 1;
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// What the store consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this layout.
    pub version: u32,
    /// Place of the first entry that is in no segment yet.
    pub cursor: u64,
    /// Number of the next segment.
    pub next_segment: u64,
    /// Segments in ledger order; their ranges do not overlap.
    pub segments: Vec<SegmentInfo>,
    /// Legal holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<crate::Hold>,
}

/// What is known of a segment without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentInfo {
    /// Number, which makes its file name.
    pub id: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Place of the first entry.
    pub first: u64,
    /// Place of the last entry.
    pub last: u64,
    /// What each cluster has in it.
    pub clusters: Vec<ClusterPart>,
}

/// One cluster's part of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPart {
    /// Name of the cluster.
    pub cluster: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the entries as they arrived.
    pub entry_bytes: u64,
    /// Earliest event time.
    pub from: Micros,
    /// Latest event time.
    pub until: Micros,
    /// Latest receipt, which age is counted from.
    pub received: Micros,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file system refused.
    #[error("cannot {doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The text is not a manifest.
    #[error("{path} is damaged; remove the store's directory to rebuild it from the ledger")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        cause: serde_json::Error,
    },
    /// Written by another version.
    #[error("{path} has version {found}, this program reads version {VERSION}")]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
    },
}

impl Default for Manifest {
    fn default() -> Self {
        Self { version: VERSION, cursor: 0, next_segment: 1, segments: Vec::new(), holds: Vec::new() }
    }
}

impl Manifest {
    /// Reads the manifest of `directory`; an empty one where there is none.
    pub(crate) fn load(disk: &dyn Disk, directory: &Path) -> Result<Self, ManifestError> {
        let path = directory.join(FILE);
        let text = match host::read_all(disk, &path, MANIFEST_BYTES_MAX) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(ManifestError::Disk { doing: "read", path, cause }),
        };
        let damaged = |cause| ManifestError::Damaged { path: path.clone(), cause };
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version != VERSION {
            return Err(ManifestError::OtherVersion { path, found: version });
        }
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// Puts this manifest in the place of the old one: the commit point of every change to the store.
    pub(crate) fn commit(&self, disk: &dyn Disk, directory: &Path) -> Result<(), ManifestError> {
        let path = directory.join(FILE);
        let text = serde_json::to_vec(self).unwrap_or_default();
        host::replace_file(disk, &path, Secrecy::Shared, &text).map_err(|cause| ManifestError::Disk {
            doing: "replace",
            path,
            cause,
        })
    }
}

impl SegmentInfo {
    /// Of a segment without rows.
    pub(crate) fn empty(id: u64) -> Self {
        Self { id, bytes: 0, rows: 0, first: u64::MAX, last: 0, clusters: Vec::new() }
    }

    /// Counts rows in.
    pub(crate) fn note(&mut self, rows: &Sorted) {
        self.rows += rows.rows() as u64;
        let places = rows.integers(Column::Index);
        self.first = places.iter().map(|place| *place as u64).fold(self.first, u64::min);
        self.last = places.iter().map(|place| *place as u64).fold(self.last, u64::max);
        note_clusters(rows, &mut self.clusters);
    }

    /// Counts everything in that another segment holds.
    pub(crate) fn absorb(&mut self, other: &SegmentInfo) {
        self.rows += other.rows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for theirs in &other.clusters {
            let place = place_of(&theirs.cluster, &mut self.clusters);
            self.clusters[place].absorb(theirs);
        }
    }

    /// The segment's file.
    pub fn path(&self, directory: &Path) -> PathBuf {
        segment_path(directory, self.id)
    }

    /// Earliest event time.
    pub fn from(&self) -> Micros {
        self.clusters.iter().map(|part| part.from).min().unwrap_or(Micros::MAX)
    }

    /// Latest event time.
    pub fn until(&self) -> Micros {
        self.clusters.iter().map(|part| part.until).max().unwrap_or(Micros::MIN)
    }
}

impl ClusterPart {
    fn absorb(&mut self, other: &ClusterPart) {
        self.rows += other.rows;
        self.entry_bytes += other.entry_bytes;
        self.from = self.from.min(other.from);
        self.until = self.until.max(other.until);
        self.received = self.received.max(other.received);
    }
}

fn note_clusters(rows: &Sorted, clusters: &mut Vec<ClusterPart>) {
    let Values::Coded { codes, dictionary } = rows.values(Column::Cluster) else { return };
    let names = dictionary.values().map(String::from_utf8_lossy);
    let places: Vec<usize> = names.map(|name| place_of(&name, clusters)).collect();
    let times = rows.integers(Column::Time);
    let received = rows.integers(Column::Received);
    let sizes = rows.integers(Column::Size);
    for (row, code) in codes.iter().enumerate() {
        let Some(part) = (*code as usize).checked_sub(1).map(|at| &mut clusters[places[at]]) else { continue };
        part.rows += 1;
        part.entry_bytes += sizes[row].max(0) as u64;
        part.from = part.from.min(times[row]);
        part.until = part.until.max(times[row]);
        part.received = part.received.max(received[row]);
    }
}

fn place_of(cluster: &str, clusters: &mut Vec<ClusterPart>) -> usize {
    clusters.iter().position(|part| part.cluster == cluster).unwrap_or_else(|| {
        let cluster = cluster.to_owned();
        let (from, until, received) = (Micros::MAX, Micros::MIN, Micros::MIN);
        clusters.push(ClusterPart { cluster, rows: 0, entry_bytes: 0, from, until, received });
        clusters.len() - 1
    })
}

/// The file of segment `id`.
pub(crate) fn segment_path(directory: &Path, id: u64) -> PathBuf {
    directory.join(format!("{id:08}.parquet"))
}
