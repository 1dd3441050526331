//! The operator's side of the exchange.

use std::net::SocketAddr;
use std::sync::Arc;

use keypool_contract::exchange::{ExchangeRequest, ExchangeResponse};
use keypool_contract::limits::{EXCHANGE_PATH, EXCHANGE_SERVER_NAME};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::http::Exchange;
use super::pod::Pod;
use super::volume::{TOKEN, Volume};

/// Pinned to the pods' certificate.
pub(crate) struct Leader {
    at: SocketAddr,
    tls: TlsConnector,
}

impl Leader {
    pub(crate) fn new(pod: &Pod, volume: &Volume) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(volume.certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            at: pod.exchange,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    pub(crate) async fn ask(&self, request: &ExchangeRequest) -> ExchangeResponse {
        let stream = TcpStream::connect(self.at).await.unwrap();
        let name = ServerName::try_from(EXCHANGE_SERVER_NAME).unwrap();
        let stream = self.tls.connect(name, stream).await.unwrap();
        let head = format!("POST {EXCHANGE_PATH}\nauthorization: Bearer {TOKEN}");
        let body = request.to_body().unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        let (status, body) = Exchange::over(stream, &head, body).await.answer().await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}
