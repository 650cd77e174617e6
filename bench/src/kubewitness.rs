//! Ours: the import, a warm server that is asked over its API, and the check of everything.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Url};
use serde_json::Value;

use crate::process::{self, Usage};
use crate::questions::{Answer, Count, Ours, Show};

/// Longest wait for a server that listens.
const START_MAX: Duration = Duration::from_secs(60);
/// More rows or groups than any question has.
const ALL: u32 = 10_000;

/// The program and a data directory.
pub(crate) struct KubeWitness {
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
}

impl KubeWitness {
    /// Takes a file into the empty data directory; at the end all is durable, proven and searchable.
    pub(crate) fn import(&self, events: &Path) -> Result<Usage> {
        let mut command = self.command("import");
        process::run(command.arg("--quiet").arg(events).stdout(Stdio::null()))
    }

    /// Recomputes everything from the bytes.
    pub(crate) fn verify(&self) -> Result<Usage> {
        process::run(self.command("verify").stdout(Stdio::null()))
    }

    /// Time of the same question asked on the command line, with its start and its end.
    pub(crate) fn search_once(&self, query: &str) -> Result<Usage> {
        process::run(self.command("search").args([query, "--limit", "100", "-o", "ndjson"]).stdout(Stdio::null()))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).arg("--data-dir").arg(&self.data);
        command
    }

    /// Starts a server on the data.
    pub(crate) async fn serve(&self) -> Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = self.command("serve");
        command.args(["--webhook-listen", "127.0.0.1:0", "--api-listen", &format!("127.0.0.1:{port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let log = std::fs::File::create(self.data.with_extension("serve.log"))?;
        let mut child = command.stderr(log).spawn()?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("kubewitness serve ended with {status}");
            }
            ensure!(started.elapsed() < START_MAX, "kubewitness does not listen after {START_MAX:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let base = Url::parse(&format!("http://127.0.0.1:{port}/api/v1/"))?;
        Ok(Server { child, started, client: Client::new(), base })
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    started: Instant,
    client: Client,
    base: Url,
}

impl Server {
    /// Asks a question so many times, after one time that does not count.
    pub(crate) async fn ask(&self, question: &Ours, audit_id: &str, repetitions: u32) -> Result<Answer> {
        let url = self.url(question, audit_id)?;
        let mut times = Vec::new();
        let mut text = String::new();
        for _ in 0..=repetitions {
            let started = Instant::now();
            let response = self.client.get(url.clone()).send().await?;
            let status = response.status();
            text = response.text().await?;
            times.push(started.elapsed().as_secs_f64());
            if !status.is_success() {
                return Ok(Answer::Refused { error: text });
            }
        }
        let mut times = times.split_off(1);
        times.sort_by(f64::total_cmp);
        let rows = read(question, &serde_json::from_str(&text)?).with_context(|| format!("answer {text:.300}"))?;
        Ok(Answer::Given { rows, seconds: times[times.len() / 2] })
    }

    fn url(&self, question: &Ours, audit_id: &str) -> Result<Url> {
        let with = |path: &str, query: &str, limit: Option<u32>| -> Result<Url> {
            let mut url = self.base.join(path)?;
            let query = query.replace(crate::questions::AUDIT_ID, audit_id);
            url.query_pairs_mut().append_pair("q", &query).append_pair("limit", &limit.unwrap_or(ALL).to_string());
            Ok(url)
        };
        match question {
            Ours::Events { query, show, newest } => {
                let mut url = with("search", query, *newest)?;
                let fields: Vec<&str> = show.iter().map(|show| show.name()).collect();
                url.query_pairs_mut().append_pair("fields", &fields.join(","));
                Ok(url)
            }
            Ours::Groups { query, by, count, largest } => {
                let mut url = with("groups", query, *largest)?;
                // A count of everything is the count of the one cluster there is.
                let by = if by.is_empty() { "cluster".to_owned() } else { by.join(",") };
                url.query_pairs_mut().append_pair("by", &by);
                if let Count::Distinct(field) = count {
                    url.query_pairs_mut().append_pair("distinct", field);
                }
                Ok(url)
            }
        }
    }

    /// Ends the server and says what it took.
    pub(crate) fn stop(self) -> Result<Usage> {
        process::terminate(&self.child)?;
        let (_, usage) = process::wait(self.child, self.started)?;
        Ok(usage)
    }
}

/// The rows of an answer as texts.
fn read(question: &Ours, answer: &Value) -> Result<Vec<Vec<String>>> {
    let list = |name: &str| answer[name].as_array().with_context(|| format!("no {name}"));
    match question {
        Ours::Events { show, .. } => {
            list("rows")?.iter().map(|row| show.iter().map(|show| shown(row, *show)).collect()).collect()
        }
        Ours::Groups { by: [], .. } => Ok(vec![vec![count_of_all(list("groups")?)]]),
        Ours::Groups { count, .. } => list("groups")?.iter().map(|group| group_row(group, *count)).collect(),
    }
}

fn count_of_all(groups: &[Value]) -> String {
    groups.iter().filter_map(|group| group["count"].as_u64()).sum::<u64>().to_string()
}

fn group_row(group: &Value, count: Count) -> Result<Vec<String>> {
    let keys = group["keys"].as_array().context("a group without keys")?;
    let mut row: Vec<String> = keys.iter().map(plain).collect();
    // Steps of time come as times; everybody else counts microseconds.
    for key in &mut row {
        if let Ok(time) = key.parse::<jiff::Timestamp>() {
            *key = time.as_microsecond().to_string();
        }
    }
    row.push(match count {
        Count::Rows => plain(&group["count"]),
        Count::Distinct(_) => plain(&group["distinct"]),
    });
    Ok(row)
}

fn shown(row: &Value, show: Show) -> Result<String> {
    match show {
        Show::Field(name) => Ok(plain(&row[name])),
        Show::Time => {
            let time = row["time"].as_str().context("a row without time")?;
            Ok(time.parse::<jiff::Timestamp>()?.as_microsecond().to_string())
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
