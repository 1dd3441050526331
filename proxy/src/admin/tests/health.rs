//! What Kubernetes and Prometheus are told.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Pod, loopback};
use crate::admin::{Health, KeyMetrics, serve_health};
use crate::config::Origin;
use crate::runtime::fixtures::{encode, simple};

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

#[tokio::test]
async fn health_says_what_kubernetes_asks_and_nothing_of_the_configuration() {
    let pod = Pod::new();
    pod.metrics
        .collect(KeyMetrics::new(pod.pool.clone(), pod.runtime.clone()));
    let draining = CancellationToken::new();
    let health = Arc::new(Health::new(
        pod.runtime.clone(),
        pod.pool.clone(),
        pod.metrics.clone(),
        draining.clone(),
    ));
    let (listener, at) = loopback();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve_health(listener, health, stop.clone()));
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
