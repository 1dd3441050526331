//! Who gets in.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use keypool_contract::exchange::{ExchangeRequest, ExchangeResponse, StaleTerm};
use keypool_contract::limits::{
    CERTIFICATE_FILE, EXCHANGE_PATH, EXCHANGE_SERVER_NAME, MAX_POLL_MS, PRIVATE_KEY_FILE, TOKEN_FILE,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Pod, loopback, request};
use crate::admin::{Identity, IdentityError, listen, serve_exchange};

const TOKEN: &str = "0123456789abcdef-token";

fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec![EXCHANGE_SERVER_NAME.to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn identity(token: &str) -> (Arc<Identity>, String) {
    let (certificate, key) = certificate();
    let identity = Identity::new(certificate.as_bytes(), key.as_bytes(), token.as_bytes()).unwrap();
    (Arc::new(identity), certificate)
}

/// One request to the exchange, as the leader sends it: pinned to the certificate.
async fn call(
    at: SocketAddr,
    root: &str,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> Option<(StatusCode, Bytes)> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(at).await.unwrap();
    let name = ServerName::try_from(EXCHANGE_SERVER_NAME).unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "pod");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let response = sender
        .send_request(request.body(Full::<Bytes>::from(body)).unwrap())
        .await
        .ok()?;
    let status = response.status();
    Some((status, response.into_body().collect().await.ok()?.to_bytes()))
}

#[tokio::test]
async fn the_transport_lets_in_the_leader_and_nobody_else() {
    let pod = Pod::running();
    let (first, root) = identity(TOKEN);
    let held = Arc::new(ArcSwapOption::from(Some(first)));
    let (listener, at) = loopback();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve_exchange(
        listener,
        pod.exchange.clone(),
        held.clone(),
        stop.clone(),
    ));
    let bearer = format!("Bearer {TOKEN}");
    let body = || request(3, None).to_body().unwrap().to_vec();
    let post = |token: Option<&'static str>, body| {
        let root = root.clone();
        async move {
            call(at, &root, Method::POST, EXCHANGE_PATH, token, body)
                .await
                .map(|(status, _)| status)
        }
    };

    let (status, answer) = call(at, &root, Method::POST, EXCHANGE_PATH, Some(&bearer), body())
        .await
        .unwrap();
    assert_eq!(status, StatusCode::OK);
    let answer: ExchangeResponse = serde_json::from_slice(&answer).unwrap();
    assert!(answer.snapshot);
    for token in [
        None,
        Some("Bearer "),
        Some("Bearer wrong"),
        Some("0123456789abcdef-token"),
        Some("Basic 0123456789abcdef-token"),
    ] {
        assert_eq!(
            post(token, body()).await,
            Some(StatusCode::UNAUTHORIZED),
            "{token:?}"
        );
    }
    for (method, path) in [
        (Method::GET, EXCHANGE_PATH),
        (Method::POST, "/"),
        (Method::GET, "/metrics"),
        (Method::POST, "/v1/exchange/"),
    ] {
        let (status, _) = call(at, &root, method, path, Some(&bearer), body())
            .await
            .unwrap();
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        let (status, _) = call(at, &root, Method::GET, path, None, Vec::new())
            .await
            .unwrap();
        assert_eq!(
            status,
            StatusCode::UNAUTHORIZED,
            "no path is told without a token"
        );
    }
    let mut stale = request(2, None);
    stale.reader = "former".into();
    let (status, answer) = call(
        at,
        &root,
        Method::POST,
        EXCHANGE_PATH,
        Some(&bearer),
        stale.to_body().unwrap().to_vec(),
    )
    .await
    .unwrap();
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(serde_json::from_slice::<StaleTerm>(&answer).unwrap().term, 3);
    let (status, answer) = call(
        at,
        &root,
        Method::POST,
        EXCHANGE_PATH,
        Some(&bearer),
        b"{\"canary\"".to_vec(),
    )
    .await
    .unwrap();
    assert_eq!((status, answer.len()), (StatusCode::BAD_REQUEST, 0));
    let huge = vec![b' '; 2 * keypool_contract::limits::MAX_DOCUMENT_BYTES + 2 * 1024 * 1024];
    let refused = call(at, &root, Method::POST, EXCHANGE_PATH, Some(&bearer), huge).await;
    assert!(refused.is_none_or(|(status, _)| status == StatusCode::PAYLOAD_TOO_LARGE));

    // Another identity: the old certificate is no longer shown, and of two tokens both are good.
    let (second, next_root) = identity("fedcba9876543210-next\n0123456789abcdef-token\n");
    held.store(Some(second));
    assert_eq!(post(Some("Bearer 0123456789abcdef-token"), body()).await, None);
    for token in [&*bearer, "Bearer fedcba9876543210-next"] {
        let (status, _) = call(at, &next_root, Method::POST, EXCHANGE_PATH, Some(token), body())
            .await
            .unwrap();
        assert_eq!(status, StatusCode::OK);
    }
    held.store(None);
    assert!(
        call(at, &next_root, Method::POST, EXCHANGE_PATH, Some(&bearer), body())
            .await
            .is_none()
    );
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_held_poll_outlives_any_number_of_strangers() {
    let pod = Pod::running();
    let (identity, root) = identity(TOKEN);
    let held = Arc::new(ArcSwapOption::from(Some(identity)));
    let (listener, at) = loopback();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve_exchange(listener, pod.exchange.clone(), held, stop.clone()));
    let bearer = format!("Bearer {TOKEN}");
    let post = |request: ExchangeRequest| {
        let (root, bearer) = (root.clone(), bearer.clone());
        let body = request.to_body().unwrap().to_vec();
        async move { call(at, &root, Method::POST, EXCHANGE_PATH, Some(&bearer), body).await }
    };
    let (_, first) = post(request(1, None)).await.unwrap();
    let first: ExchangeResponse = serde_json::from_slice(&first).unwrap();
    let mut poll = request(1, Some(&first));
    poll.wait_ms = MAX_POLL_MS;
    // An advisory that it brings shows that it has arrived.
    poll.advisories = Some(Vec::new());
    let poll = tokio::spawn(post(poll));
    pod.pool.briefed().cancelled().await;
    let mut strangers = Vec::new();
    for _ in 0..2 * listen::CONNECTIONS {
        strangers.push(TcpStream::connect(at).await.unwrap());
    }
    // Let in after the strangers: all of them have been dealt with.
    let (_, last) = post(request(1, None)).await.unwrap();
    assert!(serde_json::from_slice::<ExchangeResponse>(&last).is_ok());
    pod.limit(45);
    let (status, _) = poll.await.unwrap().expect("an answer to the held poll");
    assert_eq!(status, StatusCode::OK);
    drop(strangers);
    stop.cancel();
    serving.await.unwrap();
}

#[test]
fn an_identity_needs_all_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let (_, other_key) = self::certificate();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    assert!(matches!(
        Identity::read(directory.path()),
        Err(IdentityError::Read { .. })
    ));
    write(CERTIFICATE_FILE, &certificate);
    write(PRIVATE_KEY_FILE, &key);
    for (token, good) in [
        ("", false),
        ("\n\n", false),
        ("short", false),
        (TOKEN, true),
        ("0123456789abcdef\nshort", false),
    ] {
        write(TOKEN_FILE, token);
        let read = Identity::read(directory.path());
        assert_eq!(read.is_ok(), good, "{token:?}");
        assert!(good || matches!(read, Err(IdentityError::Token)));
    }
    write(TOKEN_FILE, &format!("{TOKEN}\n"));
    let read = Identity::read(directory.path()).unwrap();
    assert!(read.knows(TOKEN.as_bytes()));
    assert!(!read.knows(b"") && !read.knows(b"0123456789abcdef-tokeN"));
    write(PRIVATE_KEY_FILE, &other_key);
    assert!(matches!(
        Identity::read(directory.path()),
        Err(IdentityError::Certificate)
    ));
}
