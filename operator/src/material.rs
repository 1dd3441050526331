//! The random parts of a group: made once, kept in its Secrets, never made by the pure steps.
//!
//! The rendered Secret carries them from one pass to the next: the document holds lineage and salt, beside it stand the token and
//! the certificate of the exchange. A part that is missing or unreadable is made anew: a new lineage then replaces what
//! the pods hold, by way of their volume.

use jiff::Timestamp;
use k8s_openapi::api::core::v1;
use keypool_contract::document::Document;
use keypool_contract::limits::{CERTIFICATE_FILE, DOCUMENT_FILE, PRIVATE_KEY_FILE, TOKEN_FILE};
use keypool_contract::{Encoded, Salt, Secret};
use zeroize::Zeroizing;

mod fresh;

pub use fresh::{MaterialError, fresh_identity};

/// Data key of the rendered Secret for the certificate before the current one: pods that have not read the new one yet
/// still present it.
pub const PREVIOUS_CERTIFICATE_FILE: &str = "previous.crt";
/// Data key of the client Secret that holds the generated key.
pub const CLIENT_KEY: &str = "OPENAI_API_KEY";
/// Annotation of the rendered Secret: when the certificate is to be renewed.
pub const RENEW_AFTER: &str = "keypool.dev/certificate-renew-after";
/// Annotation of the rendered Secret: the generation of the document that was the first of the group's current spec.
pub const SPEC_SINCE: &str = "keypool.dev/spec-since";

/// The random parts of one group.
#[derive(Clone)]
pub struct Material {
    /// Random, made with the rendered Secret.
    pub lineage: String,
    /// Salts the client-key hashes.
    pub salt: Salt,
    /// The pods' bearer token for the exchange.
    pub token: Zeroizing<String>,
    /// The pods' certificate for the exchange.
    pub certificate: ExchangeCertificate,
    /// The generated client key; none where the group has none.
    pub client_key: Option<Secret>,
}

/// A pod certificate: its own root, with a fixed server name.
#[derive(Clone)]
pub struct ExchangeCertificate {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS #8.
    pub private_key: Zeroizing<String>,
    /// The certificate before this one (PEM).
    pub previous: Option<String>,
    /// When it is to be renewed; long before it expires.
    pub renew_after: Timestamp,
}

impl ExchangeCertificate {
    /// What the leader trusts for the pods of the group, as PEM.
    pub fn trusted(&self) -> String {
        let previous = self.previous.as_deref().unwrap_or_default();
        format!("{}{previous}", self.certificate)
    }
}

/// A document as it is stored.
#[derive(Clone, Debug)]
pub struct StoredDocument {
    /// What it says.
    pub document: Document,
    /// Its bytes.
    pub encoded: Encoded,
    /// The generation of the document that was the first of its spec generation.
    pub spec_since: u64,
}

/// What a rendered Secret holds.
#[derive(Clone, Default)]
pub struct Rendered {
    /// The document; none when it is missing or not of this version.
    pub document: Option<StoredDocument>,
    token: Option<Zeroizing<String>>,
    certificate: Option<ExchangeCertificate>,
}

impl Rendered {
    /// Reads a rendered Secret. What cannot be read counts as missing.
    pub fn read(secret: &v1::Secret) -> Self {
        let annotation = |name: &str| secret.metadata.annotations.as_ref()?.get(name).cloned();
        let text = |key: &str| {
            let bytes = secret.data.as_ref()?.get(key)?;
            std::str::from_utf8(&bytes.0)
                .ok()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let document = secret
            .data
            .as_ref()
            .and_then(|data| data.get(DOCUMENT_FILE))
            .and_then(|bytes| {
                let encoded = Encoded::from_bytes(bytes.0.clone());
                let document = encoded.read().ok()?;
                let since = annotation(SPEC_SINCE).and_then(|text| text.parse().ok());
                Some(StoredDocument {
                    spec_since: since.unwrap_or(document.stamp.generation),
                    document,
                    encoded,
                })
            });
        let certificate = text(CERTIFICATE_FILE)
            .zip(text(PRIVATE_KEY_FILE))
            .zip(annotation(RENEW_AFTER));
        Self {
            document,
            token: text(TOKEN_FILE).map(Zeroizing::new),
            certificate: certificate.and_then(|((certificate, private_key), renew_after)| {
                Some(ExchangeCertificate {
                    certificate,
                    private_key: Zeroizing::new(private_key),
                    previous: text(PREVIOUS_CERTIFICATE_FILE),
                    renew_after: renew_after.parse().ok()?,
                })
            }),
        }
    }

    /// What an exchange with the pods needs, where all of it is there.
    pub fn exchange_parts(&self) -> Option<(&StoredDocument, &Zeroizing<String>, &ExchangeCertificate)> {
        Some((
            self.document.as_ref()?,
            self.token.as_ref()?,
            self.certificate.as_ref()?,
        ))
    }
}

/// What stands under the client Secret's name.
#[derive(Clone, Debug)]
pub enum ClientSecret {
    /// The group has no generated key.
    NotWanted,
    /// An object that is not the group's. No key is made: it could not be handed out, and every pass would make another one.
    Taken,
    /// Nothing, or a Secret of the group's without a usable key.
    Missing,
    /// The generated key.
    Holds(Secret),
}

impl ClientSecret {
    /// Judges what was read. `generated` is the group's wish; `ours` tells whether a Secret that is there belongs to the group.
    pub fn of(generated: bool, found: Option<&v1::Secret>, ours: bool) -> Self {
        match found {
            _ if !generated => Self::NotWanted,
            Some(_) if !ours => Self::Taken,
            found => found.and_then(client_key_of).map_or(Self::Missing, Self::Holds),
        }
    }
}

/// The generated key in a client Secret; none when it holds no usable one.
pub fn client_key_of(secret: &v1::Secret) -> Option<Secret> {
    Secret::parse(&secret.data.as_ref()?.get(CLIENT_KEY)?.0).ok()
}

#[cfg(test)]
mod tests;
