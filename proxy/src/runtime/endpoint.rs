//! Where a provider is reached: parsed once, with everything that a connection and a request line need.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;
use keypool_contract::{ConfigErrorCode, ProviderType};
use keypool_dialect::endpoint::Endpoint as BaseUrl;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::tls::TlsConfigs;

/// One provider's address.
#[derive(Debug)]
pub struct Endpoint {
    /// What connections are shared by.
    pub key: EndpointKey,
    /// The `host` header: host, and the port where the URL names one.
    pub host_header: HeaderValue,
    /// TLS settings and the name to verify; none for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    base: BaseUrl,
    chat_completions: PathAndQuery,
    embeddings: PathAndQuery,
    models: PathAndQuery,
}

/// Two endpoints of one key share connections: the API key is only a header. The server name is the host.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EndpointKey {
    /// Whether TLS is spoken.
    pub https: bool,
    /// Host in lower case; an IPv6 address without brackets.
    pub host: Box<str>,
    /// The port, explicit or the scheme's.
    pub port: u16,
    /// Which certificates are trusted.
    pub roots: Roots,
}

/// Which certificates an endpoint trusts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Roots {
    /// Mozilla's list, as built in.
    Public,
    /// A private bundle, which replaces the public list; named by its SHA-256.
    Private([u8; 32]),
}

impl Endpoint {
    pub(super) fn new(
        url: &str,
        ca_bundle: Option<&str>,
        provider_type: ProviderType,
        connect_timeout: Duration,
        configs: &mut TlsConfigs,
    ) -> Result<Self, ConfigErrorCode> {
        let invalid = ConfigErrorCode::InvalidUrl;
        let base = BaseUrl::parse(url).map_err(|_| invalid)?;
        // A vendor's key never travels in the clear.
        if !base.is_https() && !provider_type.self_hosted() {
            return Err(invalid);
        }
        let host = base.host().trim_start_matches('[').trim_end_matches(']');
        let host: Box<str> = host.to_ascii_lowercase().into();
        let (roots, config) = configs.trusting(ca_bundle)?;
        let tls = if base.is_https() {
            let name = ServerName::try_from(host.to_string()).map_err(|_| invalid)?;
            Some((config, name))
        } else {
            None
        };
        let path = |suffix: &str| base.path(suffix).map_err(|_| invalid);
        Ok(Self {
            key: EndpointKey {
                https: base.is_https(),
                host,
                port: base.port(),
                roots,
            },
            host_header: HeaderValue::from_str(base.authority().as_str()).map_err(|_| invalid)?,
            tls,
            connect_timeout,
            chat_completions: path("/chat/completions")?,
            embeddings: path("/embeddings")?,
            models: path("/models")?,
            base,
        })
    }

    /// The request target for a suffix of the dialect (`/chat/completions`); `None` for one that is no plain path.
    /// The known ones are prepared and cost a reference count.
    pub fn path(&self, suffix: &str) -> Option<PathAndQuery> {
        match suffix {
            "/chat/completions" => Some(self.chat_completions.clone()),
            "/embeddings" => Some(self.embeddings.clone()),
            "/models" => Some(self.models.clone()),
            other => self.base.path(other).ok(),
        }
    }
}
