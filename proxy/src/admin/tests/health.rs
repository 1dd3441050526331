//! What Kubernetes and Prometheus are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Pod, loopback};
use crate::admin::{Health, KeyMetrics, listen, serve_health};
use crate::config::Origin;
use crate::runtime::fixtures::{encode, simple};

/// Nothing here takes as long; what does not happen in this time does not happen.
const LIMIT: Duration = Duration::from_secs(15);

async fn get(at: SocketAddr, method: Method, path: &str) -> (StatusCode, String) {
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "pod");
    let response = sender
        .send_request(request.body(Full::<Bytes>::default()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

struct Port {
    at: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

fn open(pod: &Pod, draining: CancellationToken) -> Port {
    let (runtime, pool, metrics) = (pod.runtime.clone(), pod.pool.clone(), pod.metrics.clone());
    let health = Arc::new(Health::new(runtime, pool, metrics, draining));
    let (listener, at) = loopback();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve_health(listener, health, stop.clone()));
    Port { at, stop, serving }
}

#[tokio::test]
async fn strangers_that_hold_connections_keep_nobody_from_an_answer() {
    let port = open(&Pod::new(), CancellationToken::new());
    let mut strangers = Vec::new();
    for number in 0..2 * listen::CONNECTIONS {
        let mut stranger = TcpStream::connect(port.at).await.unwrap();
        if number % 2 == 0 {
            // Asks ahead, and reads nothing.
            let asked = "GET /metrics HTTP/1.1\r\nhost: pod\r\n\r\n".repeat(100);
            stranger.write_all(asked.as_bytes()).await.unwrap();
        }
        strangers.push(stranger);
    }
    let asked = get(port.at, Method::GET, "/healthz");
    let answered = tokio::time::timeout(LIMIT, asked).await.expect("an answer");
    assert_eq!(answered.0, StatusCode::OK);
    // The places are full again; the end waits for none of them.
    for _ in 0..listen::CONNECTIONS {
        strangers.push(TcpStream::connect(port.at).await.unwrap());
    }
    port.stop.cancel();
    let ended = tokio::time::timeout(LIMIT, port.serving).await;
    ended.expect("the end of the listener").unwrap();
}

#[tokio::test]
async fn a_connection_brings_one_answer() {
    let port = open(&Pod::new(), CancellationToken::new());
    let mut stream = TcpStream::connect(port.at).await.unwrap();
    let asked = "GET /healthz HTTP/1.1\r\nhost: pod\r\n\r\n".repeat(2);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // The end may be a reset: the second question was not read.
    let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut said))
        .await
        .expect("the end of the connection");
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.matches("HTTP/1.1 200").count(), 1, "{said}");
    assert!(said.contains("connection: close"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_given_up() {
    let port = open(&Pod::new(), CancellationToken::new());
    let mut stream = TcpStream::connect(port.at).await.unwrap();
    // With nothing left to do, the paused clock goes on to the connection's limit.
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn health_says_what_kubernetes_asks_and_nothing_of_the_configuration() {
    let pod = Pod::new();
    pod.metrics
        .collect(KeyMetrics::new(pod.pool.clone(), pod.runtime.clone()));
    let draining = CancellationToken::new();
    let Port { at, stop, serving } = open(&pod, draining.clone());
    let status = |path: &'static str| async move { get(at, Method::GET, path).await.0 };

    assert_eq!(status("/healthz").await, StatusCode::OK);
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    pod.intake.offer(Origin::Mounted, &encode(&simple(3)));
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    pod.pool.advise(&[]);
    assert_eq!(status("/readyz").await, StatusCode::OK);
    for path in ["/", "/config", "/debug/pprof", "/v1/exchange", "/metrics/"] {
        assert_eq!(status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        get(at, Method::POST, "/metrics").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );

    pod.limit(45);
    let (_, metrics) = get(at, Method::GET, "/metrics").await;
    for line in [
        "keypool_config_generation 3",
        "keypool_config_last_reload_successful 1",
        "keypool_key_state{provider=\"p\",credential=\"k1\",state=",
        "state=\"CoolingDown\"} 1",
        "keypool_key_cooldown_remaining_seconds{provider=\"p\",credential=\"k",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    draining.cancel();
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status("/healthz").await, StatusCode::OK);
    stop.cancel();
    serving.await.unwrap();
}
