//! `ModelProvider`: one upstream service with one endpoint and a pool of credentials.

#![allow(
    clippy::duplicated_attributes,
    reason = "printer columns repeat the keys type_ and priority"
)]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Header, rule, rule_at};

mod credential;
mod endpoint;
mod health;
mod provider_type;
mod status;
mod timeouts;

pub use credential::{Credential, CredentialState};
pub use endpoint::Endpoint;
pub use health::{Cooldown, Health, Probe};
pub use provider_type::ProviderType;
pub use status::{KeyModelStatus, KeyStatus, ModelProviderStatus, Reporting, UsedBy};
pub use timeouts::Timeouts;

/// The service, its keys, and how they are cared for.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "keypool.dev",
    version = "v1alpha1",
    kind = "ModelProvider",
    plural = "modelproviders",
    shortname = "mprov",
    category = "keypool",
    namespaced,
    status = "ModelProviderStatus",
    derive = "PartialEq",
    doc = "One upstream model service with one endpoint and a pool of API keys. LoadBalanceGroups send requests through it; \
           what their proxies learn about every key stands in the status.",
    printcolumn(
        name = "Type",
        type_ = "string",
        json_path = ".spec.type",
        description = "What kind of service it is"
    ),
    printcolumn(
        name = "Keys",
        type_ = "string",
        json_path = ".status.keySummary.display",
        description = "Usable keys of all keys"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(
        name = "Cooling",
        type_ = "integer",
        json_path = ".status.keySummary.coolingDown",
        description = "Keys that are not used for a while",
        priority = "1"
    ),
    printcolumn(
        name = "Invalid",
        type_ = "integer",
        json_path = ".status.keySummary.invalid",
        description = "Keys that the provider refuses",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "self.type != 'OpenAICompatible' || (has(self.endpoint) && has(self.endpoint.url))",
        "endpoint.url is required for type OpenAICompatible; set it to the base URL that the server documents for its SDK, \
         version path included, such as http://vllm:8000/v1",
    ),
    rule_at(
        ".endpoint.url",
        "self.type == 'OpenAICompatible' || !has(self.endpoint) || !has(self.endpoint.url) || \
         !self.endpoint.url.startsWith('http://')",
        "endpoint.url must be https:// for this type, because http:// would send the keys unencrypted; use https://, or type \
         OpenAICompatible for a server of your own",
    ),
    rule(
        "self.type == 'OpenAICompatible' || (has(self.credentials) && size(self.credentials) > 0)",
        "credentials needs at least one entry for this type; add one with name and secretKeyRef",
    )
]))]
pub struct ModelProviderSpec {
    /// What kind of service it is, which decides the address, how a key is sent and how errors are read. OpenAI: the OpenAI API.
    /// OpenAICompatible: a server that speaks OpenAI's API (vLLM, SGLang, llama.cpp, a gateway); needs endpoint.url.
    #[serde(rename = "type")]
    pub type_: ProviderType,
    /// Where the service is reached. Left out: the address that the vendor documents for the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// The keys of the pool, at most 256. Type OpenAICompatible may do without: requests then go out without a key, and the
    /// status shows one credential named anonymous.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub credentials: Vec<Credential>,
    /// How keys are validated and how long they rest after a refusal. Left out: the defaults of its fields.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: Health,
    /// How long the proxies wait for the service. Left out: the defaults of its fields.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
}

impl ModelProviderSpec {
    /// The endpoint's fixed headers.
    pub fn headers(&self) -> &[Header] {
        self.endpoint.as_ref().map_or(&[], |endpoint| &endpoint.headers)
    }

    /// The base URL: what is written, or else the type's.
    pub fn url(&self) -> Option<&str> {
        self.endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.url.as_deref())
            .or_else(|| self.type_.default_url())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
