//! A document's way from writer to reader.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use keypool_contract::document::{
    Ambiguous, ClientAccess, ClientKey, Content, Cooldown, Credential, Group, Header, Member, Probe,
    Provider, Retry, Strategy, Timeouts, UnknownModel,
};
use keypool_contract::limits::{MAX_CREDENTIALS, MAX_DOCUMENT_BYTES, MAX_MEMBERS, SCHEMA_VERSION};
use keypool_contract::{
    ClientKeyHash, ConfigError, ConfigErrorCode, Document, Encoded, ProviderType, Salt, Secret,
};

fn credential(name: &str) -> Credential {
    Credential {
        name: name.into(),
        fingerprint: "7f3a91c2".into(),
        key: Some(Secret::parse(b"sk-canary-0001").unwrap()),
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: Some("org".into()),
        models: vec!["gpt-4.1".into()],
        headers: vec![Header {
            name: "openai-organization".into(),
            value: "org-1".into(),
        }],
    }
}

fn provider() -> Provider {
    Provider {
        namespace: "default".into(),
        name: "openai".into(),
        provider_type: ProviderType::OpenAI,
        url: "https://api.openai.com/v1".into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: vec![credential("a"), credential("b")],
        probe: Probe {
            enabled: true,
            interval_ms: 900_000,
            timeout_ms: 10_000,
        },
        cooldown: Cooldown {
            initial_ms: 60_000,
            max_ms: 900_000,
        },
        timeouts: Timeouts {
            connect_ms: 5_000,
            first_event_ms: 120_000,
            response_ms: 600_000,
            idle_ms: 120_000,
        },
    }
}

fn member(name: &str) -> Member {
    Member {
        name: name.into(),
        provider: "uid-1".into(),
        model: "gpt-4.1".into(),
        priority: 0,
        weight: 3,
        aliases: vec!["smart".into()],
    }
}

fn group(name: &str) -> Group {
    Group {
        namespace: "default".into(),
        name: name.into(),
        spec_generation: 7,
        aliases: vec!["gpt".into()],
        members: vec![member("a"), member("b")],
        strategy: Strategy::WeightedRoundRobin,
        retry: Retry {
            attempts: 3,
            deadline_ms: 60_000,
            ambiguous: Ambiguous::Never,
        },
        unknown_model: UnknownModel::Reject,
        client_access: ClientAccess {
            insecure: false,
            keys: vec![ClientKey {
                name: "generated".into(),
                hash: ClientKeyHash::of(&Salt("salt".into()), b"client"),
            }],
        },
    }
}

fn document() -> Document {
    Document::new(
        "lineage".into(),
        4,
        Content {
            salt: Salt("salt".into()),
            providers: BTreeMap::from([("uid-1".into(), provider())]),
            groups: vec![group("chat")],
        },
    )
}

/// What a reader makes of a document after `change`.
fn read_after(change: impl FnOnce(&mut Document)) -> Result<Document, ConfigError> {
    let mut document = document();
    change(&mut document);
    Encoded::from_bytes(serde_json::to_vec(&document).unwrap()).read()
}

#[test]
fn what_is_written_is_read() {
    let encoded = Encoded::write(&document()).unwrap();
    assert_eq!(encoded.read().unwrap(), document());
    assert!(String::from_utf8_lossy(encoded.bytes()).contains("sk-canary-0001"));
}

#[test]
fn equal_documents_have_equal_bytes_and_names() {
    let (a, b) = (
        Encoded::write(&document()).unwrap(),
        Encoded::write(&document()).unwrap(),
    );
    assert_eq!(a.bytes(), b.bytes());
    assert_eq!(a.hash(), b.hash());
    let mut other = document();
    other.stamp.generation += 1;
    assert_ne!(Encoded::write(&other).unwrap().hash(), a.hash());
    // What was read and written again is the same bytes: an acknowledgement of one names the other.
    assert_eq!(Encoded::write(&a.read().unwrap()).unwrap().hash(), a.hash());
}

#[test]
fn no_key_is_shown() {
    let encoded = Encoded::write(&document()).unwrap();
    for shown in [format!("{encoded:?}"), format!("{:?}", document())] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn a_newer_writers_fields_are_ignored_and_its_missing_ones_defaulted() {
    let mut json = serde_json::to_value(document()).unwrap();
    json["later"] = serde_json::json!({"deep": [1]});
    json["groups"][0]["later"] = true.into();
    json["groups"][0]["members"][0]["later"] = true.into();
    json["providers"]["uid-1"]["later"] = true.into();
    json["providers"]["uid-1"]["credentials"][0]["later"] = true.into();
    json["providers"]["uid-1"]["probe"]["later"] = true.into();
    let read = Encoded::from_bytes(json.to_string().into_bytes()).read().unwrap();
    assert_eq!(read, document());

    for (parent, field) in [
        ("/groups/0", "aliases"),
        ("/groups/0/members/0", "aliases"),
        ("/providers/uid-1", "caBundle"),
        ("/providers/uid-1", "headers"),
        ("/providers/uid-1/credentials/0", "quotaGroup"),
        ("/providers/uid-1/credentials/0", "models"),
        ("/providers/uid-1/credentials/0", "headers"),
        ("/providers/uid-1/credentials/0", "key"),
    ] {
        let mut json = serde_json::to_value(document()).unwrap();
        json.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(field);
        let encoded = Encoded::from_bytes(json.to_string().into_bytes());
        assert!(encoded.read().is_ok(), "{parent}/{field}");
    }
}

#[test]
fn another_schema_version_is_told_before_its_shape_is_looked_at() {
    let error = Encoded::from_bytes(br#"{"schemaVersion":2,"lineage":"l","generation":1}"#.to_vec()).read();
    assert_eq!(
        error,
        Err(ConfigError::new(ConfigErrorCode::SchemaVersion, "/schemaVersion"))
    );
    let error = read_after(|document| document.stamp.schema_version = SCHEMA_VERSION + 1);
    assert_eq!(error.unwrap_err().code, ConfigErrorCode::SchemaVersion);
}

#[test]
fn what_is_no_document_is_refused_without_quoting_it() {
    for bytes in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        br#"{"schemaVersion":1,"lineage":"l","generation":1}"#,
        &[0xff],
    ] {
        let error = Encoded::from_bytes(bytes.to_vec()).read().unwrap_err();
        assert_eq!(error, ConfigError::new(ConfigErrorCode::Unreadable, ""));
    }
    // A malformed key: its bytes must not be in the message.
    let mut json = serde_json::to_value(document()).unwrap();
    json["providers"]["uid-1"]["credentials"][0]["key"] = "sk-canary\u{1}".into();
    let error = Encoded::from_bytes(json.to_string().into_bytes())
        .read()
        .unwrap_err();
    assert!(!error.to_string().contains("canary"));
    let huge = vec![b' '; MAX_DOCUMENT_BYTES + 1];
    assert_eq!(
        Encoded::from_bytes(huge).read().unwrap_err().code,
        ConfigErrorCode::TooLarge
    );
}

type Change = fn(&mut Document);

#[test]
fn every_rule_names_the_place_that_breaks_it() {
    fn openai(document: &mut Document) -> &mut Provider {
        document.content.providers.get_mut("uid-1").unwrap()
    }
    let rules: [(Change, ConfigErrorCode, &str); 15] = [
        (
            |d| d.content.groups.push(group("chat")),
            ConfigErrorCode::Duplicate,
            "/groups/1",
        ),
        (
            |d| d.content.groups[0].members.push(member("a")),
            ConfigErrorCode::Duplicate,
            "/groups/0/members/2",
        ),
        (
            |d| d.content.groups[0].members = vec![member("a"); MAX_MEMBERS + 1],
            ConfigErrorCode::OutOfRange,
            "/groups/0/members",
        ),
        (
            |d| d.content.groups[0].members[1].provider = "uid-2".into(),
            ConfigErrorCode::UnknownProvider,
            "/groups/0/members/1",
        ),
        (
            |d| d.content.groups[0].members[0].weight = 1001,
            ConfigErrorCode::OutOfRange,
            "/groups/0/members/0",
        ),
        (
            |d| d.content.groups[0].members[0].priority = 1001,
            ConfigErrorCode::OutOfRange,
            "/groups/0/members/0",
        ),
        (
            |d| d.content.groups[0].retry.attempts = 0,
            ConfigErrorCode::OutOfRange,
            "/groups/0/retry",
        ),
        (
            |d| d.content.groups[0].retry.deadline_ms = 0,
            ConfigErrorCode::OutOfRange,
            "/groups/0/retry",
        ),
        (
            |d| openai(d).credentials.push(credential("a")),
            ConfigErrorCode::Duplicate,
            "/providers/uid-1/credentials/2",
        ),
        (
            |d| openai(d).credentials = vec![credential("a"); MAX_CREDENTIALS + 1],
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/credentials",
        ),
        (
            |d| openai(d).credentials[1].weight = 1001,
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/credentials/1",
        ),
        (
            |d| openai(d).cooldown.initial_ms = 0,
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/cooldown",
        ),
        (
            |d| openai(d).cooldown.max_ms = 59_999,
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/cooldown",
        ),
        (
            |d| openai(d).timeouts.idle_ms = 0,
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/timeouts",
        ),
        (
            |d| openai(d).probe.interval_ms = 0,
            ConfigErrorCode::OutOfRange,
            "/providers/uid-1/probe",
        ),
    ];
    for (change, code, path) in rules {
        assert_eq!(read_after(change).unwrap_err(), ConfigError::new(code, path));
        let mut broken = document();
        change(&mut broken);
        assert!(
            Encoded::write(&broken).is_err(),
            "what a reader refuses is never written: {path}"
        );
    }
    // Groups of one name in two namespaces are two groups, and a probe that is off needs no interval.
    assert!(
        read_after(|document| {
            let mut other = group("chat");
            other.namespace = "other".into();
            document.content.groups.push(other);
            openai(document).probe = Probe {
                enabled: false,
                interval_ms: 0,
                timeout_ms: 0,
            };
        })
        .is_ok()
    );
}
