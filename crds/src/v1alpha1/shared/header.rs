//! A fixed header that is added to every request.
//!
//! A header here must not decide who is asking, where the request goes or where its body ends: that is what the credential,
//! the endpoint and the proxy do. So authentication, routing, hop-by-hop and framing headers are refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rule_at, text};

/// Names that a fixed header may not have.
pub const DENIED: &[&str] = &[
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
    "x-goog-api-key",
    "xi-api-key",
];

/// Beginnings of names that a fixed header may not have.
pub const DENIED_PREFIXES: &[&str] = &["proxy-", "x-forwarded-", "x-keypool-"];

/// A fixed header that goes with every request. Its value is no secret: everybody who may read this object reads it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule_at(".name", denied_rule(), DENIED_MESSAGE)]))]
pub struct Header {
    /// Name of the header in lower case, such as `openai-organization`. Headers that authenticate, route or frame a request
    /// are refused.
    #[schemars(length(min = 1, max = 64), regex(pattern = text::HEADER_NAME))]
    pub name: String,
    /// Value of the header: visible ASCII characters, with spaces only inside.
    #[schemars(length(min = 1, max = 1024), regex(pattern = text::HEADER_VALUE))]
    pub value: String,
}

const DENIED_MESSAGE: &str = "headers[].name must not be a header that authenticates, routes or frames the request (authorization, \
     x-api-key, host, cookie, connection, content-length, proxy-* and the like); put keys into credentials[].secretKeyRef \
     and leave the rest to Keypool";

/// Whether a fixed header may not have this name.
pub fn denied(name: &str) -> bool {
    DENIED.contains(&name) || DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn denied_rule() -> String {
    let names = DENIED
        .iter()
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let prefixes = DENIED_PREFIXES
        .iter()
        .map(|prefix| format!(" && !self.name.startsWith('{prefix}')"));
    format!("!(self.name in [{names}]){}", prefixes.collect::<String>())
}
