//! Lists the built-in rule files so that they are part of the binary.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("rules");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("builtin_rules.rs");
    let mut out = fs::File::create(out)?;
    let is_translation = |file: &PathBuf| file.starts_with(root.join("i18n"));
    let (translations, rules): (Vec<_>, Vec<_>) = files.into_iter().partition(is_translation);
    list(&mut out, "FILES", &rules, &root)?;
    list(&mut out, "TRANSLATIONS", &translations, &root.join("i18n"))
}

/// Writes a constant of names (below `root`) and texts.
fn list(out: &mut fs::File, constant: &str, files: &[PathBuf], root: &Path) -> io::Result<()> {
    writeln!(out, "const {constant}: &[(&str, &str)] = &[")?;
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        writeln!(out, "    ({name:?}, include_str!({:?})),", file.display().to_string())?;
    }
    writeln!(out, "];")
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
    Ok(())
}
