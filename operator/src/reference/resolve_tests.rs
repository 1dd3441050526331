use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use keypool_contract::secret::MalformedKey;
use keypool_crds::v1alpha1::shared::{ALLOWED_HOSTS, ConfigMapKeyRef, SecretKeyRef};
use keypool_crds::v1alpha1::{KeyReason, KeyState, Reason};

use super::{Purpose, ca_bundle, secret_value};
use crate::controller::model_provider::Url;
use crate::fixtures::{NAMESPACE, World, certificate, named};
use crate::moment::tests::at;
use crate::reference::{Cause, Lookup, Reference, Refusal};

fn wanted(name: &str, key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: name.into(),
        key: key.into(),
    }
}

fn resolve(world: &World, name: &str, key: &str) -> Result<String, Refusal> {
    let url = Url::parse("https://api.openai.com/v1").unwrap();
    let purpose = Purpose::ProviderKey { url: &url };
    let value = secret_value(
        &world.fetched,
        NAMESPACE,
        &wanted(name, key),
        purpose,
        &world.install,
        world.now.monotonic,
    );
    value.map(|secret| secret.expose().to_owned())
}

fn cause(world: &World, name: &str, key: &str) -> Cause {
    resolve(world, name, key).unwrap_err().cause
}

fn annotated(hosts: &str) -> Secret {
    let mut secret = named("keys");
    secret.metadata.annotations = Some([(ALLOWED_HOSTS.to_owned(), hosts.to_owned())].into());
    secret.string_data = Some([("a".to_owned(), "sk-a".to_owned())].into());
    secret
}

fn typed(kind: &str) -> Secret {
    Secret {
        type_: Some(kind.into()),
        ..annotated("api.openai.com")
    }
}

#[test]
fn a_value_is_found_and_its_newline_dropped() {
    let world = World::new();
    assert_eq!(resolve(&world, "openai-keys", "team-a").as_deref(), Ok("sk-a"));
    assert_eq!(resolve(&world, "openai-keys", "team-b").as_deref(), Ok("sk-b"));
}

#[test]
fn what_is_missing_or_malformed_is_told_apart() {
    let long = "k".repeat(9000);
    let world = World::new().secret(
        "bad",
        &[
            ("empty", ""),
            ("newline", "\n"),
            ("inner", "a\nb"),
            ("long", &long),
        ],
    );
    for (name, key, want, state) in [
        (
            "nowhere",
            "a",
            Cause::NotFound { grace_until: None },
            (KeyState::Missing, KeyReason::SecretNotFound),
        ),
        (
            "openai-keys",
            "nope",
            Cause::KeyNotFound,
            (KeyState::Missing, KeyReason::SecretKeyNotFound),
        ),
        (
            "bad",
            "empty",
            Cause::Malformed(MalformedKey::Empty),
            (KeyState::Malformed, KeyReason::Empty),
        ),
        (
            "bad",
            "newline",
            Cause::Malformed(MalformedKey::Empty),
            (KeyState::Malformed, KeyReason::Empty),
        ),
        (
            "bad",
            "inner",
            Cause::Malformed(MalformedKey::NotAHeaderValue),
            (KeyState::Malformed, KeyReason::NotAHeaderValue),
        ),
        (
            "bad",
            "long",
            Cause::Malformed(MalformedKey::TooLong),
            (KeyState::Malformed, KeyReason::TooLong),
        ),
    ] {
        let refusal = resolve(&world, name, key).unwrap_err();
        assert_eq!(
            (&refusal.cause, refusal.key_state()),
            (&want, state),
            "{name} {key}"
        );
        assert!(refusal.sentence().contains(name), "{}", refusal.sentence());
    }
}

#[test]
fn a_secret_that_is_away_has_thirty_seconds() {
    let reference = Reference::secret(NAMESPACE, "gone");
    let end = at(20).monotonic;
    for (seconds, want) in [(0, Some(end)), (19, Some(end)), (20, None), (90, None)] {
        let world = World::new().without(reference.clone(), -10).at(seconds);
        assert_eq!(
            cause(&world, "gone", "a"),
            Cause::NotFound { grace_until: want },
            "{seconds}"
        );
    }
}

#[test]
fn some_secrets_are_never_a_source() {
    let mut owned = annotated("api.openai.com");
    owned.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "keypool.dev/v1alpha1".into(),
        kind: "LoadBalanceGroup".into(),
        ..OwnerReference::default()
    }]);
    let mut labelled = annotated("api.openai.com");
    labelled.metadata.labels =
        Some([("app.kubernetes.io/managed-by".to_owned(), "keypool".to_owned())].into());
    for (secret, want) in [
        (owned, Cause::OwnedByKeypool),
        (labelled, Cause::OwnedByKeypool),
        (typed("kubernetes.io/service-account-token"), Cause::ClusterToken),
        (typed("bootstrap.kubernetes.io/token"), Cause::ClusterToken),
        (typed("helm.sh/release.v1"), Cause::HelmRelease),
    ] {
        let world = World::new().object(secret);
        let refusal = resolve(&world, "keys", "a").unwrap_err();
        assert_eq!(
            (refusal.cause.clone(), refusal.reason()),
            (want, Reason::RefNotPermitted)
        );
        assert_eq!(
            refusal.key_state(),
            (KeyState::Missing, KeyReason::RefNotPermitted)
        );
        let as_client_key = secret_value(
            &world.fetched,
            NAMESPACE,
            &wanted("keys", "a"),
            Purpose::ClientKey,
            &world.install,
            world.now.monotonic,
        );
        assert_eq!(as_client_key.unwrap_err(), refusal, "for clients neither");
    }
    assert_eq!(
        cause(&World::new(), "keypool-identity", "identity"),
        Cause::OwnedByKeypool
    );
    assert_eq!(
        cause(&World::new(), "sh.helm.release.v1.app.v3", "release"),
        Cause::HelmRelease
    );
    let world = World::new().object(typed("Opaque"));
    assert_eq!(resolve(&world, "keys", "a").as_deref(), Ok("sk-a"));
}

#[test]
fn the_secret_says_where_its_values_may_go() {
    let authority = || "api.openai.com".to_owned();
    for (hosts, required, want) in [
        (Some("api.openai.com"), false, None),
        (Some("evil.example, api.openai.com:443"), true, None),
        (
            Some("evil.example"),
            false,
            Some(Cause::HostNotAllowed {
                authority: authority(),
            }),
        ),
        (
            Some(""),
            false,
            Some(Cause::HostNotAllowed {
                authority: authority(),
            }),
        ),
        (None, false, None),
        (
            None,
            true,
            Some(Cause::HostsRequired {
                authority: authority(),
            }),
        ),
    ] {
        let mut secret = annotated(hosts.unwrap_or_default());
        if hosts.is_none() {
            secret.metadata.annotations = None;
        }
        let mut world = World::new().object(secret);
        world.install.require_allowed_hosts = required;
        let result = resolve(&world, "keys", "a");
        assert_eq!(
            result.as_ref().err().map(|refusal| refusal.cause.clone()),
            want,
            "{hosts:?} {required}"
        );
        if let Err(refusal) = result {
            assert_eq!(refusal.reason(), Reason::HostNotAllowed);
            assert_eq!(
                refusal.key_state(),
                (KeyState::Missing, KeyReason::HostNotAllowed)
            );
            assert!(refusal.sentence().contains(ALLOWED_HOSTS));
        }
    }
}

#[test]
fn what_the_operator_may_not_read_is_told() {
    let mut world = World::new();
    world
        .fetched
        .insert(Reference::secret(NAMESPACE, "keys"), Lookup::Forbidden);
    assert_eq!(cause(&world, "keys", "a"), Cause::Unreadable);
}

#[test]
fn a_bundle_holds_certificates_that_a_proxy_can_read() {
    let good = certificate();
    let broken = good.replace('M', "-");
    for (value, want) in [
        (good.as_str(), None),
        (&format!("{good}{}", certificate()), None),
        ("", Some(Cause::NoCertificates)),
        ("not PEM", Some(Cause::NoCertificates)),
        (&broken, Some(Cause::NoCertificates)),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            Some(Cause::NoCertificates),
        ),
    ] {
        let world = World::new().config_map("ca", "ca.crt", value);
        let wanted = |key: &str| ConfigMapKeyRef {
            name: "ca".into(),
            key: key.into(),
        };
        let found = ca_bundle(&world.fetched, NAMESPACE, &wanted("ca.crt"), world.now.monotonic);
        assert_eq!(found.err().map(|refusal| refusal.cause), want, "{value:.40}");
        let other = ca_bundle(&world.fetched, NAMESPACE, &wanted("other"), world.now.monotonic).unwrap_err();
        assert_eq!(
            (other.cause.clone(), other.reason()),
            (Cause::KeyNotFound, Reason::ConfigMapNotFound)
        );
    }
}

#[test]
fn nothing_prints_a_value() {
    let world = World::new();
    assert!(!format!("{:?}", world.fetched).contains("sk-a"));
}
