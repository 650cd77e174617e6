//! The store as its users see it: rows in, the same bytes out, and the answers of the naive evaluator.

use std::collections::{BTreeMap, BTreeSet};

use audit::Event;
use host::SimHost;
use query::{Context, Query};
use store::{Column, GroupBy, Key, Order, Payload, Scan, Snapshot};

mod fixture;

use fixture::{Kept, hostile, lab, open, small_segments};

#[test]
fn bytes_come_back_from_head_and_segments() {
    for entries in [lab(), hostile()] {
        let mut store = open(small_segments());
        store.append(entries.iter().map(Kept::entry)).unwrap();
        let snapshot = store.reader().snapshot();
        assert_eq!(snapshot.rows(), entries.len() as u64);
        let mut expected = entries.iter();
        snapshot.entries(0..u64::MAX, |entry| assert_eq!(entry, expected.next().unwrap().entry())).unwrap();
        assert!(expected.next().is_none());
        for kept in entries.iter().step_by(97) {
            assert_eq!(snapshot.get(kept.index).unwrap().as_deref(), Some(kept.payload.as_slice()));
        }
        assert_eq!(snapshot.get(entries.len() as u64).unwrap(), None);
    }
}

#[test]
fn answers_are_those_of_the_naive_evaluator() {
    for entries in [lab(), hostile()] {
        let mut store = open(small_segments());
        store.append(entries.iter().map(Kept::entry)).unwrap();
        let snapshot = store.reader().snapshot();
        for text in QUERIES {
            let query = Query::parse(text, &Context::utc(1_795_303_500_000_000))
                .unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(found(&snapshot, &query), naive(&entries, &query), "{text}");
            assert_eq!(snapshot.count(&query).unwrap(), naive(&entries, &query).len() as u64, "{text}");
        }
    }
}

const QUERIES: &[&str] = &[
    "*",
    "verb:delete",
    "verb:delete resource:deployments",
    "-user:system:*",
    "user:system:serviceaccount:* -verb:get",
    "resource:pods/exec",
    "code>=400",
    "code:403 OR code:404",
    "-code:2xx",
    "ip:127.0.0.1",
    "ip:10.0.0.0/8",
    "group:system:masters",
    "ns:kube-system name:*proxy*",
    "namespace:\"\"",
    "agent:kubectl",
    "uri:watch",
    "latency>100ms",
    "size>4KiB",
    "requestSize>1KiB",
    "id:915743b8-f409-45d1-89fa-842c7dab438f",
    "id:915743b8*",
    "request.spec.containers[*].image:*",
    "request.spec.containers[*].image:\"*nginx*\"",
    "request.spec.template.spec.containers.image:*busybox*",
    "request.metadata.labels.app:web",
    "response.kind:Status",
    "annotations.\"authorization.k8s.io/decision\":forbid",
    "user.extra.\"authentication.kubernetes.io/credential-id\":*",
    "responseStatus.details.kind:*",
    "nginx",
    "kube-system -verb:get",
    "\"not found\"",
    "403",
    "2026",
    "Metadata",
    "Event",
    "915743b8",
    "*secret*",
    "trust:claimed-ip",
    "trust:chosen-audit-id",
    "trust:unread",
    "defect:*",
    "format:quarantine",
    "stage:ResponseStarted level:Metadata",
    "as:*",
    "objectRef.apiVersion:v1",
    "time>2026-11-21T23:26:00Z",
    "event.kind:Event",
    "error:NotFound message:found",
];

fn found(snapshot: &Snapshot, query: &Query) -> Vec<u64> {
    let scan = Scan { limit: usize::MAX, order: Order::Oldest, columns: vec![], payload: Payload::Without };
    let mut places: Vec<u64> = snapshot.scan(query, &scan).unwrap().iter().map(|row| row.index).collect();
    places.sort_unstable();
    places
}

fn naive(entries: &[Kept], query: &Query) -> Vec<u64> {
    entries.iter().filter(|kept| kept.matches(query)).map(|kept| kept.index).collect()
}

#[test]
fn newest_rows_come_first_and_carry_their_bytes() {
    let entries = lab();
    let mut store = open(small_segments());
    store.append(entries.iter().map(Kept::entry)).unwrap();
    let query = Query::parse("verb:update", &Context::utc(1_795_303_500_000_000)).unwrap();
    let scan = Scan { limit: 50, payload: Payload::With, ..Scan::default() };
    let rows = store.reader().snapshot().scan(&query, &scan).unwrap();
    let mut expected: Vec<(i64, u64)> =
        entries.iter().filter(|kept| kept.matches(&query)).map(|kept| (kept.time(), kept.index)).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    expected.truncate(50);
    assert_eq!(rows.iter().map(|row| (row.time, row.index)).collect::<Vec<_>>(), expected);
    for row in rows {
        assert_eq!(row.payload().unwrap(), entries[row.index as usize].payload);
        assert_eq!(row.text(Column::Verb), Some("update"));
    }
}

#[test]
fn a_reopened_store_goes_on_at_its_cursor() {
    let world = SimHost::new(7);
    let entries = lab();
    let mut store = fixture::open_in(&world.host(), small_segments());
    store.append(entries[..3_000].iter().map(Kept::entry)).unwrap();
    let cursor = store.cursor();
    assert!(cursor > 0 && cursor <= 3_000);
    drop(store);
    let mut store = fixture::open_in(&world.host(), small_segments());
    assert_eq!((store.cursor(), store.next()), (cursor, cursor));
    // Entries that are known already are skipped.
    store.append(entries.iter().map(Kept::entry)).unwrap();
    let mut expected = entries.iter();
    let snapshot = store.reader().snapshot();
    snapshot.entries(0..u64::MAX, |entry| assert_eq!(entry, expected.next().unwrap().entry())).unwrap();
    assert!(expected.next().is_none());
}

#[test]
fn groups_add_up() {
    let entries = lab();
    let mut store = open(small_segments());
    store.append(entries.iter().map(Kept::entry)).unwrap();
    let query = Query::parse("verb:update OR verb:create", &Context::utc(0)).unwrap();
    let by = GroupBy {
        keys: vec![Key::Column(Column::Verb), Key::Column(Column::Groups), Key::TimeStep(60_000_000)],
        distinct: Some(Column::Name),
        sum: Some(Column::Size),
    };
    let answer = store.reader().snapshot().group_by(&query, &by).unwrap();
    /// Rows, distinct names and bytes of one verb, group and minute.
    type Tally = (u64, BTreeSet<String>, i64);
    let mut expected: BTreeMap<(String, String, i64), Tally> = BTreeMap::new();
    for kept in entries.iter().filter(|kept| kept.matches(&query)) {
        let event = Event::parse(&kept.payload).unwrap();
        for group in event.groups().collect::<BTreeSet<_>>() {
            let step = kept.time().div_euclid(60_000_000) * 60_000_000;
            let sums = expected.entry((event.verb().into_owned(), group.into_owned(), step)).or_default();
            sums.0 += 1;
            sums.1.extend(event.object_ref.and_then(|object| object.name).map(|_| event.name().into_owned()));
            sums.2 += kept.payload.len() as i64;
        }
    }
    let found: BTreeMap<_, _> = answer
        .groups
        .iter()
        .map(|group| {
            let text = |at: usize| group.keys[at].as_text().unwrap().to_owned();
            ((text(0), text(1), group.keys[2].as_integer().unwrap()), (group.count, group.distinct, group.sum))
        })
        .collect();
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(key, (count, names, sum))| (key, (count, names.len() as u64, sum))).collect();
    assert_eq!(found, expected);
    assert!(answer.groups.windows(2).all(|pair| pair[0].count >= pair[1].count));
}
