//! What passes and what does not.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};

use super::*;

fn map(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn names(map: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_request_as_an_sdk_sends_it() {
    let mut headers = map(&[
        ("host", "keypool.local"),
        ("content-length", "120"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("connection", "keep-alive"),
        ("user-agent", "OpenAI/Python 3.51.0"),
        ("authorization", "Bearer client"),
        ("x-stainless-lang", "python"),
        ("x-stainless-retry-count", "0"),
        ("openai-beta", "assistants=v2"),
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "a,b"),
        ("api-revision", "1"),
        ("x-data-parallel-rank", "3"),
        ("traceparent", "00-1-2-01"),
        ("session-id", "1"),
    ]);
    strip_request(&mut headers);
    assert_eq!(
        names(&headers),
        [
            "accept",
            "accept-encoding",
            "anthropic-beta",
            "anthropic-version",
            "api-revision",
            "content-type",
            "openai-beta",
            "session-id",
            "traceparent",
            "user-agent",
            "x-data-parallel-rank",
            "x-stainless-lang",
            "x-stainless-retry-count",
        ]
    );
    assert_eq!(headers["accept-encoding"], "identity");
}

/// All that the list of what must be removed names, and relatives of it.
const CREDENTIALS: [&str; 30] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "xi-api-key",
    "cookie",
    "cookie2",
    "proxy-authorization",
    "proxy-authenticate",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "x-auth-token",
    "x-access-token",
    "x-amz-security-token",
    "x-amz-date",
    "x-goog-iam-authorization-token",
    "x-goog-authenticated-user-email",
    "x-forwarded-access-token",
    "helicone-auth",
    "x-portkey-api-key",
    "x-litellm-key",
    "private-token",
    "token",
    "x-jwt-assertion",
    "x-csrf-token",
    "x-client-secret",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-apikey",
];

#[test]
fn no_credential_goes_upstream() {
    for name in CREDENTIALS {
        let mut headers = map(&[(name, "secret"), (name, "again")]);
        strip_request(&mut headers);
        assert_eq!(names(&headers), ["accept-encoding"], "{name}");
    }
}

#[test]
fn nothing_of_the_connection_or_the_browser_goes_upstream() {
    for name in [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
        "expect",
        "host",
        "content-length",
        "origin",
        "referer",
        "sec-fetch-mode",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-real-ip",
        "x-keypool-priority",
        "anthropic-dangerous-direct-browser-access",
        "x-portkey-custom-host",
        "x-http-method-override",
        "http2-settings",
        "cf-connecting-ip",
    ] {
        let mut headers = map(&[(name, "x")]);
        strip_request(&mut headers);
        assert_eq!(names(&headers), ["accept-encoding"], "{name}");
    }
    let mut headers = map(&[
        ("connection", "close, X-Mine ,x-other"),
        ("connection", "x-third"),
        ("x-mine", "1"),
        ("x-other", "1"),
        ("x-third", "1"),
        ("x-fourth", "1"),
    ]);
    strip_request(&mut headers);
    assert_eq!(names(&headers), ["accept-encoding", "x-fourth"]);
}

#[test]
fn an_answer_as_openai_sends_it() {
    let mut headers = map(&[
        ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
        ("content-type", "application/json"),
        ("content-length", "900"),
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("x-request-id", "req_1"),
        ("openai-processing-ms", "120"),
        ("openai-version", "2020-10-01"),
        ("openai-organization", "org-1"),
        ("openai-project", "proj_1"),
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("ratelimit-remaining", "1"),
        ("anthropic-ratelimit-tokens-reset", "x"),
        ("anthropic-organization-id", "x"),
        ("retry-after", "86400"),
        ("retry-after-ms", "86400000"),
        ("x-should-retry", "true"),
        ("set-cookie", "__cf_bm=1"),
        ("set-cookie", "_cfuvid=1"),
        ("cf-ray", "1"),
        ("alt-svc", "h3=\":443\""),
        ("server", "cloudflare"),
        ("strict-transport-security", "max-age=1"),
        ("access-control-allow-origin", "*"),
        ("x-keypool-member", "spoofed"),
        ("location", "https://elsewhere"),
        ("www-authenticate", "Bearer"),
        ("proxy-authenticate", "Basic"),
    ]);
    strip_response(&mut headers);
    assert_eq!(
        names(&headers),
        [
            "content-length",
            "content-type",
            "date",
            "openai-processing-ms",
            "openai-version",
            "x-request-id"
        ]
    );
}

fn credential_name() -> impl Strategy<Value = String> {
    let core = prop_oneof![
        Just("api-key"),
        Just("authorization"),
        Just("cookie"),
        Just("secret"),
        Just("password"),
        Just("apikey"),
    ];
    ("(x-[a-z]{1,6}-)?", core, "(-[a-z0-9]{1,5})?")
        .prop_map(|(before, core, after)| format!("{before}{core}{after}"))
}

proptest! {
    #[test]
    fn no_credential_survives(
        credentials in prop::collection::vec(credential_name(), 1..6),
        others in prop::collection::vec("[a-z][a-z-]{0,15}", 0..12),
        connection in any::<bool>(),
    ) {
        let mut headers = HeaderMap::new();
        for name in credentials.iter().chain(&others) {
            let secret = if credentials.contains(name) { "canary" } else { "plain" };
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(secret).unwrap());
        }
        if connection {
            headers.append("connection", HeaderValue::from_str(&others.join(",")).unwrap());
        }
        strip_request(&mut headers);
        prop_assert!(headers.values().all(|value| value != "canary"), "{headers:?}");
        prop_assert!(headers.keys().all(|name| !HOP_BY_HOP.contains(&name.as_str())));
        // Doing it twice changes nothing.
        let before = headers.clone();
        strip_request(&mut headers);
        prop_assert!(headers == before);
    }
}
