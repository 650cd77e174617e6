//! Any entries, sealed into segments: the same bytes and the same rows come back.

use host::SimHost;
use proptest::prelude::*;
use query::{Context, Query, Raw, RowKeys};
use store::{Column, FoundRow, Options, Order, Payload, Scan, Snapshot, Store};

mod fixture;

use audit::Format;
use fixture::{Kept, lab, open_in};

/// A change to a recorded event.
#[derive(Debug, Clone)]
enum Change {
    Byte(usize, u8),
    Insert(usize, Vec<u8>),
    Cut(usize, usize),
    /// Another value for the first text in quotes after a key.
    Value(&'static str, String),
}

fn change() -> impl Strategy<Value = Change> {
    let key = prop::sample::select(vec![
        "verb",
        "auditID",
        "username",
        "requestURI",
        "userAgent",
        "name",
        "namespace",
        "stageTimestamp",
        "requestReceivedTimestamp",
        "message",
        "resource",
        "uid",
    ]);
    let hostile = prop::sample::select(vec![
        "\u{1}!",
        "\u{2}-",
        "\\u0001",
        "<&>",
        "\\u003c",
        "\u{2028}",
        "\\\"",
        "\\/",
        "caf\u{e9}",
        "",
        "\u{0}",
        "2026-01-02T03:04:05.000006Z",
        "2026-01-02T23:59:60.000000Z",
        "0001-01-01T00:00:00Z",
        "915743b8-f409-45d1-89fa-842c7dab438f",
        "915743B8-F409-45D1-89FA-842C7DAB438F",
        "00000000-0000-0000-0000-000000000000",
    ]);
    prop_oneof![
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<usize>(), 1..2_000usize).prop_map(|(at, length)| Change::Cut(at, length)),
        6 => (key, hostile).prop_map(|(key, text)| Change::Value(key, text.to_owned())),
    ]
}

impl Change {
    fn apply(&self, payload: &mut Vec<u8>) {
        let within = |at: usize, length: usize| if length == 0 { 0 } else { at % length };
        match self {
            Self::Byte(at, byte) => {
                let at = within(*at, payload.len());
                payload[at..].iter_mut().take(1).for_each(|old| *old = *byte);
            }
            Self::Insert(at, bytes) => {
                let at = within(*at, payload.len());
                payload.splice(at..at, bytes.iter().copied());
            }
            Self::Cut(at, length) => {
                let at = within(*at, payload.len());
                payload.drain(at..(at + length).min(payload.len()));
            }
            Self::Value(key, text) => {
                let key = format!("\"{key}\":\"");
                let Some(found) = payload.windows(key.len()).position(|window| window == key.as_bytes()) else {
                    return;
                };
                let start = found + key.len();
                let length = payload[start..].iter().position(|byte| *byte == b'"').unwrap_or(0);
                payload.splice(start..start + length, text.bytes());
            }
        }
    }
}

fn entries() -> impl Strategy<Value = Vec<Kept>> {
    let recorded = lab();
    let event =
        (any::<prop::sample::Index>(), prop::collection::vec(change(), 0..4)).prop_map(move |(which, changes)| {
            let mut payload = which.get(&recorded).payload.clone();
            changes.iter().for_each(|change| change.apply(&mut payload));
            payload
        });
    let payload = prop_oneof![8 => event, 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let format = prop_oneof![9 => Just(Format::Audit), 2 => prop::sample::select(Format::ALL.to_vec())];
    prop::collection::vec((format, payload), 1..120).prop_map(|entries| {
        let kept = entries.into_iter().zip(0..);
        kept.map(|((format, payload), index)| Kept { index, format, payload }).collect()
    })
}

fn rows(snapshot: &Snapshot) -> Vec<FoundRow> {
    let query = Query::parse("*", &Context::utc(0)).unwrap();
    let columns: Vec<Column> = Column::all().collect();
    let scan = Scan { limit: usize::MAX, order: Order::Oldest, columns, payload: Payload::With };
    snapshot.scan(&query, &scan).unwrap()
}

/// The stable JSON of each entry by its exact bytes.
fn shown(entries: &[Kept], keys: RowKeys, raw: Raw) -> Vec<(u64, String)> {
    let json = |kept: &Kept| {
        let store::Entry { index, received, cluster, format, payload } = kept.entry();
        let format = Format::from_code(format).unwrap();
        query::Entry { index, received, cluster, format, payload }.with_row(|row| row.to_json_of(keys, raw))
    };
    entries.iter().map(|kept| (kept.index, String::from_utf8(json(kept)).unwrap())).collect()
}

/// The same by what a snapshot reads of them.
fn shown_by(snapshot: &Snapshot, keys: RowKeys, raw: Raw) -> Vec<(u64, String)> {
    let query = Query::parse("*", &Context::utc(0)).unwrap();
    let rows = snapshot.scan(&query, &Scan::shown(usize::MAX, Order::Newest, keys, raw)).unwrap();
    let mut all: Vec<_> =
        rows.iter().map(|row| (row.index, String::from_utf8(row.to_json(keys, raw)).unwrap())).collect();
    all.sort();
    all
}

fn payloads(snapshot: &Snapshot) -> Vec<(u64, u8, Vec<u8>)> {
    let mut all = Vec::new();
    snapshot.entries(0..u64::MAX, |entry| all.push((entry.index, entry.format, entry.payload.to_vec()))).unwrap();
    all
}

fn store_of(world: &SimHost, entries: &[Kept], rows_max: usize) -> Store {
    let mut store = open_in(&world.host(), Options { head_rows_max: rows_max, ..Options::default() });
    store.append(entries.iter().map(Kept::entry)).unwrap();
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn segments_give_the_same_bytes_and_rows(entries in entries(), rows_max in 5usize..60) {
        let in_memory = store_of(&SimHost::new(1), &entries, usize::MAX);
        let world = SimHost::new(2);
        let mut sealed = store_of(&world, &entries, rows_max);
        sealed.seal().unwrap();
        let expected: Vec<_> = entries.iter().map(|kept| (kept.index, kept.entry().format, kept.payload.clone())).collect();
        let head_rows = rows(&in_memory.reader().snapshot());
        prop_assert_eq!(head_rows.len(), entries.len());
        prop_assert_eq!(&payloads(&in_memory.reader().snapshot()), &expected);
        prop_assert_eq!(&payloads(&sealed.reader().snapshot()), &expected);
        prop_assert_eq!(&rows(&sealed.reader().snapshot()), &head_rows);
        let some = RowKeys::parse("time,verb,user,trust").unwrap();
        for (keys, raw) in [(RowKeys::ALL, Raw::With), (RowKeys::ALL, Raw::Without), (some, Raw::Without)] {
            prop_assert_eq!(shown_by(&in_memory.reader().snapshot(), keys, raw), shown(&entries, keys, raw));
            prop_assert_eq!(shown_by(&sealed.reader().snapshot(), keys, raw), shown(&entries, keys, raw));
        }

        while sealed.compact().unwrap() {}
        drop(sealed);
        let reopened = open_in(&world.host(), Options::default());
        prop_assert_eq!(&payloads(&reopened.reader().snapshot()), &expected);
        prop_assert_eq!(&rows(&reopened.reader().snapshot()), &head_rows);
    }
}
