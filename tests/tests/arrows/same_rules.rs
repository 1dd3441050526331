//! The API and the operator say which endpoints and headers there may be; the proxy, where the bytes leave, asks again. A
//! difference would be a document that every pod refuses, or a header that only the first fence stops.

use std::sync::Arc;

use keypool_contract::ConfigErrorCode::{self, InvalidHeader, InvalidUrl};
use keypool_contract::{Document, Encoded, document};
use keypool_crds::v1alpha1::shared::header::{DENIED, DENIED_PREFIXES, denied};
use keypool_crds::v1alpha1::{self as api};
use keypool_operator::controller::model_provider::Url;
use keypool_proxy::runtime::{Snapshot, SnapshotId};
use keypool_proxy::telemetry::Metrics;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

/// What a proxy says to a document with one provider; `None` when it serves it.
fn refused(provider: Value) -> Option<ConfigErrorCode> {
    let content = json!({"salt": "salt", "providers": {"uid": provider}, "groups": []});
    let content: document::Content = serde_json::from_value(content).unwrap();
    let document = Document::new("lineage".into(), 1, content);
    let id = SnapshotId::of(&document, &Encoded::write(&document).unwrap());
    let metrics: Arc<Metrics> = Metrics::new();
    let snapshot = Snapshot::compile(id, &document, None, &metrics);
    snapshot.err().map(|error| error.code)
}

fn provider(url: &str, headers: &[(&str, &str)]) -> Value {
    let headers: Vec<Value> = headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let credential = json!({
        "name": "k", "fingerprint": "00000000", "key": "sk-1", "weight": 1, "priority": 0, "enabled": true,
    });
    json!({
        "namespace": "default", "name": "p", "providerType": "OpenAICompatible", "url": url, "headers": headers, "credentials": [credential],
        "probe": {"enabled": true, "intervalMs": 900_000, "timeoutMs": 10_000},
        "cooldown": {"initialMs": 60_000, "maxMs": 900_000},
        "timeouts": {"connectMs": 1_000, "firstEventMs": 2_000, "responseMs": 3_000, "idleMs": 4_000},
    })
}

fn header(name: &str, value: &str) -> Option<ConfigErrorCode> {
    refused(provider("http://host", &[(name, value)]))
}

/// What the operator takes as a base URL the proxy serves, and nothing else.
fn agree_on_url(url: &str) -> Result<(), String> {
    let (operator, proxy) = (Url::parse(url), refused(provider(url, &[])));
    match (&operator, proxy) {
        (Ok(_), None) | (Err(_), Some(InvalidUrl)) => Ok(()),
        _ => Err(format!(
            "{url:?}: operator {operator:?}, proxy refuses with {proxy:?}"
        )),
    }
}

#[test]
fn operator_and_proxy_read_the_same_urls() {
    for url in [
        "https://api.openai.com/v1",
        "https://api.openai.com/v1/",
        "http://VLLM:8000/v1",
        "http://under_score:80",
        "https://under_score:80",
        "https://host.",
        "https://-host",
        "https://[::1]:8443/v1",
        "https://[::1",
        "http://[zz]/v1",
        "https://127.0.0.1/v1",
        "https://127.0.0.1.1/v1",
        "https://host:0",
        "https://host:",
        "https://host:65535",
        "https://host:65536",
        "https://host:x",
        "https://:443",
        "https://",
        "https:///v1",
        "ftp://host",
        "HTTPS://host",
        "//host/v1",
        "host/v1",
        "",
        "https://user@host",
        "https://host/v1?x",
        "https://host/v1#x",
        "https://host/a@b",
        "https://host/a:b",
        "https://host/a%20b",
        "https://host//v1",
        "https://host/v1//",
        "https://host/../v1",
        "https://host/...",
        "https://host/a\\b",
        "https://h\u{f6}st/v1",
        "https://host/v\u{f6}",
    ] {
        agree_on_url(url).unwrap();
    }
}

#[test]
fn api_and_proxy_deny_the_same_headers() {
    for name in DENIED {
        assert_eq!(header(name, "x"), Some(InvalidHeader), "{name}");
    }
    for prefix in DENIED_PREFIXES {
        assert_eq!(
            header(&format!("{prefix}a"), "x"),
            Some(InvalidHeader),
            "{prefix}"
        );
    }
    for name in [
        "openai-organization",
        "openai-project",
        "proxied",
        "x-forward",
        "hosts",
        "x-team",
    ] {
        assert_eq!((denied(name), header(name, "x")), (false, None), "{name}");
    }
    for value in ["a", "a b", "!~", "org-1"] {
        assert_eq!(header("x-team", value), None, "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_url_is_read_alike(url in prop_oneof![
        "(https?|ftp|HTTP)://[a-zA-Z0-9._:@\\[\\]-]{0,12}(:[0-9]{0,6})?[/a-z@:.%?#\\\\ ~-]{0,12}",
        ".{0,20}",
    ]) {
        prop_assert!(agree_on_url(&url).is_ok(), "{}", agree_on_url(&url).unwrap_err());
    }

    /// Over names and values as the schema's patterns take them.
    #[test]
    fn any_header_is_denied_alike(
        name in prop_oneof!["[a-z0-9]([-_.a-z0-9]{0,12}[a-z0-9])?", "(proxy-|x-forwarded-|x-keypool-|x-)[a-z]{1,4}"],
        value in "[!-~]([ -~]{0,12}[!-~])?",
    ) {
        let expected = denied(&name).then_some(InvalidHeader);
        prop_assert_eq!(header(&name, &value), expected);
    }
}

/// The API's types are the contract's, by name; what a type allows is the same on both sides.
#[test]
fn api_and_contract_know_the_same_provider_types() {
    let schema = serde_json::to_value(schemars::schema_for!(api::ProviderType)).unwrap();
    let variants = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["const"].clone());
    let variants: Vec<Value> = variants.collect();
    assert!(!variants.is_empty());
    for name in variants {
        let of_api: api::ProviderType = serde_json::from_value(name.clone()).unwrap();
        let of_contract: keypool_contract::ProviderType = serde_json::from_value(name.clone()).unwrap();
        assert_eq!(name, of_api.as_str());
        assert_eq!(of_api.self_hosted(), of_contract.self_hosted(), "{name}");
    }
}
