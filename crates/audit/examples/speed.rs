//! How fast a file is split, checked and its fields found: `cargo run --release -p audit --example speed -- FILE`.

use std::time::Instant;

fn main() {
    let path = std::env::args().nth(1).expect("a file of audit events");
    let text = std::fs::read(path).expect("the file is readable");
    for round in 0..3 {
        let start = Instant::now();
        let items = audit::split(&text);
        let split = start.elapsed();
        let start = Instant::now();
        let named =
            items.iter().filter(|item| audit::Event::parse(item.bytes).is_ok_and(|e| !e.verb().is_empty())).count();
        let parse = start.elapsed();
        let start = Instant::now();
        let checked = |bytes| audit::Event::from_json(audit::Json::checked(bytes));
        let again = items.iter().filter(|item| checked(item.bytes).is_ok()).count();
        let find = start.elapsed();
        let rate = |time: std::time::Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
        println!(
            "round {round}: {} items, split {:.0} MB/s, parse {:.0} MB/s, find {:.0} MB/s, {named} {again} events",
            items.len(),
            rate(split),
            rate(parse),
            rate(find)
        );
    }
}
