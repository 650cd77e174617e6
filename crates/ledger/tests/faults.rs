//! Every step of the disk fails in every way, then the machine crashes: nothing acknowledged is lost.

mod world;

use std::time::Duration;

use host::{Fault, Step};
use ledger::{AppendError, Ledger, SubmitError};
use tlog::LeafIndex;
use world::{World, batch, payload};

/// Most places at which one kind of step is made to fail in one way. Syncs, where promises are made, fail at every place.
const PLACES_MAX: u64 = 24;
const ROUNDS: u64 = 40;

/// Opens, as a supervisor does: again when it fails.
fn open(world: &World) -> Ledger {
    (0..3).find_map(|_| world.try_open().ok()).expect("a disk fails once at most")
}

/// A short life of a ledger: batches that are sent again when refused, checkpoints, releases.
fn live(world: &mut World) -> Ledger {
    let mut ledger = open(world);
    for round in 0..ROUNDS {
        let payloads: Vec<_> = (round * 3..round * 3 + 3).map(payload).collect();
        for _attempt in 0..5 {
            let outcome = match ledger.appender().submit(batch(&payloads)) {
                Ok(ticket) => ticket.wait(),
                Err(SubmitError::Stopped) => Err(AppendError::Stopped),
                Err(full) => panic!("{full}"),
            };
            match outcome {
                Ok(commit) => {
                    world.acknowledge(&payloads, &commit);
                    break;
                }
                Err(AppendError::Sync { .. } | AppendError::Stopped) => {
                    drop(ledger);
                    ledger = open(world);
                }
                Err(_) => {}
            }
        }
        world.sim.advance(Duration::from_millis(700));
        world.witness(&ledger.reader());
        if round % 15 == 14 {
            let below = ledger.reader().size().get() - 10;
            if world.shelve(&ledger.reader(), below).is_ok() {
                let _ = ledger.release(LeafIndex::new(below));
            }
        }
        if round == 30 {
            let _ = ledger.rotate_key();
            let size = ledger.reader().size();
            if world.shelve(&ledger.reader(), size.get()).is_ok() {
                let _ = ledger.release(size.next());
            }
        }
    }
    ledger
}

fn crash_and_check(mut world: World, context: &str) {
    let ledger = live(&mut world);
    world.sim.disk.crash();
    drop(ledger);
    let ledger = world.try_open().unwrap_or_else(|error| panic!("{context}: {error}"));
    world.assert_sound(&ledger, context);
    let recovered = ledger.recovery();
    ledger.close().unwrap_or_else(|error| panic!("{context}: {error}"));
    // LED-4: recovering a recovered log changes nothing.
    let again = world.open();
    assert_eq!(again.recovery().size, recovered.size, "{context}");
    assert_eq!(again.recovery().cut, 0, "{context}");
}

#[test]
fn a_crash_alone_loses_nothing_acknowledged() {
    for seed in 0..20 {
        crash_and_check(World::new(seed), &format!("seed {seed}"));
    }
}

fn table(fault: Fault) {
    let mut calm = World::new(1);
    drop(live(&mut calm));
    for step in Step::ALL {
        let count = calm.sim.disk.count(step);
        let stride = if step == Step::SyncData { 1 } else { count.div_ceil(PLACES_MAX).max(1) };
        for nth in (0..count).step_by(stride as usize) {
            let world = World::new(nth);
            world.sim.disk.fail(step, nth, fault);
            crash_and_check(world, &format!("{step:?} {nth} {fault:?}"));
        }
    }
}

#[test]
fn every_step_is_refused_somewhere() {
    table(Fault::Refused);
}

#[test]
fn every_step_is_done_but_reported_failed_somewhere() {
    table(Fault::DoneButReported);
}

#[test]
fn every_step_is_torn_somewhere() {
    table(Fault::Torn);
}

#[test]
fn a_full_disk_stops_acknowledging_and_recovers() {
    let mut world = World::new(3);
    let ledger = world.open();
    world.append(&ledger, 0..50);
    world.sim.disk.set_capacity(Some(1 << 10));
    let payloads: Vec<_> = (50..400).map(payload).collect();
    let mut refused = 0;
    for chunk in payloads.chunks(10) {
        match ledger.appender().submit(batch(chunk)).expect("the queue has room").wait() {
            Ok(commit) => world.acknowledge(chunk, &commit),
            Err(AppendError::Full { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "the disk never filled");
    world.sim.disk.set_capacity(None);
    world.append(&ledger, 50..400);
    world.assert_sound(&ledger, "after there was room again");
}
