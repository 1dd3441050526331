//! A new connection: name, TCP, TLS, all within one limit.
//!
//! Keep-alive probes and the user timeout end a connection whose peer vanished without a word within half a minute;
//! without them it would hang until the answer's timeout. `TCP_NODELAY` is worth 40 ms per stream.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustls::{CertificateError, Error as TlsError};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::{TlsFault, UpstreamError};
use super::resolve::Resolver;
use super::stream::Stream;
use crate::runtime::Endpoint;

/// How long an address may take before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// Silence after which the peer is asked whether it is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
/// Time between two such questions.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// How long written bytes may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Connects within the endpoint's connect timeout.
pub(super) async fn connect(endpoint: &Endpoint, resolver: &Resolver) -> Result<Stream, UpstreamError> {
    tokio::time::timeout(endpoint.connect_timeout, open(endpoint, resolver))
        .await
        .unwrap_or(Err(UpstreamError::ConnectTimeout))
}

async fn open(endpoint: &Endpoint, resolver: &Resolver) -> Result<Stream, UpstreamError> {
    let addresses = resolver.resolve(&endpoint.key.host, endpoint.key.port).await?;
    let tcp = dial(&addresses).await.map_err(|_| UpstreamError::Refused)?;
    let Some((config, name)) = &endpoint.tls else {
        return Ok(Stream::Plain(tcp));
    };
    let tls = TlsConnector::from(config.clone())
        .connect(name.clone(), tcp)
        .await
        .map_err(|error| UpstreamError::TlsInvalid(fault(&error)))?;
    Ok(Stream::Tls(Box::new(tls)))
}

/// The first address that accepts; each gets a head start over the next.
async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(address) => attempts.push(dial_one(*address)),
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        let head_start = async {
            if waiting.len() == 0 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STAGGER).await;
        };
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = head_start => {}
        }
    }
}

async fn dial_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

fn fault(error: &io::Error) -> TlsFault {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match error {
        Some(TlsError::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongName
            }
            _ => TlsFault::Untrusted,
        },
        _ => TlsFault::Handshake,
    }
}
