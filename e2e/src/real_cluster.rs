//! A real API server sends its events by webhook and writes them to a log that we tail. We are killed in
//! the middle. Afterwards the webhook's account, the tail's account and the log itself are one.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::apiserver::{self, ApiServer};
use crate::child::Child;
use crate::evidence::Account;
use crate::story;
use crate::verdicts::Verdicts;
use crate::witness::{BY_TAIL, BY_WEBHOOK, Row, Witness};

/// Everything with its bodies. One patch is kept at Metadata, because a patch in YAML makes an API server
/// up to v1.36 drop the whole batch that it is in: it labels the bytes as JSON, and then cannot encode them.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
  verbs: [patch]
  resources: [{group: \"\", resources: [configmaps], resourceNames: [applied]}]
- level: RequestResponse
";

/// How many objects each of four clients goes through while we are killed.
const OBJECTS: u32 = 150;
/// How often we are killed, how long we live before, and how long we are away.
const KILLS: u32 = 3;
const ALIVE: Duration = Duration::from_millis(1_500);
const AWAY: Duration = Duration::from_millis(800);
/// Longer than the API server waits for a batch to fill.
const BATCH_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for the last events to be searchable.
const SETTLE_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn run(kubewitness: &Path, cluster: &Path, dir: &Path, verdicts: &mut Verdicts) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let witness = Witness::prepare(kubewitness, &dir.join("witness"), Some(&apiserver::log_file(dir)))?;
    let serving = witness.start().await?;
    let policy = dir.join("policy.yaml");
    std::fs::write(&policy, POLICY)?;
    let server = ApiServer::start(cluster, dir, &policy, &witness.kubeconfig()?).await?;
    println!("kube-apiserver {} is ready", server.version);

    verdicts.note("the API server answers people as the story says", story::play(&server).await);
    let serving = killed_under_load(&server, &witness, serving, verdicts).await?;
    let logs = server.logs.clone();
    let end = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    tokio::time::sleep(BATCH_WAIT).await;
    server.drain().await?;
    compare(&witness, &logs, &end, verdicts).await?;
    for question in QUESTIONS {
        verdicts.note(question.title, question.ask(&witness));
    }
    verdicts.note("who deleted the deployment", who_deleted(&witness));
    verdicts.note("the server ends in order", Witness::stop(serving).await);
    verdicts.note("verify finds the whole log sound", witness.ask(&["verify"]).map(drop));
    Ok(())
}

/// Work goes on while the server is killed and started again.
async fn killed_under_load(
    server: &ApiServer,
    witness: &Witness,
    mut serving: Child,
    verdicts: &mut Verdicts,
) -> Result<Child> {
    let work = async {
        let client = |number| story::load(server, number, OBJECTS);
        tokio::try_join!(client(0), client(1), client(2), client(3)).map(drop)
    };
    let kills = async {
        for _ in 0..KILLS {
            tokio::time::sleep(ALIVE).await;
            serving.kill().await?;
            tokio::time::sleep(AWAY).await;
            serving = witness.start().await?;
        }
        Ok::<Child, anyhow::Error>(serving)
    };
    let (work, serving) = tokio::join!(work, kills);
    verdicts.note("the API server serves on while its receiver is killed", work);
    serving
}

/// The three accounts agree: the tail's on everything, the webhook's on everything before `end`. When an API server is
/// told to stop, it closes its webhook first, and what its own watches end with goes to the log alone.
async fn compare(witness: &Witness, logs: &Path, end: &str, verdicts: &mut Verdicts) -> Result<()> {
    let log = Account::of_logs(logs)?;
    println!("the API server's own log holds {} events", log.len());
    let tailed = account(witness, BY_TAIL, log.len()).await?;
    verdicts.note("the tail brought what the log holds: nothing lost, nothing twice", log.must_equal(&tailed));
    let log = log.before(end);
    let sent = account(witness, BY_WEBHOOK, log.len()).await?.before(end);
    verdicts.note("the webhook brought what the log holds: nothing lost, nothing twice", log.must_equal(&sent));
    Ok(())
}

/// What we hold of a cluster, as soon as it is so many events.
async fn account(witness: &Witness, cluster: &str, count: u64) -> Result<Account> {
    let query = format!("cluster:{cluster}");
    witness.settle(&query, count, SETTLE_MAX).await?;
    Ok(Account::of(witness.search(&query)?.iter().map(Row::event)))
}

fn who_deleted(witness: &Witness) -> Result<()> {
    let answer = witness.ask(&["who", "deleted", "deployment/frontend", "-n", "web"])?;
    ensure!(answer.contains("alice@example.com"), "the answer is {answer:?}");
    ensure!(!answer.contains("mallory"), "the answer is {answer:?}");
    Ok(())
}

/// A search whose every row must be of one user, or of nobody.
struct Question {
    title: &'static str,
    query: &'static str,
    user: Option<&'static str>,
    /// Further conditions on each row.
    also: fn(&Row) -> bool,
}

impl Question {
    fn ask(&self, witness: &Witness) -> Result<()> {
        let rows = witness.search(&format!("cluster:{BY_WEBHOOK} {}", self.query))?;
        ensure!(!rows.is_empty(), "no event answers {}", self.query);
        for row in rows {
            ensure!(row.user.as_deref() == self.user, "{} found an event of {:?}", self.query, row.user);
            ensure!((self.also)(&row), "not as expected: {}", String::from_utf8_lossy(row.event()));
        }
        Ok(())
    }
}

const QUESTIONS: &[Question] = &[
    Question {
        title: "a refused token is an event without a user",
        query: "code:401",
        user: None,
        also: |row| row.stage.as_deref() == Some("ResponseStarted"),
    },
    Question {
        title: "who read secrets, and was refused",
        query: "resource:secrets verb:list code:403 -impersonatedUser.username:*",
        user: Some("mallory@example.com"),
        also: |_| true,
    },
    Question {
        title: "who tried to open a shell",
        query: "resource:pods subresource:exec",
        user: Some("alice@example.com"),
        also: |_| true,
    },
    Question {
        title: "who deleted many at once",
        query: "verb:deletecollection",
        user: Some("alice@example.com"),
        also: |_| true,
    },
    Question {
        title: "a spoofed address is found, and the peer stands last",
        query: "ip:203.0.113.66",
        user: Some("mallory@example.com"),
        also: |row| row.ips == [story::SPOOFED_ADDRESS, "10.1.2.3", "127.0.0.1"],
    },
    Question {
        title: "a chosen audit id is found",
        query: "auditID:chosen-by-mallory",
        user: Some("mallory@example.com"),
        also: |row| String::from_utf8_lossy(row.event()).contains(story::SPOOFED_AUDIT_ID),
    },
    Question {
        title: "who acted as another",
        query: "impersonatedUser.username:alice@example.com",
        user: Some("admin"),
        also: |_| true,
    },
    Question {
        title: "an apply in YAML is found",
        query: "verb:patch name:applied",
        user: Some("alice@example.com"),
        also: |_| true,
    },
    Question {
        title: "a word of a request body is found",
        query: "request.data.greeting:*Grüße*",
        user: Some("alice@example.com"),
        also: |_| true,
    },
];
