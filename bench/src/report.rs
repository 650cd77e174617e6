//! The figures, as a page that says what was measured, on what, and what was aimed at.

use std::fmt::Write;
use std::time::Duration;

use crate::process::Usage;
use crate::questions::{Answer, QUESTIONS};

/// What taking in the corpus cost.
pub(crate) struct Import {
    pub(crate) engine: String,
    pub(crate) usage: Usage,
    /// On disk afterwards, all files.
    pub(crate) bytes: u64,
}

/// What an engine answered.
pub(crate) struct Asked {
    pub(crate) engine: String,
    pub(crate) answers: Vec<Answer>,
}

/// Everything that was measured. Ours comes first in each list.
pub(crate) struct Report {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) imports: Vec<Import>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) verify: Usage,
    /// One question on the command line, with the start of the program.
    pub(crate) command_line: Usage,
    /// Resident memory of the server that was asked.
    pub(crate) server: Usage,
    pub(crate) build: Option<Usage>,
    pub(crate) binary: u64,
    /// How many times worse than its goal a figure may be.
    pub(crate) slack: f64,
}

/// VictoriaLogs v1.26 with this corpus: the figures that the goals were set from, not measured by this harness. Its module
/// cannot be had from every Go module proxy, so that it is not part of the run.
mod victoria_logs {
    pub(super) const MICROSECONDS_PER_EVENT: f64 = 20.0;
    pub(super) const BYTES_PER_EVENT: f64 = 77.0;
    pub(super) const MEMORY_PEAK_MB: f64 = 300.0;
}

/// A figure with its limit.
struct Goal {
    what: &'static str,
    measured: f64,
    limit: f64,
    unit: &'static str,
    /// Whether more is better.
    at_least: bool,
    why: &'static str,
}

impl Goal {
    fn met(&self) -> bool {
        if self.at_least { self.measured >= self.limit } else { self.measured <= self.limit }
    }
}

impl Report {
    fn per_event(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.events as f64
    }

    fn goals(&self) -> Vec<Goal> {
        let ours = &self.imports[0];
        let goal = |what, measured, limit, unit, why| Goal { what, measured, limit, unit, at_least: false, why };
        let mut goals = vec![
            goal(
                "processor time",
                self.per_event(ours.usage.processor),
                0.6 * victoria_logs::MICROSECONDS_PER_EVENT,
                "µs/event",
                "0.6 × VictoriaLogs",
            ),
            goal(
                "disk",
                ours.bytes as f64 / self.events as f64,
                0.75 * victoria_logs::BYTES_PER_EVENT,
                "bytes/event",
                "0.75 × VictoriaLogs",
            ),
            goal(
                "peak memory of the import",
                megabytes(ours.usage.memory_peak),
                victoria_logs::MEMORY_PEAK_MB,
                "MB",
                "1.0 × VictoriaLogs",
            ),
            Goal {
                what: "verify",
                measured: self.bytes as f64 / 1e6 / self.verify.elapsed.as_secs_f64(),
                limit: 300.0,
                unit: "MB/s of events",
                at_least: true,
                why: "",
            },
            goal("binary", megabytes(self.binary), 60.0, "MB", ""),
        ];
        if let Some(build) = &self.build {
            goals.push(goal("clean release build", build.elapsed.as_secs_f64() / 60.0, 10.0, "minutes", ""));
        }
        for goal in &mut goals {
            goal.limit *= if goal.at_least { 1.0 / self.slack } else { self.slack };
        }
        goals
    }

    /// Number of goals and questions that were met, and that were not. A question is met if everybody gives the same
    /// answer; its time is reported, not judged, because a shared machine would judge at random.
    pub(crate) fn verdict(&self) -> (usize, usize) {
        let goals = self.goals();
        let met =
            goals.iter().filter(|goal| goal.met()).count() + (0..QUESTIONS.len()).filter(|at| self.agree(*at)).count();
        (met, goals.len() + QUESTIONS.len() - met)
    }

    fn agree(&self, question: usize) -> bool {
        let ours = self.asked[0].answers[question].sorted();
        ours.as_ref().is_some_and(|rows| !rows.is_empty())
            && self.asked.iter().all(|asked| asked.answers[question].sorted() == ours)
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        self.write(&mut page).expect("a text takes every write");
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "# Measured\n")?;
        writeln!(
            page,
            "{} events, {:.0} MB of JSON: the recorded cluster of `testdata/lab`, amplified.",
            self.events,
            megabytes(self.bytes)
        )?;
        writeln!(page, "{}\n", machine())?;
        if self.slack > 1.0 {
            writeln!(page, "A short run: limits are {} times the goals.\n", self.slack)?;
        }
        self.write_goals(page)?;
        self.write_imports(page)?;
        self.write_questions(page)
    }

    fn write_goals(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "| what | measured | goal | | |\n|---|---:|---:|---|---|")?;
        for goal in self.goals() {
            let sign = if goal.at_least { "≥" } else { "≤" };
            let met = if goal.met() { "met" } else { "**missed**" };
            writeln!(
                page,
                "| {} | {:.1} {} | {sign} {:.1} | {met} | {} |",
                goal.what, goal.measured, goal.unit, goal.limit, goal.why
            )?;
        }
        writeln!(
            page,
            "\nVictoriaLogs: {} µs/event, {} bytes/event, {} MB, the figures of v1.26 that the goals were set from, not measured in this run",
            victoria_logs::MICROSECONDS_PER_EVENT,
            victoria_logs::BYTES_PER_EVENT,
            victoria_logs::MEMORY_PEAK_MB
        )?;
        writeln!(
            page,
            "before this harness existed. It is not in this run, because the Go module proxy does not serve its module.\n"
        )
    }

    fn write_imports(&self, page: &mut String) -> std::fmt::Result {
        writeln!(
            page,
            "## Taking events in\n\n| engine | processor, µs/event | disk, bytes/event | peak memory, MB | time, s |\n|---|---:|---:|---:|---:|"
        )?;
        let ours = &self.imports[0];
        for import in &self.imports {
            let per_event = import.bytes as f64 / self.events as f64;
            let ratio = |ours: f64, theirs: f64| format!("{:.2} ×", ours / theirs);
            writeln!(
                page,
                "| {} | {:.1} ({}) | {per_event:.1} ({}) | {:.0} ({}) | {:.1} |",
                import.engine,
                self.per_event(import.usage.processor),
                ratio(ours.usage.processor.as_secs_f64(), import.usage.processor.as_secs_f64()),
                ratio(ours.bytes as f64, import.bytes as f64),
                megabytes(import.usage.memory_peak),
                ratio(ours.usage.memory_peak as f64, import.usage.memory_peak as f64),
                import.usage.elapsed.as_secs_f64()
            )?;
        }
        writeln!(
            page,
            "\nIn brackets: ours divided by theirs. ClickHouse syncs nothing before it answers, and proves nothing.\n"
        )
    }

    fn write_questions(&self, page: &mut String) -> std::fmt::Result {
        writeln!(
            page,
            "## Ten questions\n\nMedian in milliseconds of a warm engine; ours over HTTP, the others inside their process.\n"
        )?;
        let engines: Vec<&str> = self.asked.iter().map(|asked| asked.engine.as_str()).collect();
        writeln!(
            page,
            "| question | {} | best of the others | answers |\n|---|{}---:|---|",
            engines.join(" | "),
            "---:|".repeat(engines.len())
        )?;
        for (at, question) in QUESTIONS.iter().enumerate() {
            let times: Vec<Option<f64>> = self.asked.iter().map(|asked| asked.answers[at].milliseconds()).collect();
            let shown = times.iter().map(|time| time.map_or_else(|| "–".to_owned(), |time| format!("{time:.1}")));
            let shown = shown.collect::<Vec<_>>().join(" | ");
            let best = times[1..].iter().flatten().copied().fold(f64::INFINITY, f64::min);
            let ratio =
                times[0].filter(|_| best.is_finite()).map_or_else(String::new, |ours| format!("{:.2} ×", ours / best));
            let agree = if self.agree(at) { "equal" } else { "**differ**" };
            writeln!(page, "| {} | {shown} | {ratio} | {agree} |", question.title)?;
        }
        let command_line = self.command_line.elapsed.as_secs_f64() * 1e3;
        writeln!(
            page,
            "\nOn the command line, start of the program included: {command_line:.0} ms for a user's newest 100."
        )?;
        writeln!(page, "The server that was asked peaked at {:.0} MB.", megabytes(self.server.memory_peak))?;
        self.write_refusals(page)
    }

    fn write_refusals(&self, page: &mut String) -> std::fmt::Result {
        for asked in &self.asked {
            for (answer, question) in asked.answers.iter().zip(QUESTIONS) {
                if let Answer::Refused { error } = answer {
                    let error = error.lines().next().unwrap_or_default();
                    writeln!(page, "\n{} did not answer \"{}\": {error}", asked.engine, question.title)?;
                }
            }
        }
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Processor, memory, kernel, date.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("", |(_, value)| value.trim()).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 =
        field(&read("/proc/meminfo"), "MemTotal").split(' ').next().unwrap_or_default().parse().unwrap_or(0);
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "Machine: {cores} × {processor}, {} GB, Linux {}. Date: {}. Load average at the end: {}.",
        memory / 1_000_000,
        kernel.trim(),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        load.split(' ').next().unwrap_or_default()
    )
}
