//! How much appending and verifying cost: `append_rate DIRECTORY [ENTRIES] [PAYLOAD_BYTES]`.
//!
//! Prints wall and processor time of both. Payloads are built before the clock starts.

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use host::Host;
use ledger::{Batch, Duplicates, Ledger, Options, VerifyOptions, verify};

const BATCH_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name a directory")?;
    let entries: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let length: usize = arguments.next().map_or(Ok(1_300), |text| text.parse())?;
    let host = Host::system();
    let ledger = Ledger::open(&host, Path::new(&directory), Options::default())?;
    let mut payload = vec![b'x'; length];
    let started = (Instant::now(), processor_time()?);
    append(&ledger, entries, &mut payload)?;
    report("append", started, entries * length as u64)?;
    let reader = ledger.reader();
    let started = (Instant::now(), processor_time()?);
    let found = verify(&reader, &VerifyOptions { threads: 2, ..VerifyOptions::default() }, |_| {})?;
    report("verify", started, found.bytes)?;
    println!("size {} problems {:?} {:?}", found.size, found.problems, ledger.stats());
    Ok(())
}

fn append(ledger: &Ledger, entries: u64, payload: &mut [u8]) -> Result<(), Box<dyn Error>> {
    let appender = ledger.appender();
    let mut last = None;
    let mut batch = Batch::new(Duplicates::Recognise);
    for number in 0..entries {
        payload[..8].copy_from_slice(&number.to_le_bytes());
        batch.push(1, number as i64, "bench", payload)?;
        if batch.bytes() >= BATCH_BYTES || number + 1 == entries {
            let full = std::mem::replace(&mut batch, Batch::new(Duplicates::Recognise));
            batch.reserve(BATCH_BYTES + payload.len());
            last = Some(appender.submit_within(full, Duration::from_secs(60))?);
        }
    }
    // Batches are committed in order.
    last.map(ledger::Ticket::wait).transpose()?;
    Ok(())
}

fn report(what: &str, started: (Instant, Duration), bytes: u64) -> Result<(), Box<dyn Error>> {
    let (wall, processor) = (started.0.elapsed(), processor_time()? - started.1);
    let rate = bytes as f64 / wall.as_secs_f64() / 1e6;
    println!("{what}: {wall:.2?} wall, {processor:.2?} processor, {rate:.0} MB/s");
    Ok(())
}

/// Processor time of this process, user and system.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}
