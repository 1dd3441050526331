//! Header values that every request of a credential carries, made once.
//!
//! Fixed headers come from the resource and are checked here again, because the last fence stands where the bytes leave:
//! none may replace the address, the credential or the framing.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use keypool_contract::document::Header;
use keypool_contract::{ConfigError, ConfigErrorCode, Secret};
use zeroize::Zeroizing;

/// Names that a fixed header may not have: address, authentication, hop-by-hop, framing and encoding. The API's schema
/// refuses the same, and a test holds the two together.
const DENIED: [&str; 22] = [
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
const DENIED_PREFIXES: [&str; 3] = ["proxy-", "x-forwarded-", "x-keypool-"];

/// Fixed headers of a provider and of a credential; the credential's win.
pub(super) fn fixed(
    provider: &[Header],
    credential: &[Header],
    path: &str,
) -> Result<Vec<(HeaderName, HeaderValue)>, ConfigError> {
    let mut all: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(provider.len() + credential.len());
    for header in provider.iter().chain(credential) {
        let (name, value) = parse(header)
            .ok_or_else(|| ConfigError::new(ConfigErrorCode::InvalidHeader, format!("{path}/headers")))?;
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => all.push((name, value)),
        }
    }
    Ok(all)
}

fn parse(header: &Header) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
    let denied = DENIED.contains(&name.as_str());
    if denied
        || DENIED_PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
    {
        return None;
    }
    Some((name, HeaderValue::from_str(&header.value).ok()?))
}

/// `Bearer …`, marked sensitive; its memory is wiped when the last user is gone.
pub(super) fn bearer(key: &Secret) -> Option<HeaderValue> {
    struct Wiped(Zeroizing<Vec<u8>>);
    impl AsRef<[u8]> for Wiped {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let key = key.expose().as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(7 + key.len()));
    bytes.extend_from_slice(b"Bearer ");
    bytes.extend_from_slice(key);
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(bytes))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn a_credentials_header_wins_over_its_providers() {
        let all = fixed(
            &[header("openai-organization", "org-1"), header("x-a", "1")],
            &[header("openai-organization", "org-2")],
            "/p",
        );
        let all = all.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].1, "org-2");
    }

    #[test]
    fn headers_that_could_change_address_credential_or_framing_are_refused() {
        for name in DENIED
            .into_iter()
            .chain(["proxy-connection", "x-forwarded-for", "x-keypool-explain"])
        {
            let error = fixed(&[header(name, "x")], &[], "/p").unwrap_err();
            assert_eq!(
                error,
                ConfigError::new(ConfigErrorCode::InvalidHeader, "/p/headers"),
                "{name}"
            );
        }
        for (name, value) in [("", "x"), ("a b", "x"), ("x-a", "a\nb"), ("x-a", "\u{0}")] {
            assert!(
                fixed(&[header(name, value)], &[], "/p").is_err(),
                "{name} {value:?}"
            );
        }
    }

    #[test]
    fn a_bearer_value_is_sensitive() {
        let value = bearer(&Secret::parse(b"sk-1").unwrap()).unwrap();
        assert_eq!(value, "Bearer sk-1");
        assert!(value.is_sensitive());
        assert!(!format!("{value:?}").contains("sk-1"));
    }
}
