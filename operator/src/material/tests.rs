use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use keypool_contract::limits::EXCHANGE_SERVER_NAME;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{CLIENT_KEY, ClientSecret, Material, RENEW_AFTER, Rendered};
use crate::moment::tests::at;

fn fresh() -> Material {
    Material::complete(None, ClientSecret::Missing, at(0).wall).unwrap()
}

fn rendered(material: &Material, certificate_key: &str) -> Secret {
    let certificate = &material.certificate;
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut secret = Secret {
        data: Some(BTreeMap::from([
            ("exchange.token".to_owned(), bytes(&material.token)),
            (certificate_key.to_owned(), bytes(&certificate.certificate)),
            ("tls.key".to_owned(), bytes(&certificate.private_key)),
        ])),
        ..Secret::default()
    };
    let renew = certificate.renew_after.to_string();
    secret.metadata.annotations = Some(BTreeMap::from([(RENEW_AFTER.to_owned(), renew)]));
    secret
}

#[test]
fn fresh_parts_are_usable_and_never_the_same() {
    let (a, b) = (fresh(), fresh());
    assert_ne!(a.lineage, b.lineage);
    assert_ne!(a.salt, b.salt);
    assert_ne!(*a.token, *b.token);
    assert_ne!(a.client_key, b.client_key);
    assert!(a.client_key.unwrap().expose().starts_with("kp-"));
    assert_eq!(a.token.len(), 64);
}

#[test]
fn the_certificate_is_its_own_root_for_the_fixed_name() {
    let certificate = fresh().certificate;
    let der = CertificateDer::from_pem_slice(certificate.certificate.as_bytes()).unwrap();
    PrivateKeyDer::from_pem_slice(certificate.private_key.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der.clone()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into())
        .build()
        .unwrap();
    let seconds = |days: u64| {
        let now = u64::try_from(at(0).wall.as_second()).unwrap();
        rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now + days * 86_400))
    };
    use rustls::client::danger::ServerCertVerifier;
    for (name, days, good) in [
        (EXCHANGE_SERVER_NAME, 0, true),
        (EXCHANGE_SERVER_NAME, 300, true),
        (EXCHANGE_SERVER_NAME, 366, false),
        ("other.keypool.dev", 0, false),
    ] {
        let verdict = verifier.verify_server_cert(&der, &[], &name.try_into().unwrap(), &[], seconds(days));
        assert_eq!(verdict.is_ok(), good, "{name} after {days} days: {verdict:?}");
    }
}

#[test]
fn what_a_secret_holds_is_kept_until_it_is_due() {
    let first = fresh();
    let stored = Rendered::read(&rendered(&first, "tls.crt"));
    let early = Material::complete(Some(&stored), ClientSecret::NotWanted, at(86_400).wall).unwrap();
    assert_eq!(*early.token, *first.token);
    assert_eq!(early.certificate.certificate, first.certificate.certificate);
    assert!(early.client_key.is_none());

    let due = at(241 * 86_400).wall;
    let renewed = Material::complete(Some(&stored), ClientSecret::NotWanted, due).unwrap();
    assert_ne!(renewed.certificate.certificate, first.certificate.certificate);
    assert_eq!(
        renewed.certificate.previous.as_ref(),
        Some(&first.certificate.certificate)
    );
    let trusted = renewed.certificate.trusted();
    let all: Vec<_> = CertificateDer::pem_slice_iter(trusted.as_bytes()).collect();
    assert_eq!(all.len(), 2, "pods change over one by one");
}

#[test]
fn an_unreadable_part_is_made_anew() {
    let first = fresh();
    let stored = Rendered::read(&rendered(&first, "another.crt"));
    let next = Material::complete(Some(&stored), ClientSecret::NotWanted, at(0).wall).unwrap();
    assert_eq!(*next.token, *first.token);
    assert_ne!(next.certificate.certificate, first.certificate.certificate);
}

#[test]
fn a_key_is_made_only_where_it_can_be_handed_out() {
    let secret = |value: &str| Secret {
        data: Some([(CLIENT_KEY.to_owned(), ByteString(value.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    let held = secret("kp-1");
    for (generated, found, ours, want) in [
        (false, Some(&held), true, "not wanted"),
        (true, None, false, "missing"),
        (true, Some(&secret("")), true, "missing"),
        (true, Some(&held), true, "kp-1"),
        (true, Some(&held), false, "taken"),
    ] {
        let judged = match ClientSecret::of(generated, found, ours) {
            ClientSecret::NotWanted => "not wanted".to_owned(),
            ClientSecret::Taken => "taken".to_owned(),
            ClientSecret::Missing => "missing".to_owned(),
            ClientSecret::Holds(key) => key.expose().to_owned(),
        };
        assert_eq!(judged, want);
    }
    assert!(
        Material::complete(None, ClientSecret::Taken, at(0).wall)
            .unwrap()
            .client_key
            .is_none()
    );
}
