//! One named key of a provider.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::{Header, SecretKeyRef, one, rule, text};

/// One named key of the pool.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "has(self.secretKeyRef)",
    "credentials[] needs exactly one source of its value; set secretKeyRef with the name and key of a Secret in this namespace",
)]))]
pub struct Credential {
    /// Name of the key, unique in this provider. It stands in the status, metrics and logs, never the value.
    #[schemars(length(min = 1, max = 63), regex(pattern = text::LABEL))]
    pub name: String,
    /// Source of the value: a data key of a Secret in the same namespace. Exactly one source is required, and this is the only
    /// one so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// Share of the requests relative to the other keys of the same priority, 0 to 1000. 0 drains the key: no new requests.
    /// Left out: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: i32,
    /// Keys of the lowest number that can serve are used; higher ones only when none of those can. 0 to 1000. Left out: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub priority: i32,
    /// Active: the key is used. Disabled: it is not, and everything else about it is kept. Left out: Active.
    #[serde(default)]
    pub state: CredentialState,
    /// Keys of this provider with the same group share one limit at the vendor (an organisation, a project) and cool down
    /// together. Left out: the key is alone, except for other entries with the same value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = text::IDENTIFIER))]
    pub quota_group: Option<String>,
    /// Upstream models that this key may be used for, at most 32. Left out: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256), regex(pattern = text::MODEL)))]
    pub models: Vec<String>,
    /// Fixed headers that go with every request with this key, such as openai-organization, at most 8; they win over
    /// endpoint.headers of the same name. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub headers: Vec<Header>,
}

/// Whether a key is used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum CredentialState {
    /// It is used.
    #[default]
    Active,
    /// It is not used.
    Disabled,
}
