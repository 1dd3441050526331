//! A provider with its credentials, ready to be called.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue};
use keypool_contract::document::{Cooldown, Fingerprint, Probe, Provider as Document, ProviderUid, Timeouts};
use keypool_contract::{ConfigError, ConfigErrorCode, ProviderType, Secret};
use keypool_dialect::redact::{self, Ends};

use super::endpoint::Endpoint;
use super::headers;
use super::tls::TlsConfigs;

/// One provider.
#[derive(Debug)]
pub struct Provider {
    /// Health belongs to it.
    pub uid: ProviderUid,
    /// Namespace of the ModelProvider.
    pub namespace: Box<str>,
    /// Name of the ModelProvider, for metrics and logs.
    pub name: Box<str>,
    /// The protocol it speaks.
    pub provider_type: ProviderType,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Its credentials, in the document's order.
    pub credentials: Vec<Credential>,
    /// Those of all its keys, for the redactor's first look.
    pub ends: Ends,
    /// The free validation call.
    pub probe: Probe,
    /// How long a limited key rests.
    pub cooldown: Cooldown,
    /// From the request's end to the first event of a stream.
    pub first_event_timeout: Duration,
    /// From the request's end to the end of an answer that is not streamed.
    pub response_timeout: Duration,
    /// Between two chunks.
    pub idle_timeout: Duration,
}

/// One key of a provider.
#[derive(Debug)]
pub struct Credential {
    /// Name within the provider.
    pub name: Box<str>,
    /// Names the value; health is bound to it.
    pub fingerprint: Fingerprint,
    /// The value, for the redactor; none for a self-hosted server without keys.
    pub key: Option<Secret>,
    /// The `authorization` header; sensitive.
    pub authorization: Option<HeaderValue>,
    /// The provider's and the credential's fixed headers, checked.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Upstream models that it may be used for; empty for all.
    pub models: Vec<Box<str>>,
    /// Share among credentials of one priority.
    pub weight: u32,
    /// Lower first.
    pub priority: u32,
    /// False when the user switched it off.
    pub enabled: bool,
    /// Credentials of one name share a limit.
    pub quota_group: Option<Box<str>>,
}

impl Provider {
    /// Every key of it, for the redactor: it knows them all, so what it shows may be another than the one that was sent.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.credentials.iter().filter_map(Credential::value)
    }

    /// An error of the provider's without any trace of its keys; the length stays.
    pub fn blanked(&self, error: Bytes) -> Bytes {
        let keys: Vec<&[u8]> = self.keys().collect();
        let mut bytes = BytesMut::from(&*error);
        match redact::body(&mut bytes, &keys) {
            true => bytes.freeze(),
            false => error,
        }
    }

    pub(super) fn new(uid: &str, document: &Document, configs: &mut TlsConfigs) -> Result<Self, ConfigError> {
        let path = format!("/providers/{uid}");
        let Timeouts {
            connect_ms,
            first_event_ms,
            response_ms,
            idle_ms,
        } = document.timeouts;
        let endpoint = Endpoint::new(
            &document.url,
            document.ca_bundle.as_deref(),
            document.provider_type,
            Duration::from_millis(connect_ms),
            configs,
        )
        .map_err(|code| {
            let field = match code {
                ConfigErrorCode::InvalidCaBundle => "caBundle",
                _ => "url",
            };
            ConfigError::new(code, format!("{path}/{field}"))
        })?;
        let mut credentials = Vec::with_capacity(document.credentials.len());
        for (index, credential) in document.credentials.iter().enumerate() {
            let path = format!("{path}/credentials/{index}");
            let refused = || ConfigError::new(ConfigErrorCode::InvalidHeader, format!("{path}/key"));
            let authorization = match &credential.key {
                Some(key) => Some(headers::bearer(key).ok_or_else(refused)?),
                None => None,
            };
            credentials.push(Credential {
                name: credential.name.as_str().into(),
                fingerprint: credential.fingerprint.clone(),
                key: credential.key.clone(),
                authorization,
                headers: headers::fixed(&document.headers, &credential.headers, &path)?,
                models: credential
                    .models
                    .iter()
                    .map(|model| model.as_str().into())
                    .collect(),
                weight: credential.weight,
                priority: credential.priority,
                enabled: credential.enabled,
                quota_group: credential.quota_group.as_deref().map(Into::into),
            });
        }
        Ok(Self {
            uid: uid.to_owned(),
            namespace: document.namespace.as_str().into(),
            name: document.name.as_str().into(),
            provider_type: document.provider_type,
            endpoint,
            ends: Ends::of(credentials.iter().filter_map(Credential::value)),
            credentials,
            probe: document.probe.clone(),
            cooldown: document.cooldown.clone(),
            first_event_timeout: Duration::from_millis(first_event_ms),
            response_timeout: Duration::from_millis(response_ms),
            idle_timeout: Duration::from_millis(idle_ms),
        })
    }
}

impl Credential {
    fn value(&self) -> Option<&[u8]> {
        self.key.as_ref().map(|key| key.expose().as_bytes())
    }

    /// Whether it may be used for an upstream model.
    pub fn serves(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|known| &**known == model)
    }
}
