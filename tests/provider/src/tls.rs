//! The provider's own certificates, good and bad, made at start.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What is wrong with the next handshakes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsFault {
    /// Nothing.
    #[default]
    None,
    /// The certificate is of the year 2020.
    Expired,
    /// The certificate is for `wrong.invalid`.
    WrongName,
    /// The certificate is signed by another CA than the published one.
    UnknownCa,
    /// The handshake never goes on.
    Stall,
    /// The connection is closed instead of a handshake.
    Close,
    /// HTTP in clear is said instead of a handshake.
    Plaintext,
}

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Making keys or certificates failed.
    #[error("certificate for {names:?} could not be made: {error}")]
    Certificate {
        /// For these names.
        names: Vec<String>,
        /// Why.
        error: rcgen::Error,
    },
    /// The TLS library refused them.
    #[error("certificate for {names:?} is not accepted: {error}")]
    Config {
        /// For these names.
        names: Vec<String>,
        /// Why.
        error: rustls::Error,
    },
}

/// Certificates of one provider, and the fault that is set.
#[derive(Debug)]
pub(crate) struct Tls {
    ca_pem: String,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
    unknown_ca: Arc<ServerConfig>,
    fault: ArcSwap<TlsFault>,
}

/// How a handshake went.
pub(crate) enum Handshake {
    Done(Box<TlsStream<TcpStream>>),
    Failed,
}

type Ca = CertifiedIssuer<'static, KeyPair>;

impl Tls {
    /// A CA of its own and certificates for these DNS names and addresses.
    pub(crate) fn new(names: &[String]) -> Result<Self, TlsError> {
        let (ca, other) = (ca("Fake provider CA")?, ca("Another CA")?);
        let wrong = ["wrong.invalid".to_owned()];
        Ok(Self {
            ca_pem: ca.pem(),
            good: server(&ca, names, 2120)?,
            expired: server(&ca, names, 2020)?,
            wrong_name: server(&ca, &wrong, 2120)?,
            unknown_ca: server(&other, names, 2120)?,
            fault: ArcSwap::default(),
        })
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn set_fault(&self, fault: TlsFault) {
        self.fault.store(Arc::new(fault));
    }

    pub(crate) async fn handshake(&self, tcp: TcpStream) -> Handshake {
        let config = match **self.fault.load() {
            TlsFault::None => &self.good,
            TlsFault::Expired => &self.expired,
            TlsFault::WrongName => &self.wrong_name,
            TlsFault::UnknownCa => &self.unknown_ca,
            fault => {
                spoil(tcp, fault).await;
                return Handshake::Failed;
            }
        };
        match TlsAcceptor::from(config.clone()).accept(tcp).await {
            Ok(stream) => Handshake::Done(Box::new(stream)),
            Err(_) => Handshake::Failed,
        }
    }
}

/// No handshake. The client's hello is read first, so that closing sends FIN and not RST.
async fn spoil(mut tcp: TcpStream, fault: TlsFault) {
    let mut heard = [0; 4096];
    if !tcp.read(&mut heard).await.is_ok_and(|n| n > 0) {
        return;
    }
    match fault {
        TlsFault::Plaintext => {
            let text = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = tcp.write_all(text).await;
        }
        // Until the client gives up.
        TlsFault::Stall => while tcp.read(&mut heard).await.is_ok_and(|n| n > 0) {},
        _ => {}
    }
}

fn ca(name: &str) -> Result<Ca, TlsError> {
    let failed = |error| TlsError::Certificate {
        names: vec![name.to_owned()],
        error,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2120, 1, 1));
    let key = KeyPair::generate().map_err(failed)?;
    CertifiedIssuer::self_signed(params, key).map_err(failed)
}

fn server(ca: &Ca, names: &[String], until: i32) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |error| TlsError::Certificate {
        names: names.to_vec(),
        error,
    };
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "fake provider");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    (params.not_before, params.not_after) = (date_time_ymd(2019, 6, 1), date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, ca).map_err(failed)?;
    config(certificate.der().clone(), &key).map_err(|error| TlsError::Config {
        names: names.to_vec(),
        error,
    })
}

fn config(certificate: CertificateDer<'static>, key: &KeyPair) -> Result<Arc<ServerConfig>, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Names that always are on the certificate.
pub(crate) fn with_local_names(names: &[String]) -> Vec<String> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut all = names.to_vec();
    all.extend(local.into_iter().filter(|name| !names.contains(name)));
    all
}
