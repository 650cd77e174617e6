//! KubeWitness as a person meets it: its command line and its configuration. Nothing else here knows them.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use testkit::WebhookOptions;

use crate::child::Child;

/// Longest wait for a server that listens, also when it has a log to recover.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest wait for an orderly end.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Exit code of a search that found nothing.
const NOTHING_FOUND: i32 = 1;

/// Name of the cluster whose events come by webhook.
pub(crate) const BY_WEBHOOK: &str = "by-webhook";
/// Name of the cluster whose log is tailed. The same API server, under another name.
pub(crate) const BY_TAIL: &str = "by-tail";

/// A program and its data directory, whether it runs or not.
pub(crate) struct Witness {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
}

/// A row of `search -o ndjson`, as far as we look at it.
#[derive(Deserialize)]
pub(crate) struct Row {
    /// None if the event has no user.
    pub(crate) user: Option<String>,
    pub(crate) ips: Vec<String>,
    pub(crate) stage: Option<String>,
    raw: String,
}

impl Row {
    /// The exact bytes of the event.
    pub(crate) fn event(&self) -> &[u8] {
        self.raw.as_bytes()
    }
}

impl Witness {
    /// Prepares a server in `dir`, which follows the log `tailed` if there is one.
    pub(crate) fn prepare(program: &Path, dir: &Path, tailed: Option<&Path>) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        // Taken once, because the API server must find us again after a restart.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut settings = format!("webhook:\n  listen: 127.0.0.1:{port}\napi:\n  listen: 127.0.0.1:0\n");
        if let Some(log) = tailed {
            settings += &format!("tail:\n- path: {}\n  cluster: {BY_TAIL}\n", log.display());
        }
        let witness = Self { program: program.to_owned(), dir: dir.to_owned(), port };
        std::fs::write(witness.settings(), settings)?;
        Ok(witness)
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start(&self) -> Result<Child> {
        let arguments: [OsString; 5] =
            ["serve".into(), "--data-dir".into(), self.data().into(), "--config".into(), self.settings().into()];
        let mut child = Child::start("kubewitness", &self.program, &arguments, &self.dir.join("kubewitness.log"))?;
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            child.must_live()?;
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(child);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("kubewitness does not listen after {START_MAX:?}")
    }

    /// Ends a server in order.
    pub(crate) async fn stop(child: Child) -> Result<()> {
        let status = child.stop(STOP_MAX).await?;
        ensure!(status.success(), "kubewitness ended with {status} after SIGTERM");
        Ok(())
    }

    /// The file for `--audit-webhook-config-file`, as `kubewitness connect` writes it.
    pub(crate) fn kubeconfig(&self) -> Result<PathBuf> {
        let server = format!("https://127.0.0.1:{}", self.port);
        let output = self.dir.join("connect");
        let directory = output.to_str().context("a directory in UTF-8")?;
        self.ask(&["connect", "static", "--cluster", BY_WEBHOOK, "--server", &server, "--output", directory])?;
        Ok(output.join("kubewitness.yaml"))
    }

    /// Where batches are posted, the certificate to trust and the token to show: what the kubeconfig says.
    pub(crate) fn webhook(&self) -> Result<WebhookOptions> {
        let url = format!("https://127.0.0.1:{}/v1/audit/{BY_WEBHOOK}", self.port);
        Ok(WebhookOptions {
            authority: Some(std::fs::read(self.data().join("tls/ca.crt"))?),
            token: Some(std::fs::read_to_string(self.data().join("keys/webhook.token"))?.trim().to_owned()),
            ..WebhookOptions::new(url)
        })
    }

    /// Rows that answer a query, from the data directory; the server may run.
    pub(crate) fn search(&self, query: &str) -> Result<Vec<Row>> {
        let output = self.run(&["search", query, "--limit", "0", "-o", "ndjson"])?;
        if output.status.code() != Some(NOTHING_FOUND) {
            succeeded(&output)?;
        }
        let text = String::from_utf8(output.stdout).context("rows are UTF-8")?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("row {line:.300}"))).collect()
    }

    /// Waits until a query has at least `count` answers, and gives up without complaint: what is wrong
    /// then is for the comparison to tell.
    pub(crate) async fn settle(&self, query: &str, count: u64, wait_max: Duration) -> Result<()> {
        let started = Instant::now();
        while (self.search(query)?.len() as u64) < count && started.elapsed() < wait_max {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// What a command prints, run on the data directory. Fails if it fails.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        succeeded(&output).with_context(|| format!("kubewitness {}", arguments.join(" ")))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Command::new(&self.program).args(arguments).arg("--data-dir").arg(self.data()).output()?)
    }

    fn settings(&self) -> PathBuf {
        self.dir.join("kubewitness.yaml")
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }
}

fn succeeded(output: &Output) -> Result<()> {
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, errors.trim_end());
    Ok(())
}
