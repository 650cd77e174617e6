//! What queries mean, as data: canonical forms, matches, messages.

use audit::{Event, Format, Json};
use expect_test::{Expect, expect};
use query::{Context, Entry, Query, Raw, Row};

/// 2026-11-21T23:25:00Z.
const NOW: audit::Micros = 1_795_303_500_000_000;

const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"915743b8-f409-45d1-89fa-842c7dab438f","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods?fieldManager=kubectl","verb":"create","user":{"username":"Alice","groups":["dev","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=ab"]}},"sourceIPs":["203.0.113.7","::ffff:10.1.2.3"],"userAgent":"kubectl/v1.36.2 (linux/amd64)","objectRef":{"resource":"pods","subresource":"exec","namespace":"web","name":"","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"spec":{"replicas":3,"hostNetwork":true,"containers":[{"name":"a","image":"nginx:1"},{"name":"b","image":"docker.io/Monero:latest","args":["--url","stratum+tcp:\/\/pool"]}],"none":null},"metadata":{"labels":{"app.kubernetes.io/name":"web"}}},"requestReceivedTimestamp":"2026-11-21T23:20:00.000000Z","stageTimestamp":"2026-11-21T23:20:00.750000Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"dev/web\" of Role \"edit\""}}"#;

fn matches(text: &str) -> bool {
    let event = Event::parse(EVENT.as_bytes()).unwrap();
    let row = Row {
        index: 41,
        received: NOW,
        cluster: "lab",
        format: Format::Audit,
        payload: EVENT.as_bytes(),
        event: Some(&event),
        defect: None,
    };
    match Query::parse(text, &Context::utc(NOW)) {
        Ok(query) => query.matches(&row),
        Err(error) => panic!("{}", error.render(text)),
    }
}

#[test]
fn true_of_the_event() {
    for text in [
        "",
        "*",
        "verb:create",
        "VERB:CREATE",
        "verb=create",
        "verb != delete",
        "user:alice",
        "user:a*e",
        "user:\"alice\"",
        "user:?????",
        "group:system:authenticated",
        "groups:dev,ops",
        "group:(dev AND system:*)",
        "-group:ops",
        "resource:pods/exec",
        "resource:p*/e*",
        "objectRef.resource:pods",
        "ns:web namespace:w?b",
        "-name:*",
        "name:\"\"",
        "NOT name:x",
        "code:201 code:2xx code:2* code:[200 TO 299] code:200..299 code:..201 code:201.. code>=201 code:>200 code<202 code:{200 TO 202}",
        "code:(404 OR >=200)",
        "latency>500ms latency<=750ms latency:750ms latency:[0s TO 1s]",
        "size>1KiB size<4096 requestSize:* -responseSize:*",
        "ip:10.0.0.0/8 ip:203.0.113.7 peer:10.1.2.3 -peer:203.0.113.7 ip:203.0.*",
        "agent:kubectl agent:\"v1.36.2 (linux\" -agent:kube agent:kube*",
        "uri:/api/v1/namespaces/web uri:fieldManager",
        "reason:\"RoleBinding \\\"dev/web\\\"\"",
        "index:41 cluster:lab format:audit",
        "stage:responsecomplete level:requestresponse",
        "auditid:915743B8-F409-45d1-89fa-842c7dab438f",
        "trust:claimed-ip -trust:ok",
        "time>now-2h time:2026-11-21 time:2026-11-21T23:20 time<now time:[2026-11-21T23:00 TO now] time>10m",
        "-time>2026-11-21T23:20:00Z time>=2026-11-21T23:20:00Z",
        "monero",
        "MONERO latest \"docker.io/monero\"",
        "moner* *onero* -moner",
        "\"stratum+tcp://pool\"",
        "201 true",
        "-containers -hostNetwork",
        "request.spec.containers[*].image:\"*monero*\"",
        "request.spec.containers.image:nginx:1",
        "requestObject.spec.containers[1].image:docker.io/* -request.spec.containers[0].image:docker.io/*",
        "request.spec.containers.args:--url",
        "request.*.containers:* request.spec.*:3",
        "request.spec.replicas:3 request.spec.replicas>2 request.spec.replicas:1..5 request.spec.replicas:[3 TO 4}",
        "-request.spec.replicas>3 request.spec.hostNetwork:true -request.spec.none:* -request.nothing:*",
        "request:monero request.spec:(nginx AND monero) -request:kubectl -response:*",
        "request.metadata.labels.\"app.kubernetes.io/name\":web",
        "annotations.\"authorization.k8s.io/decision\":allow decision:allow",
        "user.extra.\"authentication.kubernetes.io/credential-id\":X509*",
        "event.stage:ResponseComplete event:monero",
        "verb:(get OR create) AND (user:bob OR user:alice)",
        "verb:get OR verb:list OR monero nginx",
        "!verb:get && -(user:bob || user:carol)",
        "user:(a* -bob)",
        "verb:(get, list, create)",
    ] {
        assert!(matches(text), "{text}");
        assert!(text.is_empty() || !matches(&format!("NOT ({text})")), "{text}");
    }
}

#[test]
fn false_of_the_event() {
    for text in [
        "verb:get",
        "user:alic",
        "code>201",
        "code:4xx",
        "name:*",
        "ip:11.0.0.0/8",
        "xmonero",
        "\"monero docker\"",
        "request.spec.replicas:3.0",
        "request.spec.Containers:*",
        "verb:get OR verb:list nginx",
        "error:*",
        "impersonated:*",
        "defect:*",
    ] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn quarantine_is_searched_as_text() {
    let row = Row {
        index: 0,
        received: NOW,
        cluster: "lab",
        format: Format::Quarantine,
        payload: b"<html>\xff nonsense",
        event: None,
        defect: Some("expected a value at byte 0"),
    };
    for text in
        ["nonsense", "format:quarantine", "defect:\"a value\"", "-verb:*", "trust:unread", "time:now", "size:16"]
    {
        assert!(Query::parse(text, &Context::utc(NOW)).unwrap().matches(&row), "{text}");
    }
}

#[test]
fn rows_have_stable_keys() {
    let entry = |format, payload| Entry { index: 41, received: NOW, cluster: "lab", format, payload };
    let show = |entry: Entry<'_>, raw| entry.with_row(|row| String::from_utf8(row.to_json(raw)).unwrap());
    expect![[r#"{"cluster":"lab","index":41,"time":"2026-11-21T23:20:00.750000Z","received":"2026-11-21T23:25:00.000000Z","user":"Alice","groups":["dev","system:authenticated"],"verb":"create","resource":"pods","subresource":"exec","namespace":"web","name":"","code":201,"decision":"allow","ips":["203.0.113.7","::ffff:10.1.2.3"],"agent":"kubectl/v1.36.2 (linux/amd64)","stage":"ResponseComplete","level":"RequestResponse","auditID":"915743b8-f409-45d1-89fa-842c7dab438f","trust":["claimed-ip"]}"#]].assert_eq(&show(entry(Format::Audit, EVENT.as_bytes()), Raw::Without));
    expect![[r#"{"cluster":"lab","index":41,"time":"2026-11-21T23:25:00.000000Z","received":"2026-11-21T23:25:00.000000Z","user":null,"groups":[],"verb":null,"resource":null,"subresource":null,"namespace":null,"name":null,"code":null,"decision":null,"ips":[],"agent":null,"stage":null,"level":null,"auditID":null,"trust":["unread"],"raw":"no\tevent�","rawBase64":"bm8JZXZlbnT/"}"#]].assert_eq(&show(entry(Format::Quarantine, b"no\tevent\xff"), Raw::With));
    let json = show(entry(Format::Audit, EVENT.as_bytes()), Raw::With);
    let raw = Json::whole(json.as_bytes()).unwrap().get("raw").unwrap().text().unwrap().into_owned();
    assert_eq!(raw, EVENT);
}

fn canonical(text: &str, wanted: &Expect) {
    wanted.assert_eq(&Query::parse(text, &Context::utc(NOW)).unwrap().to_string());
}

#[test]
fn canonical_texts() {
    for (text, wanted) in [
        (
            "verb:delete resource:secrets -user:system:*",
            expect!["verb:delete AND resource:secrets AND NOT user:system:*"],
        ),
        ("a b or c d", expect!["a AND b OR c AND d"]),
        ("a (b or c)", expect!["a AND (b OR c)"]),
        ("NOT NOT a", expect!["a"]),
        ("-(a b)", expect!["NOT (a AND b)"]),
        ("verb:get,list", expect!["verb:get OR verb:list"]),
        ("code>400", expect!["code>=401"]),
        ("latency>1s", expect!["latency>=1000001us"]),
        ("time>now-2h", expect!["time>=2026-11-21T21:25:00.000001Z"]),
        ("time:today", expect!["time:[2026-11-21T00:00:00.000000Z TO 2026-11-21T23:59:59.999999Z]"]),
        ("ip:10.0.0.5/8", expect!["ip:10.0.0.0/8"]),
        ("ip:10.0.0.5", expect!["ip:10.0.0.5/32"]),
        ("request.a[*].\"b.c\"[0]:x", expect![[r#"requestObject.a[*]."b.c"[0]:x"#]]),
        ("user:\"a b\"", expect![[r#"user:"a b""#]]),
        ("user:a\\*", expect![[r#"user:"a\*""#]]),
        ("ns:\"\"", expect!["NOT namespace:*"]),
        ("\"and\"", expect![[r#""and""#]]),
    ] {
        canonical(text, &wanted);
    }
}

#[test]
fn messages_point_and_suggest() {
    for (text, wanted) in [
        (
            "verb:get nmaespace:web",
            expect![[r#"

            verb:get nmaespace:web
                     ^^^^^^^^^
            there is no field `nmaespace`; did you mean `namespace`? To look for the text, put it in quotes
        "#]],
        ),
        (
            "requst.spec.x:1",
            expect![[r#"

            requst.spec.x:1
            ^^^^^^^^^^^^^
            there is no field `requst.spec.x`; did you mean `request.spec.x`? To look for the text, put it in quotes
        "#]],
        ),
        (
            "code:many",
            expect![[r#"

            code:many
                 ^^^^
            `many` does not fit `code`: expected a whole number
        "#]],
        ),
        (
            "time>yesterdy",
            expect![[r#"

            time>yesterdy
                 ^^^^^^^^
            `yesterdy` does not fit `time`: expected a time such as `now-2h`, `2026-11-21` or `2026-11-21T23:00:00Z`
        "#]],
        ),
        (
            "latency>5",
            expect![[r#"

            latency>5
                    ^
            `5` does not fit `latency`: expected a duration such as `500ms`, `2s` or `1h30m`
        "#]],
        ),
        (
            "user>5",
            expect![[r#"

            user>5
                 ^
            `user` has no order: use `user:value`, not a comparison or range
        "#]],
        ),
        (
            "(a or b",
            expect![[r#"

            (a or b
            ^
            the `(` is never closed
        "#]],
        ),
        (
            "a) b",
            expect![[r#"

            a) b
             ^
            expected AND, OR or the end of the query, found `)`
        "#]],
        ),
        (
            "user:\"abc",
            expect![[r#"

            user:"abc
                 ^
            the quote is never closed
        "#]],
        ),
        (
            "user:",
            expect![[r#"

            user:
                 ^
            expected a value, found the end
        "#]],
        ),
        (
            "a or",
            expect![[r#"

            a or
                ^
            expected a word, a phrase in quotes or `field:value`, found the end
        "#]],
        ),
        (
            "code:[1 2]",
            expect![[r#"

            code:[1 2]
                    ^^
            expected TO, found `2]`
        "#]],
        ),
        (
            "code:[5 TO 1]",
            expect![[r#"

            code:[5 TO 1]
                 ^^^^^^^^
            the range ends before it begins
        "#]],
        ),
        (
            "request.spec.replicas>many",
            expect![[r#"

            request.spec.replicas>many
                                  ^^^^
            `many` does not fit `requestObject.spec.replicas`: expected a number
        "#]],
        ),
        (
            "http://example.org",
            expect![[r#"

                http://example.org
                ^^^^
                there is no field `http`; to look for the text, put it in quotes
            "#]],
        ),
        (
            "\"\"",
            expect![[r#"

            ""
             ^
            expected text between the quotes, found `"`
        "#]],
        ),
    ] {
        let error = Query::parse(text, &Context::utc(NOW)).expect_err(text);
        wanted.assert_eq(&format!("\n{}\n", error.render(text)));
    }
}
