//! The real process: serves, is killed, comes back, is asked; imports; says what is wrong.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{ApiServer, WebhookOptions};

fn kubewitness(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubewitness"));
    command.args(arguments).env_remove("KUBEWITNESS_CONFIG").env("NO_COLOR", "1");
    command
}

fn run(arguments: &[&str]) -> Output {
    kubewitness(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A serving process; killed when dropped.
struct Serving {
    child: Child,
    webhook: String,
    api: String,
}

impl Serving {
    fn start(data_dir: &Path, further: &[&str]) -> Self {
        Self::start_with(data_dir, further, Stdio::null())
    }

    fn start_with(data_dir: &Path, further: &[&str], input: Stdio) -> Self {
        let mut arguments = vec!["serve", "--webhook-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"];
        arguments.extend(further);
        let mut command = kubewitness(&arguments);
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.arg("--data-dir").arg(data_dir).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut find = |name: &str| loop {
            let line = lines.next().expect("the greeting comes").unwrap();
            if let Some(value) = line.strip_prefix(name) {
                return value.trim().to_owned();
            }
        };
        let (webhook, api) = (find("webhook"), find("api"));
        find("next");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, webhook, api }
    }

    fn api_server(&self, data_dir: &Path) -> ApiServer {
        let token = std::fs::read_to_string(data_dir.join("keys/webhook.token")).unwrap();
        let mut options = WebhookOptions::new(format!("{}/v1/audit/prod", self.webhook)).hurried();
        options.token = Some(token.trim().to_owned());
        options.authority = Some(std::fs::read(data_dir.join("tls/ca.crt")).unwrap());
        ApiServer::start(options)
    }

    async fn get(&self, path: &str) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("{}{path}", self.api)).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until so many rows can be found, and returns how many there are.
    async fn rows(&self, expected: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let rows = self.get("/api/v1/stats").await["store"]["rows"].as_u64().unwrap();
            if rows >= expected || Instant::now() > deadline {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and returns its exit code.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_survives_a_kill_and_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut acknowledged = 0;
    for round in 0..3 {
        let serving = Serving::start(&data, &[]);
        let server = serving.api_server(&data);
        for number in round * 5_000..(round + 1) * 5_000 {
            server.emit_patiently(testkit::event(number)).await;
        }
        while server.report().delivered < 2_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        acknowledged += server.report().delivered;
        serving.kill();
    }
    let serving = Serving::start(&data, &[]);
    let rows = serving.rows(acknowledged).await;
    assert!(rows >= acknowledged, "{rows} of {acknowledged}");
    let page = serving.get("/api/v1/search?q=name:p1%20verb:delete").await;
    assert_eq!(page["rows"][0]["cluster"], "prod");
    assert_eq!(serving.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_searchable_within_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &[]);
    let server = serving.api_server(directory.path());
    server.emit(testkit::event(1));
    while server.report().delivered == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let acknowledged = Instant::now();
    assert_eq!(serving.rows(1).await, 1);
    assert!(acknowledged.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(serving.get("/api/v1/entries/0/proof").await["checkpoint"]["size"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_and_metrics_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("audit.log");
    let lines: Vec<Vec<u8>> = (0..100).map(testkit::event).collect();
    std::fs::write(&log, [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    let data = directory.path().join("data");
    let serving = Serving::start(&data, &["--tail", log.to_str().unwrap(), "--cluster", "edge"]);
    assert_eq!(serving.rows(100).await, 100);
    let metrics = reqwest::get(format!("{}/metrics", serving.api)).await.unwrap().text().await.unwrap();
    for line in ["kubewitness_received_entries_total{cluster=\"edge\"} 100", "kubewitness_ledger_entries 100"] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    for name in ["webhook_connections", "receive_memory_bytes", "store_lag_entries", "ledger_pending_bytes_max"] {
        assert!(metrics.contains(&format!("kubewitness_{name}")), "{name}");
    }
    assert_eq!(reqwest::get(format!("{}/readyz", serving.api)).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_followed_through_its_pauses() {
    let directory = tempfile::tempdir().unwrap();
    let (read, mut pipe) = std::io::pipe().unwrap();
    let serving = Serving::start_with(directory.path(), &["--tail", "edge=-"], read.into());
    let (whole, half) = (testkit::event(1), testkit::event(2));
    pipe.write_all(&[&whole[..], b"\n", &half[..40]].concat()).unwrap();
    assert_eq!(serving.rows(1).await, 1);
    pipe.write_all(&[&half[40..], b"\n"].concat()).unwrap();
    assert_eq!(serving.rows(2).await, 2);
    pipe.write_all(b"{\"cut\": ").unwrap();
    drop(pipe);
    assert_eq!(serving.rows(3).await, 3);
    let cut = serving.get("/api/v1/search?q=format:quarantine%20cluster:edge").await;
    assert_eq!(cut["rows"].as_array().unwrap().len(), 1);
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn files_of_every_packing_are_imported_once() {
    let directory = tempfile::tempdir().unwrap();
    let lines: Vec<Vec<u8>> = (0..1_000).map(testkit::event).collect();
    let log = [lines.join(&b'\n'), b"\nnot JSON\n".to_vec()].concat();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("a.log"), &log).unwrap();
    std::fs::write(path("b.log.zst"), zstd::encode_all(&log[..], 3).unwrap()).unwrap();
    let mut gzip =
        flate2::write::GzEncoder::new(std::fs::File::create(path("c.log.gz")).unwrap(), flate2::Compression::fast());
    gzip.write_all(&log).unwrap();
    gzip.finish().unwrap();
    let data = path("data");
    let files = [path("a.log"), path("b.log.zst"), path("c.log.gz")];
    let mut arguments = vec!["import", "--cluster", "eu", "--data-dir", data.to_str().unwrap()];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let output = run(&arguments);
    let summary = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for line in ["new          1001", "duplicates   2002", "quarantined  3", "cluster      eu (1001)"] {
        assert!(summary.contains(line), "{line} is not in:\n{summary}");
    }
    let mut piped = kubewitness(&["import", "-", "--data-dir", data.to_str().unwrap(), "--cluster", "eu"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&log).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("new          0"), "{}", text(&output.stdout));
}

#[test]
fn a_damaged_file_keeps_what_came_before() {
    let directory = tempfile::tempdir().unwrap();
    let lines: Vec<Vec<u8>> = (0..20_000).map(testkit::event).collect();
    let packed = zstd::encode_all(&lines.join(&b'\n')[..], 3).unwrap();
    let path = directory.path().join("cut.zst");
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let data = directory.path().join("data");
    let output = run(&["import", path.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cut.zst"), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("new          0\n"), "{}", text(&output.stdout));
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &[]);
    let output = run(&["import", "-", "--data-dir", directory.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("is in use by another kubewitness process"), "{}", text(&output.stderr));
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn connect_prints_everything_an_api_server_needs() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let before = run(&["connect", "kubeadm", "--data-dir", data]);
    assert!(text(&before.stderr).contains("start `kubewitness serve` once"), "{}", text(&before.stderr));
    Serving::start(directory.path(), &[]).terminate();
    let token = std::fs::read_to_string(directory.path().join("keys/webhook.token")).unwrap();
    for distribution in ["kubeadm", "k3s", "rke2", "kops", "kind", "static"] {
        let server = ["--server", "https://witness.example:9443/", "--cluster", "eu"];
        let output = run(&[&["connect", distribution, "--data-dir", data][..], &server].concat());
        let recipe = text(&output.stdout);
        assert!(recipe.contains("server: https://witness.example:9443/v1/audit/eu\n"), "{recipe}");
        assert!(recipe.contains(token.trim()) && recipe.contains("certificate-authority-data: LS0tLS1CRUdJTi"));
    }
}

#[test]
fn the_configuration_is_checked_shown_and_described() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubewitness.yaml");
    std::fs::write(&path, "webhook:\n  bodybytes_max: 1MiB\n").unwrap();
    let file = path.to_str().unwrap();
    let output = run(&["config", "check", "--config", file]);
    assert_ne!(output.status.code(), Some(0));
    let message = text(&output.stderr);
    assert!(message.contains("kubewitness.yaml") && message.contains("line 2"), "{message}");
    assert!(message.contains("did you mean `body_bytes_max`?"), "{message}");
    std::fs::write(&path, "cluster: eu\n").unwrap();
    assert_eq!(run(&["config", "check", "--config", file]).status.code(), Some(0));
    assert!(text(&run(&["config", "show", "--config", file]).stdout).contains("cluster: \"eu\""));
    let page = std::fs::read_to_string(testkit::repository_file("docs/configuration.md")).unwrap();
    assert_eq!(text(&run(&["config", "reference"]).stdout), page);
    let schema: Value = serde_json::from_slice(&run(&["config", "schema"]).stdout).unwrap();
    assert_eq!(schema["properties"]["webhook"]["properties"]["body_bytes_max"]["default"], "256MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_its_directory_answer_alike_while_it_writes() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("audit.log");
    let life = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/life.jsonl")).unwrap();
    std::fs::write(&log, [&life[..], b"not JSON\n"].concat()).unwrap();
    let data = directory.path().join("data");
    let serving = Serving::start(&data, &["--tail", log.to_str().unwrap(), "--cluster", "lab"]);
    let lines = life.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64 + 1;
    assert_eq!(serving.rows(lines).await, lines);
    let in_data = ["--data-dir", data.to_str().unwrap()];
    let at_server = ["--server", &serving.api];
    for question in [
        &["search", "verb:delete"][..],
        &["search", "web", "--limit", "3", "-o", "table"],
        &["who", "deleted", "deployment/frontend", "-n", "web"],
        &["history", "deployment/frontend", "-n", "web", "--diff"],
        &["top", "user"],
        &["top", "bytes"],
        &["quarantine", "list"],
    ] {
        let told = |source: &[&str]| text(&run(&[question, source].concat()).stdout);
        let answer = told(&in_data);
        assert!(!answer.is_empty(), "{question:?}");
        assert_eq!(answer, told(&at_server), "{question:?}");
    }
    follow(&in_data, &log, 1);
    follow(&at_server, &log, 2);
}

/// `tail -f` shows an event that is written to the log after it has begun.
fn follow(source: &[&str], log: &Path, number: u64) {
    let arguments = [&["tail", "-f", "--limit", "1", "-o", "ndjson"][..], source].concat();
    let mut child = kubewitness(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().expect("the newest row").unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    file.write_all(&[testkit::event(number), b"\n".to_vec()].concat()).unwrap();
    let row: Value = serde_json::from_str(&lines.next().expect("the new row").unwrap()).unwrap();
    let event: Value = serde_json::from_slice(&testkit::event(number)).unwrap();
    assert_eq!(row["auditID"], event["auditID"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_new_key_signs_and_the_old_one_still_proves() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("audit.log");
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let import = |numbers: std::ops::Range<u64>| {
        let lines: Vec<Vec<u8>> = numbers.map(testkit::event).collect();
        std::fs::write(&log, lines.join(&b'\n')).unwrap();
        assert!(run(&["import", "--quiet", log.to_str().unwrap(), "--data-dir", data]).status.success());
    };
    import(0..50);
    let first = text(&run(&["key", "show", "--data-dir", data]).stdout);
    let second = text(&run(&["key", "rotate", "--data-dir", data]).stdout);
    assert_eq!(text(&run(&["key", "show", "--data-dir", data]).stdout), format!("{first}{second}"));
    import(50..100);
    for key in [first.trim(), second.trim()] {
        let verify = run(&["verify", "--data-dir", data, "--key", key]);
        assert!(verify.status.success(), "{}", text(&verify.stdout));
    }
    assert_eq!(run(&["key", "rotate", "--data-dir", "/nowhere"]).status.code(), Some(3));
}
