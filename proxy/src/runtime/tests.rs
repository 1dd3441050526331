//! What a document becomes.

use std::sync::Arc;

use keypool_contract::document::{Header, UnknownModel};
use keypool_contract::{ConfigError, ConfigErrorCode, Document, ProviderType};

use super::fixtures::{compile, document, encode, group, member, provider, simple};
use super::{Denied, MemberSet, Resolution, Roots, Snapshot, SnapshotId};
use crate::telemetry::Metrics;

fn compiled(document: &Document, before: Option<&Snapshot>) -> Result<Snapshot, ConfigError> {
    let id = SnapshotId::of(document, &encode(document));
    Snapshot::compile(id, document, before, &Metrics::new())
}

fn first(document: &mut Document) -> &mut keypool_contract::document::Provider {
    document.content.providers.values_mut().next().unwrap()
}

fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    certificate.pem()
}

#[test]
fn a_model_means_the_group_then_members_then_nothing() {
    let mut chat = group(
        "chat",
        vec![
            member("a", "p", "gpt"),
            member("b", "p", "llama"),
            member("c", "p", "llama"),
        ],
        &[],
    );
    chat.aliases = vec!["gpt".into(), "smart".into()];
    chat.members[1].aliases = vec!["fast".into()];
    let of = |unknown| {
        let mut chat = chat.clone();
        chat.unknown_model = unknown;
        compile(&document(
            1,
            vec![provider("p", "http://h/v1", &["k"])],
            vec![chat],
        ))
        .groups()[0]
            .clone()
    };
    let reject = of(UnknownModel::Reject);
    let some = |members: &[usize]| Resolution::Members(MemberSet::of(members.iter().copied()));
    for (model, want) in [
        (None, some(&[0, 1, 2])),
        (Some("chat"), some(&[0, 1, 2])),
        (Some("smart"), some(&[0, 1, 2])),
        // The group's alias is also a member's model: the group comes first.
        (Some("gpt"), some(&[0, 1, 2])),
        (Some("a"), some(&[0])),
        (Some("fast"), some(&[1])),
        (Some("llama"), some(&[1, 2])),
        (Some("LLAMA"), Resolution::Unknown),
        (Some(""), Resolution::Unknown),
        (Some("none"), Resolution::Unknown),
    ] {
        assert_eq!(reject.resolve(model), want, "{model:?}");
    }
    assert_eq!(of(UnknownModel::Balance).resolve(Some("none")), some(&[0, 1, 2]));
    let names: Vec<&str> = reject.models.iter().map(|name| &**name).collect();
    assert_eq!(names, ["chat", "gpt", "smart", "a", "b", "llama", "fast", "c"]);
}

#[test]
fn who_may_call_which_group() {
    let members = || vec![member("m", "p", "gpt")];
    let groups = |groups| compile(&document(1, vec![provider("p", "http://h/v1", &["k"])], groups));
    let closed = groups(vec![
        group("one", members(), &["k1", "shared"]),
        group("two", members(), &["k2", "shared"]),
    ]);
    let of = |snapshot: &Snapshot, path: Option<&str>, key: Option<&str>| {
        snapshot.admit(path, key.map(str::as_bytes)).map(|admitted| {
            let client = admitted.client.map(|client| client.to_string());
            (admitted.group.name.to_string(), client)
        })
    };
    let one = |client: Option<&str>| Ok(("one".to_owned(), client.map(str::to_owned)));
    for (path, key, want) in [
        (None, Some("k1"), one(Some("name-of-k1"))),
        (Some("one"), Some("k1"), one(Some("name-of-k1"))),
        (Some("one"), Some("shared"), one(Some("name-of-shared"))),
        (None, Some("shared"), Err(Denied::AmbiguousGroup)),
        (Some("two"), Some("k1"), Err(Denied::UnknownKey)),
        (Some("one"), None, Err(Denied::NoKey)),
        (None, None, Err(Denied::NoKey)),
        (None, Some("k3"), Err(Denied::UnknownKey)),
        (None, Some(""), Err(Denied::UnknownKey)),
        // Which groups there are is for callers with a key.
        (Some("three"), Some("k1"), Err(Denied::UnknownGroup)),
        (Some("three"), Some("k3"), Err(Denied::UnknownKey)),
        (Some("three"), None, Err(Denied::NoKey)),
    ] {
        assert_eq!(of(&closed, path, key), want, "{path:?} {key:?}");
    }
    let open = groups(vec![
        group("one", members(), &[]),
        group("two", members(), &["k2"]),
    ]);
    for (path, key, want) in [
        (None, None, one(None)),
        (None, Some("anything"), one(None)),
        (Some("one"), Some("k2"), one(None)),
        (
            None,
            Some("k2"),
            Ok(("two".to_owned(), Some("name-of-k2".to_owned()))),
        ),
        (Some("two"), Some("anything"), Err(Denied::UnknownKey)),
        (Some("three"), None, Err(Denied::UnknownGroup)),
    ] {
        assert_eq!(of(&open, path, key), want, "open: {path:?} {key:?}");
    }
    let both = groups(vec![group("one", members(), &[]), group("two", members(), &[])]);
    assert_eq!(of(&both, None, None), Err(Denied::AmbiguousGroup));
    assert!(of(&both, Some("two"), None).is_ok());
    let none = groups(Vec::new());
    assert_eq!(of(&none, None, Some("k")), Err(Denied::UnknownKey));
}

#[test]
fn what_cannot_be_used_is_named_by_code_and_place() {
    type Change = fn(&mut Document);
    let cases: [(Change, ConfigErrorCode, &str); 11] = [
        (
            |d| first(d).url = "nonsense".into(),
            ConfigErrorCode::InvalidUrl,
            "/providers/uid-p/url",
        ),
        (
            |d| first(d).url = "ftp://h/v1".into(),
            ConfigErrorCode::InvalidUrl,
            "/providers/uid-p/url",
        ),
        (
            |d| first(d).url = "http://u:p@h/v1".into(),
            ConfigErrorCode::InvalidUrl,
            "/providers/uid-p/url",
        ),
        (
            |d| first(d).url = "http://h/v1?a=b".into(),
            ConfigErrorCode::InvalidUrl,
            "/providers/uid-p/url",
        ),
        (
            // A vendor's key never travels in the clear.
            |d| first(d).provider_type = ProviderType::OpenAI,
            ConfigErrorCode::InvalidUrl,
            "/providers/uid-p/url",
        ),
        (
            |d| first(d).ca_bundle = Some(String::new()),
            ConfigErrorCode::InvalidCaBundle,
            "/providers/uid-p/caBundle",
        ),
        (
            |d| {
                first(d).ca_bundle =
                    Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into())
            },
            ConfigErrorCode::InvalidCaBundle,
            "/providers/uid-p/caBundle",
        ),
        (
            |d| first(d).ca_bundle = Some(format!("{}-----BEGIN CERTIFICATE-----\nAA", authority())),
            ConfigErrorCode::InvalidCaBundle,
            "/providers/uid-p/caBundle",
        ),
        (
            |d| {
                first(d).headers = vec![Header {
                    name: "authorization".into(),
                    value: "Bearer x".into(),
                }];
            },
            ConfigErrorCode::InvalidHeader,
            "/providers/uid-p/credentials/0/headers",
        ),
        (
            |d| {
                let mut other = d.content.groups[0].clone();
                other.namespace = "other".into();
                d.content.groups.push(other);
            },
            ConfigErrorCode::Duplicate,
            "/groups/1",
        ),
        (
            |d| {
                let hash = serde_json::from_value("short".into()).unwrap();
                d.content.groups[0].client_access.keys[0].hash = hash;
            },
            ConfigErrorCode::OutOfRange,
            "/groups/0/clientAccess/keys/0",
        ),
    ];
    for (change, code, path) in cases {
        let mut document = simple(1);
        change(&mut document);
        assert_eq!(
            compiled(&document, None).unwrap_err(),
            ConfigError::new(code, path)
        );
    }
}

#[test]
fn an_endpoint_is_parsed_once() {
    for (url, https, host, port, header, path) in [
        (
            "https://API.example.com/v1",
            true,
            "api.example.com",
            443,
            "API.example.com",
            "/v1/models",
        ),
        ("https://h:8443", true, "h", 8443, "h:8443", "/models"),
        (
            "http://[::1]:8000/base/v1",
            false,
            "::1",
            8000,
            "[::1]:8000",
            "/base/v1/models",
        ),
        (
            "http://10.0.0.1/v1",
            false,
            "10.0.0.1",
            80,
            "10.0.0.1",
            "/v1/models",
        ),
    ] {
        let mut document = simple(1);
        first(&mut document).url = url.into();
        let snapshot = compile(&document);
        let endpoint = &snapshot.provider("uid-p").unwrap().endpoint;
        assert_eq!(
            (endpoint.key.https, &*endpoint.key.host, endpoint.key.port),
            (https, host, port)
        );
        assert_eq!(endpoint.host_header, header);
        assert_eq!(endpoint.tls.is_some(), https, "{url}");
        assert_eq!(endpoint.path("/models").unwrap(), path);
        assert_eq!(endpoint.path("/a?b=c"), None, "a suffix is a plain path");
    }
}

#[test]
fn a_reload_keeps_the_tls_settings_of_what_stays() {
    let mut document = simple(1);
    let bundle = authority();
    first(&mut document).url = "https://h/v1".into();
    first(&mut document).ca_bundle = Some(bundle.clone());
    let tls = |snapshot: &Snapshot| {
        snapshot
            .provider("uid-p")
            .unwrap()
            .endpoint
            .tls
            .clone()
            .unwrap()
            .0
    };
    let before = compiled(&document, None).unwrap();
    assert!(matches!(
        before.provider("uid-p").unwrap().endpoint.key.roots,
        Roots::Private(_)
    ));
    document.stamp.generation = 2;
    let after = compiled(&document, Some(&before)).unwrap();
    assert!(Arc::ptr_eq(&tls(&before), &tls(&after)));
    first(&mut document).ca_bundle = Some(authority());
    let other = compiled(&document, Some(&after)).unwrap();
    assert!(!Arc::ptr_eq(&tls(&after), &tls(&other)));
    assert_ne!(
        after.provider("uid-p").unwrap().endpoint.key,
        other.provider("uid-p").unwrap().endpoint.key,
        "connections that trusted the old bundle are not used again"
    );
}

#[test]
fn nothing_of_a_snapshot_shows_a_key() {
    let mut document = simple(1);
    let credential = &mut first(&mut document).credentials[0];
    credential.key = Some(keypool_contract::Secret::parse(b"sk-canary").unwrap());
    let snapshot = compile(&document);
    assert_eq!(
        snapshot.provider("uid-p").unwrap().credentials[0]
            .authorization
            .as_ref()
            .unwrap(),
        "Bearer sk-canary"
    );
    assert!(!format!("{snapshot:?}").contains("canary"));
}
