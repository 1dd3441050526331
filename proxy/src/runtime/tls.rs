//! TLS settings towards providers, one per set of trusted certificates.
//!
//! A private bundle replaces the public roots: who runs an own CA for an endpoint does not want every public one to be
//! able to speak for it. There is no way to switch verification off.

use std::collections::HashMap;
use std::sync::Arc;

use keypool_contract::ConfigErrorCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use super::Roots;

/// The settings of one snapshot. They are carried over from the snapshot before, so that a reload keeps session
/// tickets and connections.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsConfigs(HashMap<Roots, Arc<ClientConfig>>);

impl TlsConfigs {
    /// Starts a new snapshot's settings from those of the one before, which are kept only when used again.
    pub(super) fn trusting(
        &mut self,
        bundle: Option<&str>,
    ) -> Result<(Roots, Arc<ClientConfig>), ConfigErrorCode> {
        let roots = bundle.map_or(Roots::Public, |pem| Roots::Private(Sha256::digest(pem).into()));
        if let Some(config) = self.0.get(&roots) {
            return Ok((roots, config.clone()));
        }
        let store = match bundle {
            None => RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            Some(pem) => private_roots(pem)?,
        };
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| ConfigErrorCode::InvalidCaBundle)?
                .with_root_certificates(store)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        self.0.insert(roots.clone(), config.clone());
        Ok((roots, config))
    }

    /// Drops what no endpoint of the new snapshot uses.
    pub(super) fn retain(&mut self, used: impl Fn(&Roots) -> bool) {
        self.0.retain(|roots, _| used(roots));
    }
}

/// Every certificate of the bundle must be usable: a bundle that is half read trusts less than its author thinks.
fn private_roots(pem: &str) -> Result<RootCertStore, ConfigErrorCode> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| ConfigErrorCode::InvalidCaBundle)?;
        store
            .add(certificate)
            .map_err(|_| ConfigErrorCode::InvalidCaBundle)?;
    }
    if store.is_empty() {
        return Err(ConfigErrorCode::InvalidCaBundle);
    }
    Ok(store)
}
