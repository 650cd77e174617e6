//! KubeWitness as a person meets it: its command line and its configuration. Nothing else here knows them.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::child::Child;

/// Longest wait for a server that listens, also when it has a log to recover.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest wait for an orderly end.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Name of the cluster whose events come by webhook.
pub(crate) const BY_WEBHOOK: &str = "by-webhook";
/// Name of the cluster whose log is tailed. The same API server, under another name.
pub(crate) const BY_TAIL: &str = "by-tail";

/// A program and its data directory, whether it runs or not.
pub(crate) struct Witness {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    tailed: Option<PathBuf>,
}

/// A row of `search -o ndjson`, as far as we look at it.
#[derive(Deserialize)]
pub(crate) struct Row {
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) ips: Vec<String>,
    #[serde(default)]
    pub(crate) stage: String,
    raw: Box<RawValue>,
}

impl Row {
    /// The exact bytes of the event.
    pub(crate) fn event(&self) -> &[u8] {
        self.raw.get().as_bytes()
    }
}

impl Witness {
    /// Prepares a server in `dir`, which follows the log `tailed` if there is one.
    pub(crate) fn prepare(program: &Path, dir: &Path, tailed: Option<&Path>) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        // Taken once, because the API server must find us again after a restart.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let tailed = tailed.map(Path::to_owned);
        Ok(Self { program: program.to_owned(), dir: dir.to_owned(), port, tailed })
    }

    /// Where batches of a cluster are posted.
    pub(crate) fn webhook_url(&self, cluster: &str) -> String {
        format!("https://127.0.0.1:{}/webhook/{cluster}", self.port)
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start(&self) -> Result<Child> {
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--data-dir".into(), self.data().into()];
        arguments.extend(["--listen".into(), format!("127.0.0.1:{}", self.port).into()]);
        if let Some(log) = &self.tailed {
            arguments.extend(["--tail".into(), format!("{BY_TAIL}={}", log.display()).into()]);
        }
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

    /// The kubeconfig for `--audit-webhook-config-file`, as `kubewitness connect` prints it.
    pub(crate) fn kubeconfig(&self) -> Result<PathBuf> {
        let path = self.dir.join("audit-webhook.kubeconfig");
        let authority = self.authority()?;
        let server = self.webhook_url(BY_WEBHOOK);
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: kubewitness\n  cluster:\n    server: {server}\n    \
             certificate-authority: {}\nusers:\n- name: apiserver\n  user: {{}}\ncontexts:\n- name: kubewitness\n  \
             context: {{cluster: kubewitness, user: apiserver}}\ncurrent-context: kubewitness\n",
            authority.display()
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The certificate that the server made at its first start.
    pub(crate) fn authority(&self) -> Result<PathBuf> {
        let path = self.data().join("tls/tls.crt");
        ensure!(path.exists(), "{} is not there", path.display());
        Ok(path)
    }

    /// Rows that answer a query, oldest first, from the data directory; the server may run.
    pub(crate) fn search(&self, query: &str) -> Result<Vec<Row>> {
        let text = self.ask(&["search", query, "--limit", "1000000", "-o", "ndjson"])?;
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
        let output = Command::new(&self.program).args(arguments).arg("--data-dir").arg(self.data()).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubewitness {} ended with {}: {errors}", arguments.join(" "), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }
}
