//! A provider and its credentials, as the proxy needs them.

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use crate::provider_type::ProviderType;
use crate::secret::{Secret, expose_in_rendered_secret};

/// One upstream service with one endpoint and a pool of credentials.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Namespace of the ModelProvider, for metrics and logs.
    pub namespace: String,
    /// Name of the ModelProvider, for metrics and logs.
    pub name: String,
    /// The protocol it speaks.
    pub provider_type: ProviderType,
    /// Base URL, version path included, without a trailing slash.
    pub url: String,
    /// Certificates (PEM) that replace the public roots for this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<String>,
    /// Fixed headers for every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Credentials that resolved to a usable value, and the disabled ones.
    pub credentials: Vec<Credential>,
    /// The free validation call.
    pub probe: Probe,
    /// How long a limited key rests.
    pub cooldown: Cooldown,
    /// How long each part of an exchange with the provider may take.
    pub timeouts: Timeouts,
}

/// One named key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Name within the provider.
    pub name: String,
    /// Names the value; health is bound to it.
    pub fingerprint: Fingerprint,
    /// The value; none for the implicit credential of a self-hosted server.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "expose_in_rendered_secret"
    )]
    pub key: Option<Secret>,
    /// Share among credentials of one priority, 0..=1000; 0 takes nothing.
    pub weight: u32,
    /// 0..=1000, lower first.
    pub priority: u32,
    /// False when the user switched it off.
    pub enabled: bool,
    /// Credentials of one name share the vendor's limit; without one, those of the same value do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_group: Option<String>,
    /// Upstream models that this key may be used for; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Fixed headers for requests with this key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
}

/// A fixed, non-secret header.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Lower-case name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// The free validation call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Whether it is made at all.
    pub enabled: bool,
    /// Milliseconds between two calls for one key.
    pub interval_ms: u64,
    /// Milliseconds until a call is given up.
    pub timeout_ms: u64,
}

/// How long a limited key rests.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cooldown {
    /// Milliseconds of the first rest without a hint of the vendor.
    pub initial_ms: u64,
    /// Milliseconds that no rest exceeds, hints included.
    pub max_ms: u64,
}

/// Milliseconds that each part of an exchange with the provider may take.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// DNS, TCP and TLS together.
    pub connect_ms: u64,
    /// From the request's end to the first event of a stream.
    pub first_event_ms: u64,
    /// From the request's end to the end of an answer that is not streamed.
    pub response_ms: u64,
    /// Between two chunks.
    pub idle_ms: u64,
}
