//! The few requests that local mode itself sends, each on a connection of its own, to its own proxy.

use std::net::SocketAddr;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than a short answer takes and shorter than a person waits.
const LIMIT: Duration = Duration::from_secs(30);

/// A request that got no whole answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Request(#[from] ::http::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    /// No end of the answer in time.
    #[error("no whole answer within {} s", LIMIT.as_secs())]
    TimedOut,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answer, HttpError> {
    send(address, Request::get(path).body(Full::default())?).await
}

pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    key: &str,
    json: String,
) -> Result<Answer, HttpError> {
    let request = Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(json))?;
    send(address, request).await
}

async fn send(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Result<Answer, HttpError> {
    if let Ok(host) = address.to_string().parse() {
        request.headers_mut().insert(HOST, host);
    }
    let exchange = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| HttpError::Connect { address, source })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok(Answer { status, body })
        };
        tokio::pin!(connection);
        tokio::pin!(answer);
        let mut open = true;
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                // The answer tells how a connection ended.
                _ = &mut connection, if open => open = false,
            }
        }
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .unwrap_or(Err(HttpError::TimedOut))
}
