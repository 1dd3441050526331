//! TLS to providers.

use std::sync::Arc;
use std::time::Duration;

use keypool_contract::document::Content;

use super::rig::Rig;
use super::samples::{BODY, JSON, ok};
use super::upstream::Upstream;

#[tokio::test]
async fn tls_faults_are_the_providers_and_touch_no_key() {
    let ca = Ca::new();
    let day = Duration::from_secs(24 * 3600);
    let now = std::time::SystemTime::now();
    for (name, until, bundle, want) in [
        ("localhost", now + day, Some(ca.pem.clone()), None),
        (
            "other.example",
            now + day,
            Some(ca.pem.clone()),
            Some("for another name"),
        ),
        (
            "localhost",
            now - day,
            Some(ca.pem.clone()),
            Some("not valid at this time"),
        ),
        ("localhost", now + day, Some(Ca::new().pem), Some("not trusted")),
        ("localhost", now + day, None, Some("not trusted")),
    ] {
        let upstream = Upstream::tls(ca.acceptor(name, until), |_, _| ok()).await;
        let members = [(
            "a",
            format!("https://localhost:{}/v1", upstream.address.port()),
            &["sk-1"][..],
        )];
        let change = |content: &mut Content| {
            content
                .providers
                .values_mut()
                .for_each(|provider| provider.ca_bundle.clone_from(&bundle));
        };
        let rig = Rig::with(&members, change, Duration::from_secs(1)).await;
        let reply = rig.chat(BODY).await;
        match want {
            None => assert_eq!((reply.status, &*reply.body), (200, JSON)),
            Some(cause) => {
                assert_eq!(
                    (reply.status, &*reply.code()),
                    (503, "provider_down"),
                    "{}",
                    reply.body
                );
                assert!(reply.body.contains(cause), "{cause}: {}", reply.body);
                assert!(upstream.requests().is_empty(), "no key was sent");
            }
        }
    }
}

struct Ca {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: rcgen::Issuer::new(params, key),
            pem,
        }
    }

    fn acceptor(&self, name: &str, until: std::time::SystemTime) -> tokio_rustls::TlsAcceptor {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = until.into();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }
}
