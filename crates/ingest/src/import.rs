//! Files to import: which ones a list of arguments means, and their content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::intake::Deliver;
use crate::tail::{Packing, drain, matching};
use crate::unpack::unpack_any;

/// Endings of files that are taken from a directory, before `.gz` or `.zst`. Packed files are taken whatever they are
/// called, since cloud exports have no ending.
const LOG_ENDINGS: [&str; 4] = [".log", ".json", ".jsonl", ".ndjson"];
/// Directories inside directories that are entered.
const DIRECTORY_DEPTH_MAX: usize = 32;

/// One thing to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, perhaps packed.
    File(PathBuf),
    /// Standard input, perhaps packed.
    Standard,
}

/// The files that arguments mean.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// In the order in which they are read.
    pub inputs: Vec<Input>,
    /// Files in directories that do not look like logs. Naming them imports them.
    pub skipped: Vec<PathBuf>,
}

/// An argument cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read, or is damaged inside its packing.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A pattern fits nothing.
    #[error("no file matches {}", pattern.display())]
    NoMatch {
        /// The pattern.
        pattern: PathBuf,
    },
}

/// Finds the files of `arguments`: files, directories (entered), patterns with `*` and `?` in their last part, `-`.
///
/// # Errors
/// When one of them does not exist or cannot be listed.
pub fn expand(arguments: &[PathBuf]) -> Result<Files, ImportError> {
    let mut files = Files::default();
    for argument in arguments {
        let failed = |cause| ImportError::Read { path: argument.clone(), cause };
        let has_wildcard = argument.to_string_lossy().contains(['*', '?']);
        if argument == Path::new("-") {
            files.inputs.push(Input::Standard);
        } else if argument.is_dir() {
            files.enter(argument, DIRECTORY_DEPTH_MAX).map_err(failed)?;
        } else if has_wildcard && !argument.exists() {
            let matches = matching(argument, crate::tail::Rotated::Included).map_err(failed)?;
            if matches.is_empty() {
                return Err(ImportError::NoMatch { pattern: argument.clone() });
            }
            files.inputs.extend(matches.into_iter().map(Input::File));
        } else {
            fs::metadata(argument).map_err(failed)?;
            files.inputs.push(Input::File(argument.clone()));
        }
    }
    Ok(files)
}

impl Files {
    /// Bytes on disk, packed as they are; `None` when that is not known.
    pub fn bytes(&self) -> Option<u64> {
        self.inputs.iter().map(Input::bytes).sum()
    }

    fn enter(&mut self, directory: &Path, depth: usize) -> io::Result<()> {
        let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() && depth > 0 {
                self.enter(&entry.path(), depth - 1)?;
            } else if kind.is_file() && looks_like_a_log(&name) {
                self.inputs.push(Input::File(entry.path()));
            } else {
                self.skipped.push(entry.path());
            }
        }
        Ok(())
    }
}

fn looks_like_a_log(name: &str) -> bool {
    let (packing, unpacked) = Packing::of(name);
    let rotated = || {
        LOG_ENDINGS
            .iter()
            .any(|ending| unpacked.contains(&format!("{ending}.")) || unpacked.contains(&format!("{ending}-")))
    };
    packing != Packing::Plain || LOG_ENDINGS.iter().any(|ending| unpacked.ends_with(ending)) || rotated()
}

impl Input {
    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Standard => "standard input".to_owned(),
        }
    }

    /// Reads it to its end, unpacked, and delivers it. `progress` is told of bytes as they stand in the file.
    /// Returns the bytes delivered.
    ///
    /// # Errors
    /// When it cannot be read. What stood before the damage has then been delivered.
    pub fn read(&self, progress: &mut (dyn FnMut(u64) + Send), deliver: &mut dyn Deliver) -> Result<u64, ImportError> {
        let failed = |cause| ImportError::Read { path: PathBuf::from(self.name()), cause };
        let file: Box<dyn Read + Send> = match self {
            Self::File(path) => Box::new(File::open(path).map_err(failed)?),
            Self::Standard => Box::new(io::stdin()),
        };
        let content = unpack_any(Counted { file, progress }).map_err(failed)?;
        drain(content, deliver).map_err(failed)
    }

    fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => fs::metadata(path).ok().map(|metadata| metadata.len()),
            Self::Standard => None,
        }
    }
}

struct Counted<'p> {
    file: Box<dyn Read + Send>,
    progress: &'p mut (dyn FnMut(u64) + Send),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_logs_and_name_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("deep")).unwrap();
        for name in ["b.log", "a.json", "a.log.1", "deep/000000.gz", "notes.txt", ".hidden.log"] {
            fs::write(root.join(name), b"").unwrap();
        }
        let files = expand(&[root.to_owned(), PathBuf::from("-"), root.join("*.log*")]).unwrap();
        let file = |name: &str| Input::File(root.join(name));
        let expected = [
            file("a.json"),
            file("a.log.1"),
            file("b.log"),
            file("deep/000000.gz"),
            Input::Standard,
            file("a.log.1"),
            file("b.log"),
        ];
        assert_eq!(files.inputs, expected);
        assert_eq!(files.skipped, [root.join("notes.txt")]);
        assert!(matches!(expand(&[root.join("nothing*")]), Err(ImportError::NoMatch { .. })));
        assert!(matches!(expand(&[root.join("absent")]), Err(ImportError::Read { .. })));
    }
}
