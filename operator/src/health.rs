//! The operator's own health and metrics, on one port.
//!
//! Ready means that the first list of every watch is in. Alive means that no mandatory watch has been broken for long;
//! leadership plays no part, because a waiting instance is as healthy as the leader.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::k8s::watch::Watchdog;
use crate::telemetry::Metrics;

/// After this long without a working watch the process starts anew.
const BROKEN_LIMIT: Duration = Duration::from_secs(300);

/// What the health port tells.
#[derive(Clone)]
pub struct Health {
    ready: Arc<AtomicBool>,
    watchdog: Watchdog,
    metrics: Metrics,
}

impl Health {
    /// Not ready yet.
    pub fn new(watchdog: Watchdog, metrics: Metrics) -> Self {
        Self {
            ready: Arc::default(),
            watchdog,
            metrics,
        }
    }

    /// The first list of every watch is in.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(self, address: SocketAddr) -> std::io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let health = self.clone();
                        tokio::spawn(async move {
                            let service = service_fn(move |request| {
                                std::future::ready(Ok::<_, Infallible>(health.answer(&request)))
                            });
                            let mut server = hyper::server::conn::http1::Builder::new();
                            server
                                .timer(TokioTimer::new())
                                .header_read_timeout(Duration::from_secs(10))
                                .max_buf_size(16 * 1024);
                            // A prober that hangs up early is no news.
                            let _ = server.serve_connection(TokioIo::new(stream), service).await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a health connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(())
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
        }
        match request.uri().path() {
            "/healthz" => match self.watchdog.broken(BROKEN_LIMIT).as_slice() {
                [] => text(StatusCode::OK, "ok\n".into()),
                broken => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("broken watches: {}\n", broken.join(", ")),
                ),
            },
            "/readyz" if self.ready.load(Ordering::Relaxed) => text(StatusCode::OK, "ok\n".into()),
            "/readyz" => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "waiting for the first lists\n".into(),
            ),
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.metrics.render());
                let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(format));
                response
            }
            _ => text(StatusCode::NOT_FOUND, "not found\n".into()),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
