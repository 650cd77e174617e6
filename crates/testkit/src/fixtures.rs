//! Events to test with.

use std::path::PathBuf;

/// A file of this repository, by its path from the root.
pub fn repository_file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The recorded day of the lab cluster: one audit event a line, without the newlines.
///
/// # Panics
/// When the recording is missing from the repository.
pub fn lab_events() -> Vec<Vec<u8>> {
    let path = repository_file("testdata/lab/events.jsonl.zst");
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = zstd::decode_all(&packed[..]).expect("the recording is not damaged");
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// A small audit event that differs from those of other numbers.
pub fn event(number: u64) -> Vec<u8> {
    let (second, micro) = (number / 1_000_000 % 60, number % 1_000_000);
    let time = format!("2026-01-02T03:04:{second:02}.{micro:06}Z");
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"00000000-0000-4000-8000-{number:012}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods/p{number}","verb":"delete","user":{{"username":"alice","groups":["system:authenticated"]}},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl/v1.36.2","objectRef":{{"resource":"pods","namespace":"web","name":"p{number}","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}","annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}}}"#
    )
    .into_bytes()
}
