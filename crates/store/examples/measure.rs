//! Measures the store on a file of audit events, one a line: bytes by column, time by step, exactness.
//!
//! `measure FILE DIRECTORY [ROWS [LEVEL]]`, or `measure FILE DIRECTORY import` for the import alone, as a profiler wants it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use host::SystemHost;
use query::{Context, Query};
use store::{Column, Entry, GroupBy, Key, Options, Order, Payload, Scan, Store};

/// What the program that this measures for allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, directory, rest @ ..] = arguments.as_slice() else {
        return Err("measure FILE DIRECTORY [ROWS [LEVEL]]".into());
    };
    let mut options = Options::default();
    if rest == ["import"] {
        let mut store = Store::open(Arc::new(SystemHost::new()), Path::new(directory), options)?;
        return import(&mut store, file);
    }
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
    ask(&store)?;
    println!("peak {} MB", peak_megabytes());
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
            format: audit::Format::Audit.code(),
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

/// Questions for rows, and how many of the newest.
const ROWS: &[(&str, &str, usize)] = &[
    ("one audit id", "auditID:e8638f7e-68d7-4928-8c14-981b90209965", ALL),
    ("who deleted deployments", "verb:delete resource:deployments", ALL),
    ("newest 100 of a user", "user:alice@example.com", 100),
    ("one object's history", "resource:deployments ns:web name:cache -verb:get,list,watch", ALL),
];
const ALL: usize = 10_000;

const COUNTS: &[(&str, &str)] = &[
    ("one user's count", "user:alice@example.com"),
    ("a word in a request body", "request:xmrig"),
    ("a word anywhere", "xmrig"),
    ("everything", "*"),
];

fn ask(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let snapshot = store.reader().snapshot();
    for (what, text, limit) in ROWS {
        let query = Query::parse(text, &Context::utc(0))?;
        let found = timed(|| snapshot.find(&query, Order::Newest, *limit).map(|rows| rows.len() as u64))?;
        let columns = Scan::default().columns;
        let of = |payload| Scan { limit: *limit, order: Order::Newest, columns: columns.clone(), payload };
        let columns = timed(|| snapshot.scan(&query, &of(Payload::Uncut)).map(|rows| rows.len() as u64))?;
        let exact = timed(|| snapshot.scan(&query, &of(Payload::With)).map(|rows| rows.len() as u64))?;
        let (found, columns, exact) = (found.1, columns.1, exact);
        println!(
            "{what:>34}: {} rows, {found:.1} ms to find, {columns:.1} ms with columns, {:.1} ms with bytes",
            exact.0, exact.1
        );
    }
    for (what, text) in COUNTS {
        let query = Query::parse(text, &Context::utc(0))?;
        let counted = timed(|| snapshot.count(&query))?;
        println!("{what:>34}: {} rows, {:.1} ms", counted.0, counted.1);
    }
    let by = |keys: &[Key], distinct| GroupBy { keys: keys.to_vec(), distinct, sum: None };
    let user = Key::Column(Column::User);
    let groupings = [
        ("top users", "user:*", by(&[user], None)),
        ("403s per minute by verb", "code:403", by(&[Key::TimeStep(60_000_000), Key::Column(Column::Verb)], None)),
        (
            "who outside system: read secrets",
            "resource:secrets verb:get,list,watch user:* -user:system:*",
            by(&[user], None),
        ),
        ("distinct addresses per user", "user:*", by(&[user], Some(Column::Peer))),
    ];
    for (what, text, by) in groupings {
        let query = Query::parse(text, &Context::utc(0))?;
        let groups = timed(|| snapshot.group_by(&query, &by).map(|answer| answer.groups.len() as u64))?;
        println!("{what:>34}: {} groups, {:.1} ms", groups.0, groups.1);
    }
    Ok(())
}

/// The answer and the best of twenty times, in milliseconds; other work on the machine only makes it slower.
fn timed<E>(mut run: impl FnMut() -> Result<u64, E>) -> Result<(u64, f64), E> {
    let mut best = f64::INFINITY;
    let mut answer = 0;
    for _ in 0..20 {
        let start = Instant::now();
        answer = run()?;
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok((answer, best))
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
