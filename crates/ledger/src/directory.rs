//! The data directory: whose it is, which version wrote it, and that only one process writes.

use std::{
    io,
    path::{Path, PathBuf},
};

use host::{Host, Lock, Owner, Secrecy, Timestamp, read_all, replace_file};
use serde::{Deserialize, Serialize};

use crate::layout::Layout;

/// Version of the directory's layout that this code reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// Largest identity file that is read, in bytes.
const IDENTITY_BYTES_MAX: u64 = 64 << 10;

/// What `kubewitness.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of the directory's layout.
    pub format: u32,
    /// Name of the log in its checkpoints.
    pub origin: String,
    /// When the directory was made, in microseconds since 1970.
    pub created: i64,
}

/// Why a data directory is not opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A newer (or foreign) program wrote it.
    #[error(
        "data directory {directory} has format {found}, this program reads format {FORMAT_VERSION}: \
         use the version of kubewitness that wrote it"
    )]
    Version {
        /// The data directory.
        directory: PathBuf,
        /// The version it has.
        found: u32,
    },
    /// Another user's.
    #[error(
        "data directory {directory} belongs to user {}, this process runs as user {}: \
         run as that user, or change the owner with chown -R", owner.user, owner.ours
    )]
    Owner {
        /// The data directory.
        directory: PathBuf,
        /// Owner and us.
        owner: Owner,
    },
    /// Another process writes it.
    #[error(
        "data directory {directory} is in use by another kubewitness process: \
         stop that one first, or choose another with --data-dir"
    )]
    Locked {
        /// The data directory.
        directory: PathBuf,
    },
    /// There are files, but not ours.
    #[error(
        "{directory} is not empty and is no kubewitness data directory (it has no kubewitness.json): \
         choose an empty one with --data-dir"
    )]
    Foreign {
        /// The directory.
        directory: PathBuf,
    },
    /// To be read, but not there.
    #[error("there is no data directory at {directory}: name the right one with --data-dir")]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// We may not write.
    #[error(
        "data directory {directory} cannot be written: \
         give this user the right to write there (or mount it writable), or choose another with --data-dir"
    )]
    ReadOnly {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No room even to begin.
    #[error("the disk of data directory {directory} is full: make room, or choose another with --data-dir")]
    Full {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The identity file cannot be understood.
    #[error("{path} cannot be read as the identity of a data directory: {reason}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else that the disk says.
    #[error("cannot open {path}")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// The directory, ours alone to write as long as this lives.
pub(crate) struct Directory {
    pub(crate) layout: Layout,
    pub(crate) identity: Identity,
    _lock: Box<dyn Lock>,
}

impl Directory {
    /// Takes the directory for writing; makes it when there is none.
    pub(crate) fn open(host: &Host, root: &Path, origin: Option<&str>) -> Result<Self, DirectoryError> {
        let layout = Layout::new(root);
        let explain = |cause| explain(root, cause);
        host.disk.create_dir_all(root).map_err(explain)?;
        check_owner(host, root)?;
        let lock = host.disk.lock(&layout.lock()).map_err(explain)?;
        let lock = lock.ok_or_else(|| DirectoryError::Locked { directory: root.to_owned() })?;
        let identity = match read_identity(host, &layout)? {
            Some(identity) => identity,
            None => create(host, &layout, origin)?,
        };
        for directory in layout.directories() {
            host.disk.create_dir_all(&directory).map_err(explain)?;
        }
        Ok(Self { layout, identity, _lock: lock })
    }
}

/// Opens the directory to read, while another process may write.
pub(crate) fn open_to_read(host: &Host, root: &Path) -> Result<(Layout, Identity), DirectoryError> {
    let layout = Layout::new(root);
    let missing = || DirectoryError::Missing { directory: root.to_owned() };
    let identity = read_identity(host, &layout)?.ok_or_else(missing)?;
    Ok((layout, identity))
}

fn check_owner(host: &Host, root: &Path) -> Result<(), DirectoryError> {
    let owner = host.disk.owner(root).map_err(|cause| explain(root, cause))?;
    // Whoever runs as root may use anyone's directory; files would then be root's, so we refuse that too.
    if owner.user == owner.ours {
        return Ok(());
    }
    Err(DirectoryError::Owner { directory: root.to_owned(), owner })
}

fn read_identity(host: &Host, layout: &Layout) -> Result<Option<Identity>, DirectoryError> {
    let path = layout.identity();
    let bytes = match read_all(&*host.disk, &path, IDENTITY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(DirectoryError::Disk { path, cause }),
    };
    let identity: Identity =
        serde_json::from_slice(&bytes).map_err(|error| DirectoryError::Identity { path, reason: error.to_string() })?;
    if identity.format != FORMAT_VERSION {
        let directory = layout.root.clone();
        return Err(DirectoryError::Version { directory, found: identity.format });
    }
    Ok(Some(identity))
}

fn create(host: &Host, layout: &Layout, origin: Option<&str>) -> Result<Identity, DirectoryError> {
    let root = &layout.root;
    let explain = |cause| explain(root, cause);
    let inside = host.disk.list(root).map_err(explain)?;
    // What an interrupted first start leaves behind is ours.
    let is_ours = |path: &PathBuf| {
        [layout.lock(), layout.identity().with_extension("json.new")].contains(path)
            || path.file_name().is_some_and(|name| name == "lost+found")
    };
    if !inside.iter().all(is_ours) {
        return Err(DirectoryError::Foreign { directory: root.clone() });
    }
    let Timestamp(created) = host.clock.now();
    let origin = match origin {
        Some(origin) => origin.to_owned(),
        None => random_origin(host).map_err(explain)?,
    };
    let identity = Identity { format: FORMAT_VERSION, origin, created };
    let text = serde_json::to_vec_pretty(&identity).map_err(|error| explain(error.into()))?;
    replace_file(&*host.disk, &layout.identity(), Secrecy::Shared, &text).map_err(explain)?;
    Ok(identity)
}

fn random_origin(host: &Host) -> io::Result<String> {
    let mut bytes = [0; 8];
    host.entropy.fill(&mut bytes)?;
    Ok(format!("kubewitness.log/{:016x}", u64::from_be_bytes(bytes)))
}

fn explain(root: &Path, cause: io::Error) -> DirectoryError {
    let directory = root.to_owned();
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            DirectoryError::ReadOnly { directory, cause }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DirectoryError::Full { directory, cause },
        _ => DirectoryError::Disk { path: directory, cause },
    }
}
