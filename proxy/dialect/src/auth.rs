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

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<String, ClientKeyError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        client_key(&headers).map(|key| String::from_utf8_lossy(key).into_owned())
    }

    #[test]
    fn reads_a_clients_key() {
        use ClientKeyError::{Ambiguous, Malformed, Missing};
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, ClientKeyError>);
        let cases: &[Case<'_>] = &[
            (&[("authorization", "Bearer abc")], Ok("abc")),
            (&[("authorization", "bearer abc")], Ok("abc")),
            (&[("authorization", "BEARER   abc ")], Ok("abc")),
            (&[("api-key", "abc")], Ok("abc")),
            (&[("x-api-key", " abc ")], Ok("abc")),
            // One SDK sends both.
            (&[("authorization", "Bearer abc"), ("api-key", "abc")], Ok("abc")),
            (
                &[("authorization", "Bearer abc"), ("api-key", "abd")],
                Err(Ambiguous),
            ),
            (
                &[("authorization", "Bearer abc"), ("authorization", "Bearer abd")],
                Err(Ambiguous),
            ),
            (&[("x-api-key", "a"), ("api-key", "b")], Err(Ambiguous)),
            (&[], Err(Missing)),
            (&[("cookie", "key=abc")], Err(Missing)),
            (&[("authorization", "Basic abc")], Err(Malformed)),
            (&[("authorization", "Bearer")], Err(Malformed)),
            (&[("authorization", "Bearer ")], Err(Malformed)),
            (&[("authorization", "Bearerabc")], Err(Malformed)),
            (&[("authorization", "Bearer a b")], Err(Malformed)),
            (&[("authorization", "abc")], Err(Malformed)),
            (&[("authorization", "")], Err(Malformed)),
            (&[("api-key", "")], Err(Malformed)),
            (
                &[("authorization", "Basic abc"), ("api-key", "abc")],
                Err(Malformed),
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(
                read(pairs).as_deref(),
                expected.as_ref().map(|key| *key),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn puts_a_targets_key_in() {
        let scheme = scheme(ProviderType::OpenAI);
        let value = scheme.value(b"sk-1").unwrap();
        assert_eq!(
            (scheme.header.as_str(), value.as_bytes()),
            ("authorization", &b"Bearer sk-1"[..])
        );
        assert!(value.is_sensitive());
        assert!(!format!("{value:?}").contains("sk-1"));
        assert!(scheme.value(b"a\nb").is_none());
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_read(key in "[!-~]{1,60}") {
            let scheme = scheme(ProviderType::OpenAICompatible);
            let mut headers = HeaderMap::new();
            headers.insert(scheme.header.clone(), scheme.value(key.as_bytes()).unwrap());
            prop_assert_eq!(client_key(&headers), Ok(key.as_bytes()));
        }

        #[test]
        fn never_panics(value in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, value);
                let _ = client_key(&headers);
            }
        }
    }
}
