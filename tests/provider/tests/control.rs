//! The control API through its client, and TLS with its faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{ask, chat, status};
use keypool_fake_provider::{
    Answer, Client, ErrorKind, FakeProvider, Key, KeyState, Limit, ListenerMode, ListenerName, Options, Rule,
    Scenario, TlsFault,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

fn controlled() -> (FakeProvider, Client) {
    let fake = FakeProvider::start(
        Options::with_keys([Key::new("a", "sk-a")])
            .tls(&["fake.test"])
            .controlled(),
    )
    .unwrap();
    let client = Client::new(fake.addresses().control.unwrap());
    (fake, client)
}

#[tokio::test]
async fn everything_can_be_told_by_the_control_port() {
    let (fake, client) = controlled();
    assert_eq!(client.addresses().await.unwrap(), *fake.addresses());
    client
        .set_key_state("a", KeyState::Refused(ErrorKind::BillingNotActive))
        .await
        .unwrap();
    assert_eq!(status(&ask(&fake, &chat("sk-a", false)).0), 429);
    client.rotate_key("a", "sk-2").await.unwrap();
    client.put_key(&Key::new("b", "sk-b")).await.unwrap();
    assert_eq!(status(&ask(&fake, &chat("sk-2", false)).0), 200);
    let name = client
        .add_rule(&Rule::new(Answer::status(500)).named("oops"))
        .await
        .unwrap();
    assert_eq!(name, "oops");
    assert_eq!(status(&ask(&fake, &chat("sk-b", false)).0), 500);
    client.remove_rule("oops").await.unwrap();
    assert!(
        client
            .remove_rule("oops")
            .await
            .unwrap_err()
            .to_string()
            .contains("no rule is named")
    );
    client
        .set_limits(&[Limit {
            requests_per_minute: Some(1),
            ..Limit::default()
        }])
        .await
        .unwrap();
    let scenario = client.scenario().await.unwrap();
    assert_eq!(
        (scenario.keys.len(), scenario.limits.len(), scenario.rules.len()),
        (2, 1, 0)
    );
    let log = client
        .wait_for_log(Duration::from_secs(5), |log| log.len() == 3)
        .await
        .unwrap();
    assert_eq!(log[1].key, "a");
    assert_eq!(client.log(2).await.unwrap().len(), 1);
    assert_eq!(client.counts().await.unwrap().keys["b"].statuses[&500], 1);
    client.remove_key("b").await.unwrap();
    client.reset().await.unwrap();
    assert_eq!(
        fake.scenario(),
        Scenario {
            keys: vec![Key::new("a", "sk-a")],
            ..Scenario::default()
        }
    );
    assert!(client.log(0).await.unwrap().is_empty());
    let refused = client
        .set_scenario(&Scenario {
            keys: vec![Key::new("a", "1"); 2],
            ..Scenario::default()
        })
        .await;
    assert!(refused.unwrap_err().to_string().contains("used twice"));
    client.record(false).await.unwrap();
    ask(&fake, &chat("sk-a", false));
    assert!(client.log(0).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_control_port_lives_while_the_provider_refuses() {
    let (fake, client) = controlled();
    client
        .set_listener(ListenerName::Http, ListenerMode::Refuse)
        .await
        .unwrap();
    assert!(std::net::TcpStream::connect(fake.addresses().http.unwrap()).is_err());
    client
        .set_listener(ListenerName::Http, ListenerMode::Open)
        .await
        .unwrap();
    assert_eq!(status(&ask(&fake, &chat("sk-a", false)).0), 200);
}

async fn handshake(fake: &FakeProvider, ca: &str, name: &'static str) -> Result<(), std::io::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(fake.addresses().https.unwrap()).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), tcp)
        .await
        .map(drop)
}

#[tokio::test]
async fn certificates_are_good_or_bad_as_told() {
    let (fake, client) = controlled();
    let ca = client.ca_pem().await.unwrap();
    handshake(&fake, &ca, "fake.test").await.unwrap();
    handshake(&fake, &ca, "localhost").await.unwrap();
    let error = handshake(&fake, &ca, "other.test").await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    for (fault, expected) in [
        (TlsFault::Expired, "expired"),
        (TlsFault::WrongName, "not valid for name"),
        (TlsFault::UnknownCa, "UnknownIssuer"),
        (TlsFault::Plaintext, "corrupt"),
        (TlsFault::Close, "eof"),
    ] {
        client.set_tls_fault(fault).await.unwrap();
        let error = handshake(&fake, &ca, "fake.test").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{fault:?}: {error}");
    }
    client.set_tls_fault(TlsFault::Stall).await.unwrap();
    let stalled = tokio::time::timeout(Duration::from_millis(200), handshake(&fake, &ca, "fake.test")).await;
    assert!(stalled.is_err());
    client.set_tls_fault(TlsFault::None).await.unwrap();
    handshake(&fake, &ca, "fake.test").await.unwrap();
    assert!(fake.log(0).is_empty());
}
