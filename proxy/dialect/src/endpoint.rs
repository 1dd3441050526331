//! Where a request goes: a provider's base URL and an operation's suffix, joined so that nothing in a request can
//! change scheme, host or port. The base is parsed once; joining only appends a constant to its path.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// A provider's base URL, parsed: `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    port: u16,
    /// Without a trailing slash; empty for the root.
    path: String,
}

/// Why a text is not a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL.
    #[error("not an absolute URL")]
    NotAbsolute,
    /// Neither http nor https.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// Holds a user or password.
    #[error("a base URL has no user or password")]
    UserInfo,
    /// Holds a query or fragment.
    #[error("a base URL has no query and no fragment")]
    Query,
    /// The path has dot segments, empty segments, escapes or characters that a path does not have.
    #[error("the path has empty, dotted or escaped segments")]
    Path,
}

impl Endpoint {
    /// Parses a base URL. A trailing slash is ignored.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        if url.contains(['?', '#']) {
            return Err(EndpointError::Query);
        }
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAbsolute)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(EndpointError::NotAbsolute);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(EndpointError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let host = authority.host();
        let after_host = authority.as_str().get(host.len()..).unwrap_or_default();
        let port = match (after_host, authority.port_u16()) {
            _ if host.is_empty() => return Err(EndpointError::NotAbsolute),
            (_, Some(port)) if port > 0 => port,
            ("", None) if scheme == Scheme::HTTPS => 443,
            ("", None) => 80,
            _ => return Err(EndpointError::NotAbsolute),
        };
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if !is_plain(path) {
            return Err(EndpointError::Path);
        }
        Ok(Self {
            path: path.to_owned(),
            scheme,
            authority,
            port,
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host and port as written.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host alone; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Is TLS spoken?
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Base path and suffix (`/v1` + `/models`), for the request line. `suffix` is a constant of this crate; one that
    /// is not a plain path is refused.
    pub fn path(&self, suffix: &str) -> Result<PathAndQuery, EndpointError> {
        if !suffix.starts_with('/') || !is_plain(suffix) {
            return Err(EndpointError::Path);
        }
        let path = format!("{}{suffix}", self.path);
        PathAndQuery::try_from(path).map_err(|_| EndpointError::Path)
    }

    /// The whole URI of base and suffix.
    pub fn uri(&self, suffix: &str) -> Result<Uri, EndpointError> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(self.path(suffix)?)
            .build()
            .map_err(|_| EndpointError::Path)
    }
}

/// Empty, or `/`-separated segments of unreserved characters, none of them empty or dots only.
fn is_plain(path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    rest.split('/').all(|segment| {
        !segment.is_empty()
            && segment.bytes().any(|byte| byte != b'.')
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:!$&'()*+,;=".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    #[test]
    fn joins_base_and_suffix() {
        let cases = [
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/models",
                "api.openai.com",
                443,
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1/models",
                "api.openai.com",
                443,
            ),
            ("http://vllm:8000", "http://vllm:8000/models", "vllm", 8000),
            ("http://vllm", "http://vllm/models", "vllm", 80),
            ("http://[::1]:8000/", "http://[::1]:8000/models", "[::1]", 8000),
            (
                "https://h.example/a/b:c/v1",
                "https://h.example/a/b:c/v1/models",
                "h.example",
                443,
            ),
        ];
        for (base, joined, host, port) in cases {
            let endpoint = Endpoint::parse(base).unwrap();
            assert_eq!(endpoint.uri("/models").unwrap().to_string(), joined);
            assert_eq!((endpoint.host(), endpoint.port()), (host, port));
        }
    }

    #[test]
    fn refuses_what_is_no_base() {
        let cases = [
            ("", EndpointError::NotAbsolute),
            ("api.openai.com/v1", EndpointError::NotAbsolute),
            ("api.openai.com", EndpointError::NotAbsolute),
            ("/v1", EndpointError::NotAbsolute),
            ("https://", EndpointError::NotAbsolute),
            ("https:///v1", EndpointError::NotAbsolute),
            ("ftp://host/v1", EndpointError::Scheme),
            ("https://user:secret@host/v1", EndpointError::UserInfo),
            ("https://user@host/v1", EndpointError::UserInfo),
            ("https://host/v1?a=b", EndpointError::Query),
            ("https://host/v1#x", EndpointError::Query),
            ("https://host/v1//x", EndpointError::Path),
            ("https://host//", EndpointError::Path),
            ("https://host/../v1", EndpointError::Path),
            ("https://host/./v1", EndpointError::Path),
            ("https://host/a%2fb", EndpointError::Path),
            ("https://host/a@b", EndpointError::Path),
            ("https://host:0/v1", EndpointError::NotAbsolute),
            ("https://host:/v1", EndpointError::NotAbsolute),
            ("https://host:99999/v1", EndpointError::NotAbsolute),
            ("https://host/a\\b", EndpointError::Path),
        ];
        for (url, error) in cases {
            let found = Endpoint::parse(url);
            assert!(
                found
                    .as_ref()
                    .is_err_and(|found| *found == error || *found == EndpointError::NotAbsolute),
                "{url}: {found:?}"
            );
        }
        let endpoint = Endpoint::parse("https://host/v1").unwrap();
        for suffix in [
            "",
            "models",
            "//evil.example",
            "/a/../b",
            "/a?b",
            "/a#b",
            "/a b",
            "/@evil",
            "/a\r\nb",
        ] {
            let joined = endpoint.uri(suffix);
            let stays = joined.as_ref().is_ok_and(|uri| uri.host() == Some("host"));
            assert!(joined.is_err() || stays, "{suffix:?}: {joined:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn nothing_joined_changes_the_authority(
            base in prop_oneof!["https?://[a-z0-9.:@\\[\\]-]{1,20}[/a-z@:.%?#\\\\-]{0,20}", ".{0,30}"],
            suffix in prop_oneof!["[/a-z@:.%?#\\\\ -]{0,20}", ".{0,20}", prop::sample::select(vec!["/models".to_owned()])],
            slash in any::<bool>(),
        ) {
            let suffix = if slash { format!("/{suffix}") } else { suffix };
            let Ok(endpoint) = Endpoint::parse(&base) else { return Ok(()) };
            let Ok(uri) = endpoint.uri(&suffix) else { return Ok(()) };
            prop_assert_eq!(uri.authority(), Some(endpoint.authority()));
            prop_assert_eq!(uri.scheme(), Some(endpoint.scheme()));
            prop_assert!(uri.path().ends_with(&suffix) && uri.query().is_none());
            // Reading it again, as a client library would, leads to the same place.
            let again: Uri = uri.to_string().parse().unwrap();
            prop_assert_eq!(again.authority(), Some(endpoint.authority()));
            prop_assert!(!uri.path().contains("//") && !uri.path().contains("/../") && !uri.path().contains('%'));
        }
    }
}
