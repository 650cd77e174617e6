//! What people do in the cluster: a table of raw requests, each with the answers it may get.

use anyhow::{Context, Result, ensure};
use reqwest::Method;

use crate::apiserver::ApiServer;

/// One request.
pub(crate) struct Call {
    token: &'static str,
    method: Method,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// Status codes that belong to the story.
    answers: &'static [u16],
}

const ADMIN: &str = "token-of-admin";
const ALICE: &str = "token-of-alice";
const MALLORY: &str = "token-of-mallory";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const MERGE: &[(&str, &str)] = &[("content-type", "application/merge-patch+json")];
const APPLY: &[(&str, &str)] = &[("content-type", "application/apply-patch+yaml")];
const EXEC: &[(&str, &str)] = &[
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "a3ViZXdpdG5lc3MgZTJlIQ=="),
    ("sec-websocket-protocol", "v5.channel.k8s.io"),
];

/// The address that mallory pretends to come from; a documentation address, so nobody's.
pub(crate) const SPOOFED_ADDRESS: &str = "203.0.113.66";
/// The audit id that mallory chose. An API server takes any text.
pub(crate) const SPOOFED_AUDIT_ID: &str = "chosen-by-mallory";

/// Everything in order.
pub(crate) const STORY: &[Call] = &[
    Call {
        token: ADMIN,
        method: Method::POST,
        path: "/api/v1/namespaces",
        headers: JSON,
        body: r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web"}}"#,
        answers: &[201],
    },
    Call {
        token: ADMIN,
        method: Method::POST,
        path: "/apis/rbac.authorization.k8s.io/v1/namespaces/web/rolebindings",
        headers: JSON,
        body: r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"alice"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"alice@example.com"}]}"#,
        answers: &[201],
    },
    // Rights reach the authorizer through a watch, so alice's first call may come too early.
    Call {
        token: ALICE,
        method: Method::POST,
        path: "/apis/apps/v1/namespaces/web/deployments",
        headers: JSON,
        body: r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"frontend"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"frontend"}},"template":{"metadata":{"labels":{"app":"frontend"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1"}]}}}}"#,
        answers: &[201],
    },
    Call {
        token: ALICE,
        method: Method::PATCH,
        path: "/apis/apps/v1/namespaces/web/deployments/frontend",
        headers: MERGE,
        body: r#"{"spec":{"replicas":5}}"#,
        answers: &[200],
    },
    Call {
        token: ALICE,
        method: Method::DELETE,
        path: "/apis/apps/v1/namespaces/web/deployments/frontend",
        headers: &[],
        body: "",
        answers: &[200],
    },
    Call {
        token: ALICE,
        method: Method::POST,
        path: "/api/v1/namespaces/web/secrets",
        headers: JSON,
        body: r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"password"},"stringData":{"password":"correct horse battery staple"}}"#,
        answers: &[201],
    },
    Call {
        token: ALICE,
        method: Method::GET,
        path: "/api/v1/namespaces/web/secrets/password",
        headers: &[],
        body: "",
        answers: &[200],
    },
    Call {
        token: ALICE,
        method: Method::POST,
        path: "/api/v1/namespaces/web/configmaps",
        headers: JSON,
        body: r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"umlaut"},"data":{"greeting":"Grüße <&> \u2028 😀"}}"#,
        answers: &[201],
    },
    Call {
        token: ALICE,
        method: Method::DELETE,
        path: "/api/v1/namespaces/web/configmaps",
        headers: &[],
        body: "",
        answers: &[200],
    },
    Call {
        token: ALICE,
        method: Method::PATCH,
        path: "/api/v1/namespaces/web/configmaps/applied?fieldManager=e2e",
        headers: APPLY,
        body: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  from: yaml\n",
        answers: &[201],
    },
    Call {
        token: ALICE,
        method: Method::POST,
        path: "/api/v1/namespaces/web/pods",
        headers: JSON,
        body: r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"shell"},"spec":{"nodeName":"nowhere","containers":[{"name":"c","image":"registry.example/shell:1"}]}}"#,
        answers: &[201],
    },
    // No kubelet stands behind the Pod: the attempt is what counts.
    Call {
        token: ALICE,
        method: Method::GET,
        path: "/api/v1/namespaces/web/pods/shell/exec?command=id&stdout=true",
        headers: EXEC,
        body: "",
        answers: &[400, 404, 500, 502],
    },
    Call {
        token: ALICE,
        method: Method::POST,
        path: "/api/v1/namespaces/web/pods/shell/exec?command=id&stdout=true",
        headers: &[],
        body: "",
        answers: &[400, 404, 500, 502],
    },
    Call {
        token: "no-such-token",
        method: Method::GET,
        path: "/api/v1/secrets",
        headers: &[],
        body: "",
        answers: &[401],
    },
    Call {
        token: MALLORY,
        method: Method::GET,
        path: "/api/v1/namespaces/web/secrets",
        headers: &[],
        body: "",
        answers: &[403],
    },
    Call {
        token: MALLORY,
        method: Method::GET,
        path: "/api/v1/namespaces/web/secrets",
        headers: &[("impersonate-user", "admin"), ("impersonate-group", "system:masters")],
        body: "",
        answers: &[403],
    },
    Call {
        token: ADMIN,
        method: Method::GET,
        path: "/api/v1/namespaces/web/secrets",
        headers: &[("impersonate-user", "alice@example.com")],
        body: "",
        answers: &[200],
    },
    Call {
        token: MALLORY,
        method: Method::GET,
        path: "/api/v1/nodes",
        headers: &[("x-forwarded-for", "203.0.113.66, 10.1.2.3")],
        body: "",
        answers: &[403],
    },
    Call {
        token: MALLORY,
        method: Method::GET,
        path: "/api/v1/pods",
        headers: &[("audit-id", SPOOFED_AUDIT_ID)],
        body: "",
        answers: &[403],
    },
    Call { token: ALICE, method: Method::GET, path: "/no/such/path", headers: &[], body: "", answers: &[403] },
];

/// Tries of a call that is refused only because rights have not arrived yet.
const TRIES: u32 = 50;

/// Plays the story.
pub(crate) async fn play(server: &ApiServer) -> Result<()> {
    for call in STORY {
        play_call(server, call).await.with_context(|| format!("{} {}", call.method, call.path))?;
    }
    Ok(())
}

async fn play_call(server: &ApiServer, call: &Call) -> Result<()> {
    let mut status = 0;
    for _ in 0..TRIES {
        let mut request = server.request(call.method.clone(), call.path, call.token);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        status = request.body(call.body).send().await?.status().as_u16();
        if call.answers.contains(&status) {
            return Ok(());
        }
        ensure!(status == 403, "answered {status}, wanted {:?}", call.answers);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("answered {status} every time, wanted {:?}", call.answers)
}

/// Objects made, read and removed by one client while the receiver is killed.
pub(crate) async fn load(server: &ApiServer, client: u32, objects: u32) -> Result<()> {
    for number in 0..objects {
        let name = format!("load-{client}-{number}");
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"n":"{number}"}}}}"#
        );
        let folder = "/api/v1/namespaces/web/configmaps";
        let create = server.request(Method::POST, folder, ALICE).header("content-type", "application/json").body(body);
        ensure!(create.send().await?.status() == 201, "creating {name}");
        let path = format!("{folder}/{name}");
        ensure!(server.request(Method::GET, &path, ALICE).send().await?.status() == 200, "reading {name}");
        ensure!(server.request(Method::DELETE, &path, ALICE).send().await?.status() == 200, "removing {name}");
    }
    Ok(())
}
