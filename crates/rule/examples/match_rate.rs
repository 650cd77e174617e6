//! Measures matching: `match_rate EVENTS.ndjson [FALCO.yaml…]`.
//!
//! Prints the time to load and compile every rule, and the rate over the events (read into memory first, one core) with
//! no rules, with all, and with ten times as many whose values differ.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, hint};

use audit::Event;
use rule::{Condition, Loaded, Matcher, Options, Pattern, RuleSet, Source, Test, load_builtin, load_falco, load_sigma};

fn main() -> std::io::Result<()> {
    let mut arguments = env::args().skip(1);
    let Some(events) = arguments.next() else {
        eprintln!("usage: match_rate EVENTS.ndjson [RULES…]");
        return Ok(());
    };
    let text = fs::read(events)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let files: Vec<Source> =
        arguments.map(|name| Ok(Source::new(&name, fs::read_to_string(&name)?))).collect::<std::io::Result<_>>()?;

    let start = Instant::now();
    let loaded = load(&files);
    let loading = start.elapsed();
    let start = Instant::now();
    let set = Arc::new(RuleSet::compile(loaded.clone(), Options::default()));
    println!("rules {}: load {loading:?}, compile {:?}", set.rules().len(), start.elapsed());
    let many = Arc::new(RuleSet::compile(tenfold(loaded), Options::default()));

    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    let report = |name: &str, (time, matches): (Duration, usize)| {
        let rate = bytes as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{name:>12}: {rate:7.0} MB/s, {:6.2} µs an event, {matches} matches",
            time.as_secs_f64() * 1e6 / lines.len() as f64
        );
    };
    let none = Arc::new(RuleSet::compile(Loaded::default(), Options::default()));
    report("no rules", best(&lines, &none));
    report("all rules", best(&lines, &set));
    report("ten times", best(&lines, &many));
    Ok(())
}

fn load(files: &[Source]) -> Loaded {
    let mut loaded = load_builtin();
    let (falco, sigma): (Vec<Source>, Vec<Source>) =
        files.iter().cloned().partition(|file| file.name.ends_with(".yaml"));
    sigma.iter().for_each(|file| loaded.extend(load_sigma(file)));
    loaded.extend(load_falco(&falco));
    loaded
}

/// Best of five runs, which leaves out what else the machine does.
fn best(lines: &[&[u8]], set: &Arc<RuleSet>) -> (Duration, usize) {
    (0..5).map(|_| run(lines, set)).min().unwrap_or_default()
}

fn run(lines: &[&[u8]], set: &Arc<RuleSet>) -> (Duration, usize) {
    let (mut matcher, mut matches, mut count) = (Matcher::new(Arc::clone(set)), Vec::new(), 0);
    let start = Instant::now();
    for line in lines {
        if let Ok(event) = Event::parse(line) {
            matcher.matches(hint::black_box(&event), &mut matches);
            count += matches.len();
        }
    }
    (start.elapsed(), count)
}

/// The rules, and nine copies of each in which every value of a text test is another.
fn tenfold(loaded: Loaded) -> Loaded {
    let mut many = loaded.clone();
    for copy in 1..10 {
        for mut rule in loaded.rules.clone() {
            rule.id = format!("{}-{copy}", rule.id);
            change(&mut rule.condition, copy);
            many.rules.push(rule);
        }
    }
    many
}

fn change(condition: &mut Condition, copy: usize) {
    let other = |text: &mut Box<str>| *text = format!("{text}{copy}").into();
    match condition {
        Condition::Always(_) => {}
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(|part| change(part, copy)),
        Condition::Not(inner) => change(inner, copy),
        Condition::Test(predicate) => {
            if let Test::Text(
                _,
                Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Suffix(text) | Pattern::Contains(text),
            ) = &mut predicate.test
            {
                other(text);
            }
        }
    }
}
