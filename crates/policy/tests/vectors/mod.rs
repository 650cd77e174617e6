//! Reads the conformance vectors: JSON lines, zstd-compressed.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Every line of a vector file.
pub(crate) fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let compressed = std::fs::read(&path).expect("vector file");
    let text = zstd::decode_all(compressed.as_slice()).expect("zstd");
    let text = String::from_utf8(text).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}
