//! Liveness, readiness, metrics.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text;
use tokio_util::sync::CancellationToken;

use super::listen;
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::telemetry::Metrics;

/// How long a connection may take, its answer included.
const LIFETIME: Duration = Duration::from_secs(10);
const METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What the health listener looks at.
pub struct Health {
    runtime: Arc<Runtime>,
    pool: Arc<Pool>,
    metrics: Arc<Metrics>,
    draining: CancellationToken,
}

/// Answers on the health listener until `stop`.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, stop: CancellationToken) {
    listen::accept(listener, stop, |stream, _| {
        let health = health.clone();
        async move {
            let service = service_fn(move |request| {
                let response = health.answer(&request);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut http = listen::http();
            // One question, one answer: a peer that asks ahead and reads nothing makes no work.
            http.keep_alive(false);
            // A connection that breaks, or takes too long, concerns only its peer.
            let _ =
                tokio::time::timeout(LIFETIME, http.serve_connection(TokioIo::new(stream), service)).await;
        }
    })
    .await;
}

impl Health {
    /// `draining` is cancelled when the process begins to end.
    pub fn new(
        runtime: Arc<Runtime>,
        pool: Arc<Pool>,
        metrics: Arc<Metrics>,
        draining: CancellationToken,
    ) -> Self {
        Self {
            runtime,
            pool,
            metrics,
            draining,
        }
    }

    /// Answers a request by its method and path alone.
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let (status, kind, body) = match request.uri().path() {
            "/healthz" => (StatusCode::OK, TEXT, "ok\n".into()),
            "/readyz" => match self.unready() {
                None => (StatusCode::OK, TEXT, "ok\n".into()),
                Some(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
            },
            "/metrics" => self.metrics(),
            _ => (StatusCode::NOT_FOUND, TEXT, "not found\n".into()),
        };
        let allowed = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = if allowed || status == StatusCode::NOT_FOUND {
            Response::new(Full::from(body))
        } else {
            let mut refused = Response::new(Full::from("only GET\n"));
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        };
        *response.status_mut() = if allowed || status == StatusCode::NOT_FOUND {
            status
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        };
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    /// Why no request should come here; none when they may.
    fn unready(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("draining");
        }
        if self.runtime.current().is_none() {
            return Some("no valid configuration yet");
        }
        if !self.pool.briefed().is_cancelled() {
            return Some("not told yet what is known about the keys");
        }
        None
    }

    fn metrics(&self) -> (StatusCode, HeaderValue, String) {
        let mut body = String::with_capacity(16 * 1024);
        match text::encode(&mut body, &self.metrics.registry.read()) {
            Ok(()) => (StatusCode::OK, METRICS, body),
            Err(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                "metrics cannot be written\n".into(),
            ),
        }
    }
}
