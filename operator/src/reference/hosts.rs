//! `keypool.dev/allowed-hosts`: where the values of a Secret may be sent, said on the Secret by its owner.

use crate::controller::model_provider::Url;

/// Whether one of the entries (`host` or `host:port`, separated by commas or spaces) names the URL's host. An entry without a port
/// allows every port of that host. There are no wildcards, and an entry that is not a host allows nothing.
pub(super) fn allow(entries: &str, url: &Url) -> bool {
    entries
        .split([',', ' ', '\n', '\t'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches(&entry.to_ascii_lowercase(), url))
}

fn matches(entry: &str, url: &Url) -> bool {
    if entry == url.host() {
        return true;
    }
    match entry.rsplit_once(':') {
        Some((host, port)) => host == url.host() && port.parse() == Ok(url.port()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_name_alone_or_with_its_port() {
        for (entries, url, want) in [
            ("api.openai.com", "https://api.openai.com/v1", true),
            ("API.OpenAI.com", "https://api.openai.com/v1", true),
            ("api.openai.com:443", "https://api.openai.com/v1", true),
            ("api.openai.com:8443", "https://api.openai.com/v1", false),
            (
                "a.example, b.example:8000 ,c.example",
                "http://b.example:8000/v1",
                true,
            ),
            ("a.example\nb.example", "http://b.example", true),
            ("b.example:80", "http://b.example", true),
            ("openai.com", "https://api.openai.com/v1", false),
            ("*.openai.com", "https://api.openai.com/v1", false),
            ("*", "https://api.openai.com/v1", false),
            ("https://api.openai.com", "https://api.openai.com/v1", false),
            ("api.openai.com.", "https://api.openai.com/v1", false),
            ("api.openai.com.evil.example", "https://api.openai.com/v1", false),
            ("", "https://api.openai.com/v1", false),
            (",", "https://api.openai.com/v1", false),
            ("[::1]:8000", "http://[::1]:8000/v1", true),
            ("[::1]", "http://[::1]:8000/v1", true),
            ("[::2]", "http://[::1]:8000/v1", false),
        ] {
            assert_eq!(allow(entries, &Url::parse(url).unwrap()), want, "{entries} {url}");
        }
    }
}
