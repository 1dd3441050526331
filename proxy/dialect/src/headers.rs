//! Which headers pass, in both directions.
//!
//! Both directions refuse by list and let the rest pass: vendors invent headers that their clients and servers need, and
//! a header that is unknown here is the caller's own business with the provider. What must never pass is refused by
//! what its name says, not only by the names that are known today: a credential of the client's has no business at a
//! provider whatever it is called, because the target's own is put in.

use http::header::{ACCEPT_ENCODING, CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};

/// Belongs to one connection and never to the next.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy-connection",
];

/// What nearly every request has and what may go on, so that the lists below need not be asked.
const USUAL: [&str; 8] = [
    "content-type",
    "accept",
    "user-agent",
    "accept-language",
    "x-request-id",
    "x-client-request-id",
    "idempotency-key",
    "traceparent",
];

/// Does not go to a provider: framing and authority, which are made anew; the client's account, session and place; what a
/// browser adds (`origin` makes one vendor refuse a good key); and what we ask for ourselves.
const NOT_UPSTREAM: [&str; 17] = [
    "host",
    "content-length",
    "expect",
    "accept-encoding",
    "authorization",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "anthropic-dangerous-direct-browser-access",
    "origin",
    "referer",
    "forwarded",
    "via",
    "x-real-ip",
    "x-request-start",
    "baggage",
    "max-forwards",
];

/// The same, by how a name begins. `x-amz-` and `x-goog-iam-` sign or authorise; the last three steer other gateways,
/// even to another host, and one of those may be the provider.
const NOT_UPSTREAM_PREFIX: [&str; 13] = [
    "proxy-",
    "x-keypool-",
    "x-forwarded-",
    "x-envoy-",
    "x-original-",
    "sec-",
    "cf-",
    "x-amz-",
    "x-goog-iam-",
    "x-http-method",
    "x-portkey-",
    "x-litellm-",
    "helicone-",
];

/// Parts of names that carry credentials.
const CREDENTIAL: [&str; 12] = [
    "api-key",
    "apikey",
    "api_key",
    "authorization",
    "authenticat",
    "cookie",
    "credential",
    "password",
    "passwd",
    "secret",
    "jwt",
    "session-key",
];

/// Does not go to a client: the provider's session and account, its limits (they are the key's, and several keys serve),
/// when to come back (the proxy says it), and what speaks about the provider's host or connection.
const NOT_DOWNSTREAM: [&str; 22] = [
    "set-cookie",
    "set-cookie2",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "alt-svc",
    "alt-used",
    "location",
    "refresh",
    "www-authenticate",
    "strict-transport-security",
    "public-key-pins",
    "expect-ct",
    "nel",
    "report-to",
    "reporting-endpoints",
    "clear-site-data",
    "server",
];

/// The same, by how a name begins.
const NOT_DOWNSTREAM_PREFIX: [&str; 8] = [
    "proxy-",
    "x-keypool-",
    "x-ratelimit-",
    "ratelimit",
    "anthropic-ratelimit-",
    "anthropic-priority-",
    "access-control-",
    "cf-",
];

/// Removes from a client's request what must not reach a provider, and asks for an answer that can be read
/// (`accept-encoding: identity`). The target's key, the provider's and the credential's fixed headers, `host` and
/// `content-length` are put in afterwards. The client's own key must have been read before.
pub fn strip_request(headers: &mut HeaderMap) {
    strip(headers, |name| {
        !USUAL.contains(&name)
            && !name.starts_with("x-stainless-")
            && (NOT_UPSTREAM.contains(&name) || begins(name, &NOT_UPSTREAM_PREFIX) || is_credential(name))
    });
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Removes from a provider's answer what must not reach a client. `content-length` stays: it is true as long as the
/// body keeps its length.
pub fn strip_response(headers: &mut HeaderMap) {
    strip(headers, |name| {
        NOT_DOWNSTREAM.contains(&name) || begins(name, &NOT_DOWNSTREAM_PREFIX)
    });
}

/// Does a header of this name carry a credential?
pub fn is_credential(name: &str) -> bool {
    let is_or_ends = |word: &str| {
        name.strip_suffix(word)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '_']))
    };
    let says_token = is_or_ends("token") || name.contains("-token-");
    let says_auth = is_or_ends("auth") || name.starts_with("auth-");
    let says_key = is_or_ends("key") && !name.contains("idempotency");
    says_token || says_auth || says_key || CREDENTIAL.iter().any(|part| name.contains(part))
}

fn strip(headers: &mut HeaderMap, refused: impl Fn(&str) -> bool) {
    let mut doomed: Vec<HeaderName> = connection_listed(headers);
    doomed.extend(
        headers
            .keys()
            .filter(|name| HOP_BY_HOP.contains(&name.as_str()) || refused(name.as_str()))
            .cloned(),
    );
    for name in doomed {
        headers.remove(name);
    }
}

/// The headers that `connection` names: they belong to the connection too.
fn connection_listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).into_iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests;
