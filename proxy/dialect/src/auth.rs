//! Keys in headers: how a client's is read, how a target's is put in.

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};
use keypool_contract::ProviderType;

/// How a provider wants its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// The header that carries the key.
    pub header: HeaderName,
    /// What stands before the key in the header's value.
    pub prefix: &'static str,
}

/// Why a request shows no usable client key. Each is answered 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeyError {
    /// No credential header.
    #[error("no key: send it as Authorization: Bearer, api-key or x-api-key")]
    Missing,
    /// A credential header that is not in the form it should have.
    #[error("the Authorization header is not of the form Bearer <key>")]
    Malformed,
    /// Two credential headers with different keys: which one counts is not ours to guess.
    #[error("the request carries two different keys")]
    Ambiguous,
}

/// The headers in which a client may show its key, besides `Authorization`.
const KEY_HEADERS: [&str; 2] = ["api-key", "x-api-key"];

/// How a provider type wants its key.
pub fn scheme(provider: ProviderType) -> Scheme {
    match provider {
        ProviderType::OpenAI | ProviderType::OpenAICompatible => Scheme {
            header: AUTHORIZATION,
            prefix: "Bearer ",
        },
    }
}

impl Scheme {
    /// The header's value for a key, marked sensitive; `None` for bytes that cannot be in a header. Make it once per
    /// credential and clone it: a clone shares the bytes.
    pub fn value(&self, key: &[u8]) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_bytes(&[self.prefix.as_bytes(), key].concat()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The key that a client shows. Several headers with the same key are one key: a known client sends two.
pub fn client_key(headers: &HeaderMap) -> Result<&[u8], ClientKeyError> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        take(
            &mut found,
            bearer(value.as_bytes()).ok_or(ClientKeyError::Malformed)?,
        )?;
    }
    for name in KEY_HEADERS {
        for value in headers.get_all(name) {
            take(&mut found, value.as_bytes().trim_ascii())?;
        }
    }
    found.ok_or(ClientKeyError::Missing)
}

fn take<'a>(found: &mut Option<&'a [u8]>, key: &'a [u8]) -> Result<(), ClientKeyError> {
    if key.is_empty() {
        return Err(ClientKeyError::Malformed);
    }
    match found {
        Some(other) if *other != key => Err(ClientKeyError::Ambiguous),
        _ => {
            *found = Some(key);
            Ok(())
        }
    }
}

/// The token of `Bearer <token>`; the scheme's name has no case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer".len())?;
    let separated = token.first() == Some(&b' ');
    let token = token.trim_ascii();
    let whole = !token.iter().any(|byte| byte.is_ascii_whitespace());
    (scheme.eq_ignore_ascii_case(b"bearer") && separated && whole).then_some(token)
}
