//! Where a provider is reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::{ConfigMapKeyRef, Header, rule};

/// Where a provider is reached. Nothing in a request or a group overrides it.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The base URL that the vendor or server documents for its SDK, version path included: https://api.openai.com/v1,
    /// http://vllm:8000/v1. Keypool appends /chat/completions and the like; a trailing slash is ignored. Left out:
    /// https://api.openai.com/v1 for type OpenAI; required for OpenAICompatible, which may also use http://.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[schemars(extend("x-kubernetes-validations" = [rule(URL_RULE, URL_MESSAGE)]))]
    pub url: Option<String>,
    /// Certificates of the authorities that may vouch for the endpoint, as PEM in a ConfigMap: for a private CA. They replace
    /// the public ones. Left out: the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,
    /// Fixed headers that go with every request to the provider, at most 16. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub headers: Vec<Header>,
}

/// `isURL` alone takes `ftp:x`, user-info, queries and backslashes, which a lenient parser reads as slashes: a host that a
/// reviewer does not see.
const URL_RULE: &str =
    r"isURL(self) && self.matches('^https?://[^/@?#\\\\]+(/[^@?#\\\\]*)?$') && url(self).getHostname() != ''";

const URL_MESSAGE: &str = "endpoint.url must be of the form https://host[:port][/path] or, for a server of your own, \
     http://host[:port][/path], without user-info, query or fragment; put keys into credentials[] and fixed headers into \
     endpoint.headers";
