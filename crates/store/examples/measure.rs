//! Measures the store on a file of audit events, one a line: bytes by column, time by step, exactness.
//!
//! `measure FILE DIRECTORY [ROWS [LEVEL]]`

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use host::SystemHost;
use store::{Entry, Options, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, directory, rest @ ..] = arguments.as_slice() else {
        return Err("measure FILE DIRECTORY [ROWS [LEVEL]]".into());
    };
    let mut options = Options::default();
    if let Some(rows) = rest.first() {
        options.head_rows_max = rows.parse()?;
    }
    if let Some(level) = rest.get(1) {
        options.zstd_level = level.parse()?;
    }
    let mut store = Store::open(Arc::new(SystemHost::new()), Path::new(directory), options)?;
    if store.next() == 0 {
        import(&mut store, file)?;
    }
    check(&store, file)
}

fn import(store: &mut Store, file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?);
    let (mut line, mut index) = (Vec::new(), 0);
    let mut appending = 0.0;
    while lines.read_until(b'\n', &mut line)? > 0 {
        let payload = line.strip_suffix(b"\n").unwrap_or(&line);
        let entry = Entry {
            index,
            format: audit::Format::Audit,
            received: 1_795_303_500_000_000 + (index / 400 * 1000) as i64,
            cluster: "default",
            payload,
        };
        let before = Instant::now();
        store.append([entry])?;
        appending += before.elapsed().as_secs_f64();
        index += 1;
        line.clear();
    }
    store.seal()?;
    let events = index as f64;
    println!(
        "events {index}, wall {:.2} s, cpu {:.2} us/event, append+seal {:.2} us/event, peak {} MB",
        start.elapsed().as_secs_f64(),
        (cpu_seconds() - cpu) * 1e6 / events,
        appending * 1e6 / events,
        peak_megabytes()
    );
    for (column, bytes) in store.reader().snapshot().bytes_by_column() {
        println!("{column:>24} {:>8.3} B/event", bytes as f64 / events);
    }
    Ok(())
}

fn check(store: &Store, file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?);
    let (mut line, mut wrong, mut bytes) = (Vec::new(), 0, 0);
    store.reader().snapshot().entries(0..u64::MAX, |entry| {
        line.clear();
        let _ = lines.read_until(b'\n', &mut line);
        bytes += entry.payload.len();
        wrong += usize::from(line.strip_suffix(b"\n").unwrap_or(&line) != entry.payload);
    })?;
    println!("exactness: {wrong} wrong, {:.0} MB/s", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
    Ok(())
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) / 1024
}
