//! A provider's base URL.
//!
//! It decides where keys go, so it is parsed by the same library as in the proxy, and whatever the two could read differently
//! is refused: user-info, query, fragment, escapes, empty and dotted segments.

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use rustls::pki_types::ServerName;

/// A base URL: `https://api.openai.com/v1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    text: String,
    https: bool,
    host: String,
    port: u16,
    authority: String,
}

/// Why a text is not a base URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Not an absolute URL.
    #[error("it is not an absolute URL")]
    NotAbsolute,
    /// Another scheme.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// A user or a password.
    #[error("it holds a user or password, and keys belong into credentials")]
    UserInfo,
    /// A query or a fragment.
    #[error("it holds a query or fragment")]
    Query,
    /// A path that a proxy would refuse.
    #[error("its path has empty, dotted or escaped segments")]
    Path,
}

impl Url {
    /// Parses a base URL. A trailing slash is ignored.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::NotAbsolute)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(UrlError::NotAbsolute);
        };
        let https = *scheme == Scheme::HTTPS;
        if !https && *scheme != Scheme::HTTP {
            return Err(UrlError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        let host = authority.host().to_ascii_lowercase();
        let after_host = authority
            .as_str()
            .get(authority.host().len()..)
            .unwrap_or_default();
        let port = match (after_host, authority.port_u16()) {
            (_, Some(port)) if port > 0 => port,
            ("", None) if https => 443,
            ("", None) => 80,
            _ => return Err(UrlError::NotAbsolute),
        };
        // Over TLS the host is also the name to verify.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || (https && ServerName::try_from(bare).is_err()) {
            return Err(UrlError::NotAbsolute);
        }
        let path = uri.path_and_query().map_or("", PathAndQuery::path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if !is_plain(path) {
            return Err(UrlError::Path);
        }
        Ok(Self {
            text: format!("{}://{authority}{path}", scheme.as_str()),
            https,
            host,
            port,
            authority: authority.as_str().to_ascii_lowercase(),
        })
    }

    /// The URL without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host, and port where one is written.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return path.is_empty();
    };
    rest.split('/').all(|segment| {
        !segment.is_empty()
            && segment.bytes().any(|b| b != b'.')
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~:!$&'()*+,;=".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_apart() {
        for (text, url, host, port) in [
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1",
                "api.openai.com",
                443,
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1",
                "api.openai.com",
                443,
            ),
            ("http://VLLM:8000/v1", "http://VLLM:8000/v1", "vllm", 8000),
            ("http://vllm", "http://vllm", "vllm", 80),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "[::1]", 8000),
        ] {
            let parsed = Url::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.host(), parsed.port()), (url, host, port));
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for (text, want) in [
            ("", UrlError::NotAbsolute),
            ("api.openai.com", UrlError::NotAbsolute),
            ("/v1", UrlError::NotAbsolute),
            ("ftp://host/v1", UrlError::Scheme),
            ("https://user@host/v1", UrlError::UserInfo),
            ("https://user:pass@host/v1", UrlError::UserInfo),
            ("https://host/v1?x=1", UrlError::Query),
            ("https://host/v1#x", UrlError::Query),
            ("https://host/a/../v1", UrlError::Path),
            ("https://host//v1", UrlError::Path),
            ("https://host/%2e%2e/v1", UrlError::Path),
            ("https://host/a@b", UrlError::Path),
            ("https://host:0/v1", UrlError::NotAbsolute),
            ("https://host:99999/v1", UrlError::NotAbsolute),
            ("https://host:/v1", UrlError::NotAbsolute),
            ("https://a b/v1", UrlError::NotAbsolute),
            ("https://evil\\@host/v1", UrlError::NotAbsolute),
        ] {
            assert_eq!(Url::parse(text), Err(want), "{text}");
        }
    }
}
