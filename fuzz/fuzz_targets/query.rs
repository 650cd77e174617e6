//! Queries of any text: read or refused with a message; what is read is written and read back the same, and asks a row.
#![no_main]

use audit::Format;
use libfuzzer_sys::fuzz_target;
use query::{Context, Entry, Query};

const EVENT: &[u8] = br#"{"auditID":"a","stage":"ResponseComplete","verb":"create","user":{"username":"alice","groups":["dev"]},"sourceIPs":["10.0.0.1"],"requestObject":{"spec":{"containers":[{"image":"docker.io/x:1"}]}},"responseStatus":{"code":201}}"#;

fuzz_target!(|text: &str| {
    let context = Context::utc(1_795_303_500_000_000);
    let query = match Query::parse(text, &context) {
        Ok(query) => query,
        Err(error) => return assert!(!error.render(text).is_empty()),
    };
    assert_eq!(Query::parse(&query.to_string(), &context).as_ref(), Ok(&query));
    for payload in [EVENT, text.as_bytes()] {
        let entry = Entry { index: 1, received: 2, cluster: "fuzz", format: Format::Audit, payload };
        entry.with_row(|row| query.matches(row));
    }
});
