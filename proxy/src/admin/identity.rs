//! Who the pod is on the exchange, and who may speak there: certificate, key and token of the mounted Secret.
//!
//! They are read again when the directory changes; what cannot be used leaves the last good ones in place. New
//! connections get the new certificate, and every request is checked against the newest tokens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keypool_contract::limits::{CERTIFICATE_FILE, PRIVATE_KEY_FILE, TOKEN_FILE};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Certificate and tokens.
pub struct Identity {
    /// Settings of the exchange's listener.
    pub tls: Arc<ServerConfig>,
    tokens: Vec<Zeroizing<Vec<u8>>>,
}

/// Why files are no identity. Nothing of their content is told.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is missing or cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate, or one that is not of the key.
    #[error("{CERTIFICATE_FILE} and {PRIVATE_KEY_FILE} are no certificate with its key")]
    Certificate,
    /// An empty or very short token would let anybody in.
    #[error("{TOKEN_FILE} holds no token of at least {SHORTEST} characters")]
    Token,
}

/// No token is shorter.
const SHORTEST: usize = 16;

impl Identity {
    /// Reads the files of a mounted directory.
    ///
    /// # Errors
    /// Which of them cannot be used.
    pub fn read(directory: &Path) -> Result<Self, IdentityError> {
        let certificates = file(directory, CERTIFICATE_FILE)?;
        let key = file(directory, PRIVATE_KEY_FILE)?;
        let tokens = file(directory, TOKEN_FILE)?;
        Self::new(&certificates, &key, &tokens)
    }

    /// Takes PEM texts, and tokens one per line: two are valid while one follows the other.
    ///
    /// # Errors
    /// Which of them cannot be used.
    pub fn new(certificates: &[u8], key: &[u8], tokens: &[u8]) -> Result<Self, IdentityError> {
        let unusable = |_| IdentityError::Certificate;
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(unusable)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
        let mut tls =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| IdentityError::Certificate)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|_| IdentityError::Certificate)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tokens: Vec<_> = tokens
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|token| !token.is_empty())
            .map(|token| Zeroizing::new(token.to_vec()))
            .collect();
        if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST) {
            return Err(IdentityError::Token);
        }
        Ok(Self {
            tls: Arc::new(tls),
            tokens,
        })
    }

    /// Whether this is one of the tokens. Takes the same time for every wrong one of a token's length.
    pub fn knows(&self, token: &[u8]) -> bool {
        let known = self.tokens.iter().map(|known| known.ct_eq(token));
        known.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }
}

fn file(directory: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let path = directory.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}
