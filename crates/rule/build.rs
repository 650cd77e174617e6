//! Makes the built-in rule files part of the binary: as text, and packed so that they load without a YAML parser.

#![allow(dead_code, unreachable_pub, reason = "of the shared files only a part is used here")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

// The library's own reader, so that both see the same documents.
#[path = "src/node.rs"]
mod node;
#[path = "src/packed.rs"]
mod packed;
#[path = "src/problem.rs"]
mod problem;
#[path = "src/yaml.rs"]
mod yaml;

use node::{Node, Value};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("rules");
    for file in ["node", "packed", "problem", "yaml"] {
        println!("cargo::rerun-if-changed=src/{file}.rs");
    }
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let is_translation = |file: &PathBuf| file.starts_with(root.join("i18n"));
    let (translations, rules): (Vec<_>, Vec<_>) = files.into_iter().partition(is_translation);
    list_rules(&mut fs::File::create(out.join("builtin_rules.rs"))?, &rules, &root, &out)?;
    list_translations(&mut fs::File::create(out.join("translations.rs"))?, &translations, &out)
}

/// Writes a constant of names (below `root`), texts and packed documents. A file that is no YAML is packed as nothing.
fn list_rules(list: &mut fs::File, files: &[PathBuf], root: &Path, out: &Path) -> io::Result<()> {
    writeln!(list, "const FILES: &[(&str, &str, &[u8])] = &[")?;
    for (number, file) in files.iter().enumerate() {
        let packed = out.join(format!("{number}.packed"));
        fs::write(&packed, pack(&fs::read_to_string(file)?))?;
        let (name, file, packed) = (name(file, root), file.display().to_string(), packed.display().to_string());
        writeln!(list, "    ({name:?}, include_str!({file:?}), include_bytes!({packed:?})),")?;
    }
    writeln!(list, "];")
}

fn pack(text: &str) -> Vec<u8> {
    let (mut documents, faults) = yaml::load(text, yaml::Cut::Documents);
    let mut bytes = Vec::new();
    if faults.is_empty() {
        documents.iter_mut().for_each(write_tests_as_json);
        documents.iter().for_each(|document| packed::pack(document, &mut bytes));
    }
    bytes
}

/// Events of tests are four fifths of the rules' text, and nobody looks at them when rules run.
fn write_tests_as_json(document: &mut Node) {
    let Some(tests) = member(document, "kubewitness").and_then(|block| member(block, "tests")) else { return };
    let Value::List(tests) = &mut tests.value else { return };
    for test in tests {
        if let Some(event) = member(test, "event") {
            write_as_json(event);
        }
        if let Some(Node { value: Value::List(events), .. }) = member(test, "events") {
            events.iter_mut().for_each(write_as_json);
        }
    }
}

fn write_as_json(node: &mut Node) {
    node.value = Value::Scalar { text: node.to_json().into(), plain: false };
}

fn member<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
}

/// Writes a constant of languages and packed documents.
fn list_translations(list: &mut fs::File, files: &[PathBuf], out: &Path) -> io::Result<()> {
    writeln!(list, "const TRANSLATIONS: &[(&str, &[u8])] = &[")?;
    for file in files {
        let language = file.file_stem().unwrap_or_default().display().to_string();
        let packed = out.join(format!("{language}.packed"));
        fs::write(&packed, pack(&fs::read_to_string(file)?))?;
        writeln!(list, "    ({language:?}, include_bytes!({:?})),", packed.display().to_string())?;
    }
    writeln!(list, "];")
}

fn name(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
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
