//! What senders and askers write: audit logs and queries.

use audit::{Event, Format, Item, diagnose, normalise};
use query::{Context, Entry, Query};

/// A row for queries to be asked of.
const EVENT: &[u8] = br#"{"auditID":"a","stage":"ResponseComplete","verb":"create","user":{"username":"alice","groups":["dev"]},"sourceIPs":["10.0.0.1"],"requestObject":{"spec":{"containers":[{"image":"docker.io/x:1"}]}},"responseStatus":{"code":201}}"#;

/// Now, for relative times: 2026-11-22T00:00:00Z.
const NOW: i64 = 1_795_305_600_000_000;

/// Any bytes are cut into pieces of themselves, in order, none twice; each is an event or says why it is none.
pub fn split(bytes: &[u8]) {
    let mut rest = bytes.as_ptr_range().start;
    for Item { format, bytes: piece, .. } in audit::split(bytes) {
        let place = piece.as_ptr_range();
        assert!(rest <= place.start && place.end <= bytes.as_ptr_range().end, "pieces overlap or come from elsewhere");
        rest = place.end;
        match normalise(format, piece) {
            Ok(text) => drop(Event::parse(&text)),
            Err(reason) => assert!(!reason.name().is_empty()),
        }
        if format == Format::Audit {
            assert_eq!(diagnose(piece), None, "an event is no reason for quarantine");
        }
    }
}

/// Any text is a query or refused with a message; what is read is written, read back the same, and asks a row.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let context = Context::utc(NOW);
    let query = match Query::parse(text, &context) {
        Ok(query) => query,
        Err(error) => return assert!(!error.render(text).is_empty()),
    };
    assert_eq!(Query::parse(&query.to_string(), &context).as_ref(), Ok(&query));
    for payload in [EVENT, bytes] {
        let entry = Entry { index: 1, received: 2, cluster: "fuzz", format: Format::Audit, payload };
        entry.with_row(|row| query.matches(row));
    }
}
