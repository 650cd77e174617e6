//! Compaction, retention, holds, other processes, and crashes between any two steps of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use host::{Fault, SimHost, Step};
use query::{Context, Query};
use store::{Hold, Limits, Options, Retention, Store, StoreError, Viewer};

mod fixture;

use fixture::{Kept, lab, open_in};

/// Seals every hundred rows.
fn tiny() -> Options {
    Options { head_rows_max: 100, ..Options::default() }
}

fn assert_holds(store: &Store, expected: &[&Kept]) {
    let mut expected = expected.iter();
    let check = |entry: store::Entry<'_>| assert_eq!(Some(entry), expected.next().map(|kept| kept.entry()));
    store.reader().snapshot().entries(0..u64::MAX, check).unwrap();
    assert!(expected.next().is_none());
}

#[test]
fn compaction_changes_no_answer() {
    let entries = &lab()[..1_050];
    let mut store = open_in(&SimHost::new(3).host(), Options { head_rows_max: 60, ..tiny() });
    store.append(entries[..500].iter().map(Kept::entry)).unwrap();
    drop(store.seal());
    let before = store.reader().snapshot();
    assert!(store.compact().unwrap());
    store.append(entries[500..].iter().map(Kept::entry)).unwrap();
    while store.compact().unwrap() {}
    assert_holds(&store, &entries.iter().collect::<Vec<_>>());
    let query = Query::parse("verb:update", &Context::utc(0)).unwrap();
    let expected = entries.iter().filter(|kept| kept.matches(&query)).count() as u64;
    assert_eq!(store.reader().snapshot().count(&query).unwrap(), expected);
    // The old snapshot still answers, from files that have been removed.
    assert_eq!(before.rows(), 500);
}

#[test]
fn expired_parts_go_and_held_ones_stay() {
    let entries = &lab()[..1_000];
    let world = SimHost::new(3);
    let mut store = open_in(&world.host(), tiny());
    store.append(entries.iter().map(Kept::entry)).unwrap();
    let clusters = BTreeMap::from([("blue".to_owned(), Limits { age_max: Some(0), bytes_max: None })]);
    let retention = Retention { default: Limits::default(), clusters };
    let now = entries[999].entry().received + 1;
    let held = Hold {
        name: "case 17".to_owned(),
        cluster: Some("blue".to_owned()),
        from: None,
        until: Some(entries[150].time()),
    };
    store.set_hold(held.clone()).unwrap();
    drop(store);
    let mut store = open_in(&world.host(), tiny());
    assert_eq!(store.holds(), [held]);
    let removal = store.plan_removal(&retention, now).unwrap();
    store.remove(&removal).unwrap();
    let is_erased = |kept: &&Kept| removal.ranges.iter().any(|range| range.contains(&kept.index));
    assert!(entries.iter().filter(is_erased).all(|kept| kept.entry().cluster == "blue"));
    assert!(entries.iter().filter(is_erased).count() > 200);
    assert!(!entries[..100].iter().any(|kept| is_erased(&kept)));
    assert_holds(&store, &entries.iter().filter(|kept| !is_erased(kept)).collect::<Vec<_>>());
    assert!(store.lift_hold("case 17").unwrap() && !store.lift_hold("case 17").unwrap());
    let rest = store.plan_removal(&retention, now).unwrap();
    store.remove(&rest).unwrap();
    let green: Vec<&Kept> = entries.iter().filter(|kept| kept.entry().cluster == "green").collect();
    assert_holds(&store, &green);
}

#[test]
fn another_process_sees_what_is_sealed_and_adds_the_tail() {
    let entries = &lab()[..1_000];
    let host = SimHost::new(3).host();
    let mut store = open_in(&host, tiny());
    let viewer = Viewer::new(Arc::clone(&host.disk), Path::new("/data/store"));
    assert_eq!(viewer.snapshot().unwrap().rows(), 0);
    store.append(entries[..450].iter().map(Kept::entry)).unwrap();
    let early = viewer.snapshot().unwrap();
    assert_eq!((early.rows(), early.next()), (400, 400));
    store.append(entries[450..].iter().map(Kept::entry)).unwrap();
    while store.compact().unwrap() {}
    let mut tail = viewer.snapshot().unwrap().with_tail();
    entries[900..].iter().for_each(|kept| tail.push(&kept.entry()));
    let all = tail.finish();
    assert_eq!((all.rows(), all.next()), (1_000, 1_000));
    assert_eq!(all.count(&Query::all()).unwrap(), 1_000);
}

/// Fills, compacts, holds, expires; stops at the first failure.
fn live(store: &mut Store, entries: &[Kept]) -> Result<(), StoreError> {
    store.append(entries[..500].iter().map(Kept::entry))?;
    while store.compact()? {}
    store.set_hold(Hold { name: "h".to_owned(), cluster: Some("green".to_owned()), from: None, until: None })?;
    let retention = Retention { default: Limits { age_max: Some(0), bytes_max: None }, clusters: BTreeMap::new() };
    let removal = store.plan_removal(&retention, i64::MAX)?;
    store.remove(&removal)?;
    store.append(entries[500..].iter().map(Kept::entry))
}

#[test]
fn a_crash_between_any_two_steps_leaves_a_store_that_goes_on() {
    let entries = &lab()[..700];
    let mut failures = 0;
    for step in Step::ALL {
        for fault in [Fault::Refused, Fault::DoneButReported, Fault::Torn] {
            for nth in [0, 3, 8, 250] {
                let world = SimHost::new(nth);
                let mut store = open_in(&world.host(), tiny());
                world.disk.fail(step, nth, fault);
                let failed = live(&mut store, entries).is_err();
                failures += usize::from(failed);
                world.disk.heal();
                if nth % 2 == 0 && failed {
                    // Without a crash it goes on as well.
                    store.seal().unwrap();
                }
                world.disk.crash();
                drop(store);
                check_recovered(&world, entries, &format!("{step:?} {fault:?} {nth}"));
            }
        }
    }
    assert!(failures > 15, "{failures} faults were met");
}

/// Rows are the entries below the cursor, each once (STO-1), less what retention took from one cluster.
fn check_recovered(world: &SimHost, entries: &[Kept], what: &str) {
    let mut store = open_in(&world.host(), tiny());
    let cursor = store.cursor();
    let mut seen = Vec::new();
    let collect = |entry: store::Entry<'_>| {
        assert_eq!(entry, entries[entry.index as usize].entry(), "{what}");
        seen.push(entry.index);
    };
    store.reader().snapshot().entries(0..u64::MAX, collect).unwrap();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{what}: each once, in order");
    assert!(seen.iter().all(|place| *place < cursor), "{what}");
    let is_green = |place: &u64| entries[*place as usize].entry().cluster == "green";
    assert!((0..cursor).filter(is_green).eq(seen.iter().copied().filter(is_green)), "{what}: nothing is missing");
    store.append(entries.iter().map(Kept::entry)).unwrap();
    assert_eq!(store.next(), entries.len() as u64, "{what}");
}
