//! The control plane: how it is built, started, asked and stopped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::child::Child;
use crate::repository;

/// Longest wait for an API server that answers: it takes three seconds when nothing else runs.
const READY_MAX: Duration = Duration::from_secs(120);
/// Longest wait for an API server to drain; its audit buffer is sent before it ends.
const DRAIN_MAX: Duration = Duration::from_secs(90);

/// Builds etcd and kube-apiserver from their Go modules. Minutes when Go's cache is cold, seconds when it is warm.
pub(crate) fn build() -> Result<PathBuf> {
    let program = repository().join("e2e/.cache/cluster");
    let started = Instant::now();
    println!("building kube-apiserver (minutes when Go's cache is cold)");
    let built = std::process::Command::new("go")
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(repository().join("e2e/cluster"))
        .status()
        .context("go build; install Go to run the end-to-end test")?;
    ensure!(built.success(), "go build: {built}");
    println!("built in {:.0?}", started.elapsed());
    Ok(program)
}

/// Who may ask, and by which token. `alice` gets her rights in the story.
const USERS: &str = "\
token-of-admin,admin,1,\"system:masters\"
token-of-alice,alice@example.com,2,\"developers\"
token-of-mallory,mallory@example.com,3,\"contractors\"
";

/// A running API server with its own etcd.
pub(crate) struct ApiServer {
    child: Child,
    url: String,
    client: Client,
    /// Version of Kubernetes.
    pub(crate) version: String,
    /// Directory of the audit log and its rotated files.
    pub(crate) logs: PathBuf,
}

/// The first line that the program prints.
#[derive(Deserialize)]
struct Announcement {
    server: String,
    ca: PathBuf,
    version: String,
}

impl ApiServer {
    /// Starts it with this audit policy and webhook, and waits until it is ready.
    pub(crate) async fn start(program: &Path, dir: &Path, policy: &Path, webhook: &Path) -> Result<Self> {
        let logs = dir.join("audit-log");
        let users = dir.join("users.csv");
        std::fs::write(&users, USERS)?;
        let flag = |name: &str, value: &Path| OsString::from(format!("--{name}={}", value.display()));
        let mut arguments: Vec<OsString> = vec!["-dir".into(), dir.join("control-plane").into(), "--".into()];
        arguments.extend([
            flag("token-auth-file", &users),
            flag("audit-policy-file", policy),
            flag("audit-log-path", &log_file(dir)),
            flag("audit-webhook-config-file", webhook),
        ]);
        arguments.extend(AUDIT_FLAGS.iter().map(OsString::from));
        let mut child = Child::start("kube-apiserver", program, &arguments, &dir.join("kube-apiserver.log"))?;
        let announcement = read_announcement(&mut child).await?;
        let authority = Certificate::from_pem(&std::fs::read(&announcement.ca)?)?;
        let client = Client::builder().tls_certs_only([authority]).timeout(Duration::from_secs(30)).build()?;
        let mut server = Self { child, url: announcement.server, client, version: announcement.version, logs };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < READY_MAX {
            self.child.must_live()?;
            let answer = self.request(Method::GET, "/readyz", "token-of-admin").send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("kube-apiserver is not ready after {READY_MAX:?}")
    }

    /// A request with a bearer token.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    /// Ends it in order: requests finish, the audit buffer is sent, the log is closed.
    pub(crate) async fn drain(self) -> Result<()> {
        let status = self.child.stop(DRAIN_MAX).await?;
        ensure!(status.success(), "kube-apiserver ended with {status}");
        Ok(())
    }
}

/// The audit log of an API server started in `dir`.
pub(crate) fn log_file(dir: &Path) -> PathBuf {
    dir.join("audit-log/audit.log")
}

/// Small files, so that the log is rotated under the tail; short pauses, so that a crash of the receiver is
/// met by several attempts within seconds. All else is the API server's default.
const AUDIT_FLAGS: &[&str] = &[
    "--audit-log-maxsize=1",
    "--audit-webhook-batch-max-wait=500ms",
    "--audit-webhook-initial-backoff=2s",
    // There is no controller manager that would make the service account that this plugin wants in every Pod.
    "--disable-admission-plugins=ServiceAccount",
];

async fn read_announcement(child: &mut Child) -> Result<Announcement> {
    let output = child.process.stdout.take().context("standard output is a pipe")?;
    let mut line = String::new();
    let read = tokio::time::timeout(READY_MAX, BufReader::new(output).read_line(&mut line)).await;
    read.context("the control plane says nothing")??;
    child.must_live()?;
    serde_json::from_str(&line).with_context(|| format!("announcement {line:?}"))
}
