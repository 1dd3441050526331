//! The exchange's transport: TLS, a token, one path, strict limits.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keypool_contract::exchange::ExchangeRequest;
use keypool_contract::limits::{EXCHANGE_PATH, MAX_DOCUMENT_BYTES};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::identity::Identity;
use super::listen::{self, Standing};

/// The document, and the advisories that stand beside it.
const MAX_BODY: usize = MAX_DOCUMENT_BYTES + 1024 * 1024;
/// How long TLS may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers the leader until `stop`. Without an identity, connections are closed at once.
pub(crate) async fn serve(
    listener: TcpListener,
    exchange: Arc<Exchange>,
    identity: Arc<ArcSwapOption<Identity>>,
    stop: CancellationToken,
) {
    listen::accept(listener, stop, |stream, standing| {
        connection(stream, exchange.clone(), identity.clone(), standing)
    })
    .await;
}

async fn connection(
    stream: TcpStream,
    exchange: Arc<Exchange>,
    identity: Arc<ArcSwapOption<Identity>>,
    standing: Standing,
) {
    let Some(tls) = identity.load().as_ref().map(|identity| identity.tls.clone()) else {
        return;
    };
    let handshake = TlsAcceptor::from(tls).accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await else {
        return;
    };
    let service = service_fn(move |request| {
        let (exchange, identity, standing) = (exchange.clone(), identity.clone(), standing.clone());
        async move { Ok::<_, Infallible>(answer(request, &exchange, &identity, &standing).await) }
    });
    // A connection that breaks concerns only its peer. When it ends, a held poll is dropped with it.
    let _ = listen::http()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    exchange: &Exchange,
    identity: &ArcSwapOption<Identity>,
    standing: &Standing,
) -> Response<Full<Bytes>> {
    if !authorised(request.headers(), identity) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    standing.trust();
    if request.uri().path() != EXCHANGE_PATH || request.method() != Method::POST {
        return empty(StatusCode::NOT_FOUND);
    }
    let request = match read(request.into_body()).await {
        Ok(request) => request,
        Err(status) => return empty(status),
    };
    match exchange.answer(request).await {
        Ok(response) => json(StatusCode::OK, &response),
        Err(stale) => json(StatusCode::CONFLICT, &stale),
    }
}

fn authorised(headers: &HeaderMap, identity: &ArcSwapOption<Identity>) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Some(token) = value.as_bytes().strip_prefix(b"Bearer ") else {
        return false;
    };
    identity
        .load()
        .as_ref()
        .is_some_and(|identity| identity.knows(token))
}

/// Reads a request into one buffer that is wiped after use; of its size at once, because one that grows leaves copies behind.
async fn read(mut body: Incoming) -> Result<ExchangeRequest, StatusCode> {
    let size = body.size_hint().exact().ok_or(StatusCode::LENGTH_REQUIRED)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BODY);
    let size = size.ok_or(StatusCode::PAYLOAD_TOO_LARGE)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    let gathered = tokio::time::timeout(BODY_TIMEOUT, async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok::<_, StatusCode>(())
    });
    gathered.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
    ExchangeRequest::from_body(&bytes).map_err(|_| StatusCode::BAD_REQUEST)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let Ok(body) = serde_json::to_vec(body) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
