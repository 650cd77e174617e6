//! Who may send: tokens, client certificates, and certificates that change while serving.

use ingest::Reload;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::world::{Choice, World, event_list, events};

#[tokio::test(flavor = "multi_thread")]
async fn unknown_senders_get_401_and_nothing_else() {
    let world = World::start(Choice::default()).await;
    let client = world.bare_client().build().unwrap();
    let post = || client.post(world.url("/audit/prod")).body(event_list(&events(0..1)));
    let none = post().send().await.unwrap();
    assert_eq!(none.status(), 401);
    let text = none.text().await.unwrap();
    assert_eq!(text, "{\"error\":\"no credential: send a bearer token or a client certificate\"}\n");
    let wrong = post().bearer_auth("prod-0123456789abcdeF").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.text().await.unwrap(), "{\"error\":\"the bearer token is not known here\"}\n");
    assert_eq!(post().basic_auth("prod", Some("x")).send().await.unwrap().status(), 401);
    assert!(world.entries().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_names_the_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let path = directory.path().join("clients.crt");
    std::fs::write(&path, &ours.pem).unwrap();
    let world = World::start(Choice { client_authorities: Some(path), ..Choice::default() }).await;
    let post = async |identity: String, number: u64| {
        let identity = reqwest::Identity::from_pem(identity.as_bytes()).unwrap();
        let client = world.bare_client().identity(identity).build().unwrap();
        client.post(world.url("/audit/other")).body(testkit::event(number)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(ours.client("eu-prod", &[]), 1).await, 200);
    assert_eq!(post(ours.client("not a name!", &["us-prod"]), 2).await, 200);
    assert_eq!(post(ours.client("not a name!", &[]), 3).await, 401);
    assert_eq!(post(theirs.client("eu-prod", &[]), 4).await, 401);
    let clusters: Vec<_> = world.entries().into_iter().map(|(cluster, _)| cluster).collect();
    assert_eq!(clusters, ["eu-prod", "us-prod"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_while_requests_come() {
    let world = World::start(Choice::default()).await;
    let before = world.tls.fingerprint();
    let sending = {
        let (world_url, client) = (world.url("/"), world.bare_client());
        let client = client.pool_max_idle_per_host(0).build().unwrap(); // a handshake for each request
        tokio::spawn(async move {
            for number in 0..60 {
                let request = client.post(&world_url).bearer_auth(crate::world::PROD_TOKEN);
                let response = request.body(testkit::event(number)).send().await.unwrap();
                assert_eq!(response.status(), 200);
            }
        })
    };
    for round in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), format!("round-{round}.example")];
        world.files.ensure(&names).unwrap();
        assert!(matches!(world.tls.reload(), Ok(Reload::Changed(_))));
    }
    assert_eq!(world.tls.reload().unwrap(), Reload::Unchanged);
    sending.await.unwrap();
    assert_ne!(world.tls.fingerprint(), before);
    assert_eq!(world.entries().len(), 60);

    // A broken file changes nothing.
    std::fs::write(&world.files.key, "not a key").unwrap();
    let now = world.tls.fingerprint();
    assert!(world.tls.reload().unwrap_err().to_string().contains("server.key"));
    assert_eq!(world.tls.fingerprint(), now);
}

struct Authority {
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "clients");
        Self { pem: parameters.self_signed(&key).unwrap().pem(), key }
    }

    /// Certificate and key of a client.
    fn client(&self, name: &str, alternatives: &[&str]) -> String {
        let issuer = Issuer::from_ca_cert_pem(&self.pem, &self.key).unwrap();
        let key = KeyPair::generate().unwrap();
        let alternatives: Vec<String> = alternatives.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(alternatives).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.signed_by(&key, &issuer).unwrap().pem() + &key.serialize_pem()
    }
}
