//! The asking commands on a real data directory, as a person runs them: golden outputs.

use std::path::Path;
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use host::Host;
use ledger::{Batch, Duplicates, Ledger};
use tempfile::TempDir;

/// A data directory with the events of `data/life.jsonl`; in a segment as far as `sealed` says, else only in the ledger.
fn data_dir(sealed: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::system();
    let ledger = Ledger::open(&host, directory.path(), ledger::Options::default()).unwrap();
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/life.jsonl")).unwrap();
    let items = audit::split(&text);
    let mut batch = Batch::new(Duplicates::Keep);
    for (i, item) in items.iter().enumerate() {
        let received = 1_795_255_200_000_000 + i as i64;
        batch.push(item.format.code(), received, "lab", item.bytes).unwrap();
    }
    ledger.appender().submit(batch).unwrap().wait().unwrap();
    let mut store =
        store::Store::open(host.disk.clone(), &directory.path().join("store"), store::Options::default()).unwrap();
    for (i, item) in items.iter().enumerate().take(sealed) {
        let received = 1_795_255_200_000_000 + i as i64;
        let (index, format) = (i as u64, item.format.code());
        let entry = store::Entry { index, format, received, cluster: "lab", payload: item.bytes };
        store.append([entry]).unwrap();
    }
    store.seal().unwrap();
    ledger.close().unwrap();
    directory
}

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubewitness"))
        .args(arguments)
        .env("KUBEWITNESS_DATA_DIR", directory.path())
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

/// Output, then errors, then the exit code.
fn told(directory: &TempDir, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(directory.path().to_str().unwrap(), "DIR");
    // Blanks at the ends of lines are padding.
    let lines: Vec<String> = text(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect();
    let errors = text(&output.stderr);
    let errors = if errors.is_empty() { String::new() } else { format!("--- errors\n{errors}") };
    format!("{}\n{errors}--- exit {}\n", lines.join("\n"), output.status.code().unwrap())
}

/// The answer is the same wherever the rows are: in a segment, in the ledger alone, or half and half.
fn check(arguments: &str, wanted: &Expect) {
    let arguments: Vec<&str> = arguments.split('|').collect();
    let answers: Vec<String> = [0, 7, 99].into_iter().map(|sealed| told(&data_dir(sealed), &arguments)).collect();
    wanted.assert_eq(&answers[0]);
    assert_eq!(answers[0], answers[1], "half in a segment");
    assert_eq!(answers[0], answers[2], "all in a segment");
}

#[test]
fn search_table() {
    check(
        "search|verb:delete,update -subresource:status|-o|table",
        &expect![[r#"
        TIME                     USER                                                         VERB    RESOURCE     OBJECT          CODE  IP        AGENT
        2026-11-21 09:06:01.040  system:serviceaccount:kube-system:generic-garbage-collector  delete  pods         web/frontend-1  200   10.0.0.1  kube-controller-manager
        2026-11-21 09:06:00.040  bob                                                          delete  deployments  web/frontend    200   10.0.0.9  kubectl
        2026-11-21 09:03:00.040  alice                                                        update  deployments  web/frontend    200   10.0.0.9  kubectl
        2026-11-21 09:02:00.040  mallory                                                      update  deployments  web/frontend    403   10.0.0.9  kubectl
        --- exit 0
    "#]],
    );
}

#[test]
fn search_wide_shows_where_the_log_can_lie() {
    check(
        "search|code:403 resource:secrets|-o|wide",
        &expect![[r#"
        TIME                     CLUSTER  INDEX  USER     VERB  RESOURCE  OBJECT  CODE  IP         AGENT  STAGE             LEVEL     GROUPS                AUDITID                               TRUST
        2026-11-21 09:05:00.040  lab      9      mallory  list  secrets           403   10.0.0.66  curl   ResponseComplete  Metadata  system:authenticated  00000000-0000-4000-8000-000000000010  claimed-ip
        --- exit 0
    "#]],
    );
}

#[test]
fn search_is_ndjson_with_the_exact_event_when_piped() {
    let directory = data_dir(7);
    let output = run(&directory, &["search", "--oldest-first", "--limit", "0"]);
    let lines: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/life.jsonl")).unwrap();
    let mut wanted: Vec<&str> = text.lines().collect();
    let mut found: Vec<&str> = lines.iter().map(|line| line["raw"].as_str().unwrap()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, [&query::ROW_KEYS[..], &["raw"]].concat());
    }
}

#[test]
fn search_csv_json_yaml() {
    check(
        "search|user:bob -verb:create|-o|csv|--columns|time,user,verb,code",
        &expect![[r#"
        time,user,verb,code
        2026-11-21T09:06:00.040000Z,bob,delete,200
        2026-11-21T09:01:00.040000Z,bob,patch,200
        --- exit 0
    "#]],
    );
    check(
        "search|user:alice verb:create|-o|json",
        &expect![[r#"
        [
          {
            "cluster": "lab",
            "index": 0,
            "time": "2026-11-21T09:00:00.040000Z",
            "received": "2026-11-21T10:00:00.000000Z",
            "user": "alice",
            "groups": [
              "system:authenticated"
            ],
            "verb": "create",
            "resource": "deployments",
            "subresource": null,
            "namespace": "web",
            "name": "frontend",
            "code": 201,
            "decision": "allow",
            "ips": [
              "10.0.0.9"
            ],
            "agent": "kubectl/v1.36.2 (linux/amd64) kubernetes/abc",
            "stage": "ResponseComplete",
            "level": "RequestResponse",
            "auditID": "00000000-0000-4000-8000-000000000001",
            "trust": "ok"
          }
        ]
        --- exit 0
    "#]],
    );
    check(
        "search|user:alice verb:create|-o|yaml",
        &expect![[r#"
        - cluster: lab
          index: 0
          time: 2026-11-21T09:00:00.040000Z
          received: 2026-11-21T10:00:00.000000Z
          user: alice
          groups:
          - system:authenticated
          verb: create
          resource: deployments
          subresource: null
          namespace: web
          name: frontend
          code: 201
          decision: allow
          ips:
          - 10.0.0.9
          agent: kubectl/v1.36.2 (linux/amd64) kubernetes/abc
          stage: ResponseComplete
          level: RequestResponse
          auditID: 00000000-0000-4000-8000-000000000001
          trust: ok
        --- exit 0
    "#]],
    );
    check(
        "search|user:nobody|-o|json",
        &expect![[r#"
        []
        --- exit 1
    "#]],
    );
}

#[test]
fn hostile_names_do_not_steer_the_terminal() {
    check(
        "search|resource:configmaps verb:get|-o|table",
        &expect![[r#"
        TIME                     USER             VERB  RESOURCE    OBJECT   CODE  IP        AGENT
        2026-11-21 09:08:00.040  \u{1b}[31mcarol  get   configmaps  web/app  200   10.0.0.9  kubectl
        --- exit 0
    "#]],
    );
}

#[test]
fn who_deleted_it() {
    check(
        "who|deleted|deployment/frontend|-n|web|-o|table",
        &expect![[r#"
        WHEN                     WHO  DID     OBJECT                    FROM      WITH     OUTCOME
        2026-11-21 09:06:00.040  bob  delete  deployments web/frontend  10.0.0.9  kubectl  done 200

        bob deleted deployment frontend in namespace web on 2026-11-21 09:06:00.040 UTC, with kubectl from 10.0.0.9.
        --- exit 0
    "#]],
    );
}

#[test]
fn who_deleted_it_when_a_controller_did() {
    check(
        "who|deleted|po/frontend-1|-o|table",
        &expect![[r#"
        WHEN                     WHO                                                          DID     OBJECT               FROM      WITH                     OUTCOME
        2026-11-21 09:06:01.040  system:serviceaccount:kube-system:generic-garbage-collector  delete  pods web/frontend-1  10.0.0.1  kube-controller-manager  done 200

        system:serviceaccount:kube-system:generic-garbage-collector deleted pod frontend-1 in namespace web on 2026-11-21 09:06:01.040 UTC, with kube-controller-manager from 10.0.0.1.
        That is a controller that cleans up after something else was deleted. Shortly before:
          bob deleted deployment frontend in namespace web on 2026-11-21 09:06:00.040 UTC, with kubectl from 10.0.0.9.
        --- exit 0
    "#]],
    );
}

#[test]
fn who_deleted_it_when_it_went_with_others() {
    check(
        "who|deleted|cm|app|-n|web|-o|table",
        &expect![[r#"
            No such request is in the log.
            It can also have gone with a whole collection or with its namespace:
              carol deleted all configmaps in namespace web on 2026-11-21 09:07:00.040 UTC, with kubectl from 10.0.0.9.
            An audit policy that records nothing of this kind, or a shorter --since, would hide it.
            --- exit 1
        "#]],
    );
}

#[test]
fn who_opened_a_shell() {
    check(
        "who|exec'd|into|pod/frontend-1|-o|table",
        &expect![[r#"
        WHEN                     WHO  DID          OBJECT               FROM      WITH     OUTCOME
        2026-11-21 09:04:00.040  bob  create exec  pods web/frontend-1  10.0.0.9  kubectl  done 101

        bob ran a command in pod frontend-1 in namespace web on 2026-11-21 09:04:00.040 UTC, with kubectl from 10.0.0.9.
        --- exit 0
    "#]],
    );
}

#[test]
fn who_was_refused() {
    check(
        "who|listed|secrets|-o|table",
        &expect![[r#"
            WHEN                     WHO      DID   OBJECT    FROM       WITH  OUTCOME
            2026-11-21 09:05:00.040  mallory  list  secrets   10.0.0.66  curl  refused 403

            mallory tried to list secrets on 2026-11-21 09:05:00.040 UTC, with curl from 10.0.0.66, and was refused.
            --- exit 0
        "#]],
    );
}

#[test]
fn history_of_a_deployment() {
    check(
        "history|deploy/frontend|-n|web|-o|table",
        &expect![[r#"
            TIME                     USER                                                     DID               WHAT CHANGED                                                                           CODE  WITH
            2026-11-21 09:00:00.040  alice                                                    create            created                                                                                201   kubectl
            2026-11-21 09:00:01.040  system:serviceaccount:kube-system:deployment-controller  update status ×3                                                                                         200   kube-controller-manager
            2026-11-21 09:01:00.040  bob                                                      patch             +spec.replicas 5                                                                       200   kubectl
            2026-11-21 09:03:00.040  alice                                                    update            spec.replicas 2 → 5; spec.template.spec.containers[app].image nginx:1.27 → nginx:1.28  200   kubectl
            2026-11-21 09:06:00.040  bob                                                      delete                                                                                                   200   kubectl
            --- exit 0
        "#]],
    );
    check(
        "history|deploy/frontend|-n|web|--diff|-o|table",
        &expect![[r#"
            2026-11-21 09:00:00.040  alice created deployment frontend in namespace web  (kubectl from 10.0.0.9, entry 0)
                +kind: Deployment
                +apiVersion: apps/v1
                +metadata:
                +  name: frontend
                +  namespace: web
                +spec:
                +  replicas: 2
                +  template:
                +    spec:
                +      containers:
                +      - name: app
                +        image: nginx:1.27

            2026-11-21 09:00:01.040  system:serviceaccount:kube-system:deployment-controller updated the status of deployment frontend in namespace web (3 times)  (kube-controller-manager from 10.0.0.1, entry 1)

            2026-11-21 09:01:00.040  bob patched deployment frontend in namespace web  (kubectl from 10.0.0.9, entry 4)
                sent:
                ~spec:
                ~  replicas: 5

            2026-11-21 09:03:00.040  alice updated deployment frontend in namespace web  (kubectl from 10.0.0.9, entry 6)
                @@ -5,8 +5,8 @@
                   namespace: web
                 spec:
                -  replicas: 2
                +  replicas: 5
                   template:
                     spec:
                       containers:
                       - name: app
                -        image: nginx:1.27
                +        image: nginx:1.28

            2026-11-21 09:06:00.040  bob deleted deployment frontend in namespace web  (kubectl from 10.0.0.9, entry 10)

            --- exit 0
        "#]],
    );
}

#[test]
fn history_as_data() {
    check(
        "history|deploy/frontend|-n|web|--failed|--diff|-o|ndjson|--since|2026-11-21T09:01",
        &expect![[r#"
            {"cluster":"lab","index":4,"time":"2026-11-21T09:01:00.040000Z","received":"2026-11-21T10:00:00.000004Z","user":"bob","groups":["system:authenticated"],"verb":"patch","resource":"deployments","subresource":null,"namespace":"web","name":"frontend","code":200,"decision":"allow","ips":["10.0.0.9"],"agent":"kubectl/v1.36.2 (linux/amd64) kubernetes/abc","stage":"ResponseComplete","level":"Request","auditID":"00000000-0000-4000-8000-000000000005","trust":"ok","times":1,"recorded":"patch","changes":[{"path":"spec.replicas","before":null,"after":5,"summary":"+spec.replicas 5"}],"diff":"sent:\n~spec:\n~  replicas: 5\n"}
            {"cluster":"lab","index":5,"time":"2026-11-21T09:02:00.040000Z","received":"2026-11-21T10:00:00.000005Z","user":"mallory","groups":["system:authenticated"],"verb":"update","resource":"deployments","subresource":null,"namespace":"web","name":"frontend","code":403,"decision":"forbid","ips":["10.0.0.9"],"agent":"kubectl/v1.36.2 (linux/amd64) kubernetes/abc","stage":"ResponseComplete","level":"Request","auditID":"00000000-0000-4000-8000-000000000006","trust":"ok","times":1,"recorded":"nothing","changes":[],"diff":""}
            {"cluster":"lab","index":6,"time":"2026-11-21T09:03:00.040000Z","received":"2026-11-21T10:00:00.000006Z","user":"alice","groups":["system:authenticated"],"verb":"update","resource":"deployments","subresource":null,"namespace":"web","name":"frontend","code":200,"decision":"allow","ips":["10.0.0.9"],"agent":"kubectl/v1.36.2 (linux/amd64) kubernetes/abc","stage":"ResponseComplete","level":"RequestResponse","auditID":"00000000-0000-4000-8000-000000000007","trust":"ok","times":1,"recorded":"full","changes":[],"diff":"+kind: Deployment\n+apiVersion: apps/v1\n+metadata:\n+  name: frontend\n+  namespace: web\n+spec:\n+  replicas: 5\n+  template:\n+    spec:\n+      containers:\n+      - name: app\n+        image: nginx:1.28\n"}
            {"cluster":"lab","index":10,"time":"2026-11-21T09:06:00.040000Z","received":"2026-11-21T10:00:00.000010Z","user":"bob","groups":["system:authenticated"],"verb":"delete","resource":"deployments","subresource":null,"namespace":"web","name":"frontend","code":200,"decision":"allow","ips":["10.0.0.9"],"agent":"kubectl/v1.36.2 (linux/amd64) kubernetes/abc","stage":"ResponseComplete","level":"RequestResponse","auditID":"00000000-0000-4000-8000-000000000011","trust":"ok","times":1,"recorded":"nothing","changes":[],"diff":""}
            --- exit 0
        "#]],
    );
}

#[test]
fn top_of_things() {
    check(
        "top|user|-o|table",
        &expect![[r#"
        COUNT  SHARE                     BYTES    USER                                                         FIRST                    LAST
        4       25.0 % ████              2.8 KiB  bob                                                          2026-11-21 09:01:00.040  2026-11-21 09:06:00.040
        3       18.8 % ███               3.1 KiB  system:serviceaccount:kube-system:deployment-controller      2026-11-21 09:00:01.040  2026-11-21 09:00:03.040
        2       12.5 % ██                68 B                                                                  2026-11-21 10:00:00.000  2026-11-21 10:00:00.000
        2       12.5 % ██                2.5 KiB  alice                                                        2026-11-21 09:00:00.040  2026-11-21 09:03:00.040
        2       12.5 % ██                1.5 KiB  mallory                                                      2026-11-21 09:02:00.040  2026-11-21 09:05:00.040
        1        6.2 % █                 660 B    \u{1b}[31mcarol                                              2026-11-21 09:08:00.040  2026-11-21 09:08:00.040
        1        6.2 % █                 650 B    carol                                                        2026-11-21 09:07:00.040  2026-11-21 09:07:00.040
        1        6.2 % █                 709 B    system:serviceaccount:kube-system:generic-garbage-collector  2026-11-21 09:06:01.040  2026-11-21 09:06:01.040
        --- exit 0
    "#]],
    );
    check(
        "top|code|verb:delete OR code:403|-o|csv",
        &expect![[r#"
            code,count,share,bytes,first,last
            200,2,0.5000,1486,2026-11-21T09:06:00.040000Z,2026-11-21T09:06:01.040000Z
            403,2,0.5000,1568,2026-11-21T09:02:00.040000Z,2026-11-21T09:05:00.040000Z
            --- exit 0
        "#]],
    );
    check(
        "top|ip|user:mallory|-o|ndjson",
        &expect![[r#"
        {"ip":"10.0.0.66","count":1,"share":0.3333,"bytes":601,"first":"2026-11-21T09:05:00.040000Z","last":"2026-11-21T09:05:00.040000Z"}
        {"ip":"10.0.0.9","count":1,"share":0.3333,"bytes":967,"first":"2026-11-21T09:02:00.040000Z","last":"2026-11-21T09:02:00.040000Z"}
        {"ip":"203.0.113.7","count":1,"share":0.3333,"bytes":601,"first":"2026-11-21T09:05:00.040000Z","last":"2026-11-21T09:05:00.040000Z"}
        --- exit 0
    "#]],
    );
    check(
        "top|bytes|--limit|2|-o|table",
        &expect![[r#"
        COUNT  SHARE                     BYTES    LEVEL     VERB    RESOURCE     SUBRESOURCE  FIRST                    LAST
        3       25.7 % ████              3.1 KiB  Request   update  deployments  status       2026-11-21 09:00:01.040  2026-11-21 09:00:03.040
        2       11.1 % ██                1.3 KiB  Metadata  create  pods         exec         2026-11-21 09:04:00.040  2026-11-21 09:04:00.040
        --- exit 0
    "#]],
    );
}

#[test]
fn tail_is_oldest_first() {
    check(
        "tail|code:200|--limit|3|-o|table",
        &expect![[r#"
        TIME                     USER                                                         VERB              RESOURCE    OBJECT          CODE  IP        AGENT
        2026-11-21 09:06:01.040  system:serviceaccount:kube-system:generic-garbage-collector  delete            pods        web/frontend-1  200   10.0.0.1  kube-controller-manager
        2026-11-21 09:07:00.040  carol                                                        deletecollection  configmaps  web             200   10.0.0.9  kubectl
        2026-11-21 09:08:00.040  \u{1b}[31mcarol                                              get               configmaps  web/app         200   10.0.0.9  kubectl
        --- exit 0
    "#]],
    );
}

#[test]
fn quarantine_shows_what_could_not_be_read() {
    check(
        "quarantine|list|-o|table",
        &expect![[r#"
        INDEX  RECEIVED                 CLUSTER  BYTES  REASON                                     PREVIEW
        15     2026-11-21 10:00:00.000  lab      23     not JSON: expected a value at byte 0       plain text \u{7} in the log
        14     2026-11-21 10:00:00.000  lab      45     not an audit event: an object of kind Pod  {"kind":"Pod","metadata":{"name":"no event"}}
        --- exit 0
    "#]],
    );
    check(
        "quarantine|show|15",
        &expect![[r#"
        plain text  in the log
        --- errors
        entry 15: not JSON: expected a value at byte 0
        --- exit 0
    "#]],
    );
    check(
        "quarantine|show|99",
        &expect![[r#"

        --- errors
        there is no entry 99 in the log
        --- exit 1
    "#]],
    );
}

#[test]
fn mistakes_are_explained() {
    check(
        "search|nmaespace:web code:403",
        &expect![[r#"

            --- errors
            error: the query cannot be read
            nmaespace:web code:403
            ^^^^^^^^^
            there is no field `nmaespace`; did you mean `namespace`? To look for the text, put it in quotes
            --- exit 2
        "#]],
    );
    check(
        "search|x|--since|yesterdya",
        &expect![[r#"

        --- errors
        error: `yesterdya` is not a time; write `2h` or `7d` (ago), `now-2h`, `today`, `2026-11-21`, `2026-11-21T23:00` or RFC 3339
        --- exit 2
    "#]],
    );
    check(
        "who|delted|deploy/x",
        &expect![[r#"

            --- errors
            error: I do not know how to `delted`; did you mean `deleted`? Known: deleted, created, updated, replaced, patched, read, listed, watched, exec'd, attached, port-forwarded, proxied, debugged, logged, scaled, evicted, bound, approved, minted, touched
            --- exit 2
        "#]],
    );
    check(
        "search|x|--data-dir|/nowhere/at/all",
        &expect![[r#"

        --- errors
        error: there is no data directory at /nowhere/at/all: name the right one with --data-dir
        --- exit 3
    "#]],
    );
}

#[cfg(not(feature = "sql"))]
#[test]
fn sql_without_its_engine_says_how() {
    let answer = told(&data_dir(99), &["sql", "SELECT count(*) FROM events"]);
    expect![[r#"

        --- errors
        this binary is built without the SQL engine; build it in with:
          cargo build --release --features sql
        or ask DuckDB the same question of the same files:
          duckdb -c 'CREATE VIEW events AS FROM read_parquet('\''DIR/store/*.parquet'\''); SELECT count(*) FROM events'
        --- exit 1
    "#]]
    .assert_eq(&answer);
}

#[cfg(feature = "sql")]
#[test]
fn sql_counts_what_search_finds() {
    let directory = data_dir(99);
    let lines = |arguments: &[&str]| String::from_utf8(run(&directory, arguments).stdout).unwrap().lines().count();
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) AS events FROM events WHERE {condition}");
        let row: serde_json::Value = serde_json::from_slice(&run(&directory, &["sql", &sql]).stdout).unwrap();
        row["events"].as_u64().unwrap() as usize
    };
    for (sql, query) in [
        ("code = 403", "code:403"),
        ("verb = 'delete' AND resource = 'deployments'", "verb:delete resource:deployments"),
        ("\"user\" LIKE 'system:%'", "user:system:*"),
    ] {
        let found = lines(&["search", query, "--limit", "0", "-o", "ndjson"]);
        assert!(found > 0, "{query}");
        assert_eq!(count(sql), found, "{sql}");
    }
    let csv = told(&directory, &["sql", "SELECT verb, code FROM events WHERE code = 403 LIMIT 1", "-o", "csv"]);
    assert!(csv.starts_with("verb,code\n"), "{csv}");
    for wrong in ["SELECT nothing FROM events", "DROP TABLE events", "SELECT"] {
        assert_eq!(run(&directory, &["sql", wrong]).status.code(), Some(2), "{wrong}");
    }
}
