//! The files under version control, and how a problem in one is told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A working copy: what is tracked, and what is new and not ignored.
pub(crate) struct Repository {
    /// Where the workspace manifest is.
    pub(crate) root: PathBuf,
    /// Paths relative to the root, sorted.
    pub(crate) files: Vec<PathBuf>,
}

impl Repository {
    /// The repository that this program was built from.
    pub(crate) fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands at the root")?;
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git ls-files")?;
        ensure!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
        let names = String::from_utf8(listing.stdout).context("a file name is not UTF-8")?;
        let mut files: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
        files.retain(|file| root.join(file).is_file()); // deleted but still in the index
        files.sort();
        Ok(Self { root: root.to_owned(), files })
    }

    /// Files with this extension.
    pub(crate) fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a Path> {
        let wanted = move |file: &&PathBuf| file.extension().is_some_and(|found| found == extension);
        self.files.iter().filter(wanted).map(PathBuf::as_path)
    }

    /// The text of a file; what is not UTF-8 is replaced.
    pub(crate) fn read(&self, file: &Path) -> Result<String> {
        let bytes = std::fs::read(self.root.join(file)).with_context(|| file.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether a path relative to the root is a file or a folder of the repository.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file.starts_with(path))
    }
}

/// Something to be put right, with its place.
pub(crate) struct Problem {
    file: PathBuf,
    /// Counted from one; zero when it is about the file as a whole.
    line: usize,
    message: String,
}

impl Problem {
    pub(crate) fn at(file: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }

    pub(crate) fn of(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::at(file, 0, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            0 => write!(out, "{file}: {}", self.message),
            line => write!(out, "{file}:{line}: {}", self.message),
        }
    }
}

/// A repository made of the given files, for the tests of the checks.
#[cfg(test)]
pub(crate) fn sample(files: &[(&str, &str)]) -> (tempfile::TempDir, Repository) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut files: Vec<PathBuf> = files.iter().map(|(name, _)| PathBuf::from(name)).collect();
    files.sort();
    let repository = Repository { root: dir.path().to_owned(), files };
    (dir, repository)
}

/// What a check says, one problem a line.
#[cfg(test)]
pub(crate) fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
