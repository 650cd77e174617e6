//! Files, and what it takes for them to survive a crash.

use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file system. Every method is one step that may fail, and that may have happened although it failed.
///
/// What survives a crash: the content and length of a file as of its last [`DiskFile::sync_data`]; names as
/// of the last [`Disk::sync_dir`] of their directory. Whatever came later survives wholly, partly or not.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory and those above it, for this user only.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in place of a file that has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Paths of what is in a directory, sorted. A directory that does not exist is [`io::ErrorKind::NotFound`].
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, which it makes if need be; `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// Bytes that this user may still write beneath a directory.
    fn free_space(&self, path: &Path) -> io::Result<u64>;

    /// Who owns a file or directory.
    fn owner(&self, path: &Path) -> io::Result<Owner>;
}

/// An open file. Offsets are bytes from its beginning.
pub trait DiskFile: Send + Sync {
    /// Reads up to the buffer's length; fewer only at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all slices one behind the other.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes content and length durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Reserves room up to this length and makes the file at least that long, filled with zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts or extends (with zeros) to this length.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in the file.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A lock that is held until it is dropped, or the process ends.
pub trait Lock: Send + Sync {}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read; it must exist.
    Read,
    /// To read and write; it must exist.
    Write,
    /// To read and write; it must not exist.
    Create(Secrecy),
    /// To read and write; made if it does not exist, emptied if it does.
    Replace(Secrecy),
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Whoever the process's umask lets.
    Shared,
    /// This user only (mode 0600).
    Private,
}

/// Who owns a file, beside who we are. On systems without user ids both are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id of the owner.
    pub user: u32,
    /// User id of this process.
    pub ours: u32,
}

/// Reads a whole file of at most `limit` bytes; a longer one is [`io::ErrorKind::FileTooLarge`].
pub fn read_all(disk: &dyn Disk, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let length = file.len()?;
    if length > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Puts new content in the place of a file: after a crash it is the old or the new, never a mixture.
pub fn replace_file(disk: &dyn Disk, path: &Path, secrecy: Secrecy, content: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut temporary_name = name.to_owned();
    temporary_name.push(".new");
    let temporary = directory.join(temporary_name);
    let file = disk.open(&temporary, Access::Replace(secrecy))?;
    file.write_at(&[IoSlice::new(content)], 0)?;
    file.sync_data()?;
    disk.rename(&temporary, path)?; // commit point: a crash before leaves the old content
    disk.sync_dir(directory)
}
