//! Fingerprints: names of key values that reveal nothing about them.
//!
//! A fingerprint is the beginning of an HMAC-SHA256 of the value. The HMAC's key comes from the installation's identity Secret
//! and differs per namespace, so nobody can test guesses without that Secret, and equal values in two namespaces do not show as
//! equal. The identity is never rotated by itself: health is bound to fingerprints.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, Mac};
use keypool_contract::Secret;
use keypool_contract::client_key::hex;
use keypool_contract::document::Fingerprint;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Name of the identity Secret in the operator's namespace.
pub const IDENTITY_SECRET: &str = "keypool-identity";
/// Its data key.
pub const IDENTITY_KEY: &str = "identity";
/// Fingerprint of the implicit credential of a self-hosted server.
pub const ANONYMOUS: &str = "anonymous";
/// Fewest bytes that make an identity.
pub const MIN_IDENTITY_BYTES: usize = 32;

/// Digits of a fingerprint; more only where two different values of one provider begin alike.
const DIGITS: usize = 8;

/// The installation's secret for fingerprints.
#[derive(Clone)]
pub struct Identity(Zeroizing<Vec<u8>>);

/// The identity Secret holds too few bytes to hide anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the identity holds {0} bytes; at least {MIN_IDENTITY_BYTES} are needed")]
pub struct WeakIdentity(pub usize);

/// The identity within one namespace.
#[derive(Clone)]
pub struct NamespaceIdentity(Zeroizing<Vec<u8>>);

impl Identity {
    /// Takes the bytes of the identity Secret.
    ///
    /// # Errors
    /// When there are fewer than [`MIN_IDENTITY_BYTES`].
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, WeakIdentity> {
        if bytes.len() < MIN_IDENTITY_BYTES {
            return Err(WeakIdentity(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The identity for one namespace.
    pub fn for_namespace(&self, namespace: &str) -> NamespaceIdentity {
        NamespaceIdentity(Zeroizing::new(mac(
            &self.0,
            &[b"keypool.dev/fingerprint/namespace/", namespace.as_bytes()],
        )))
    }
}

impl NamespaceIdentity {
    /// Names the values of one provider: equal values get equal names, different values different ones. Results do not
    /// depend on the order.
    pub fn fingerprints(&self, values: &[Secret]) -> Vec<Fingerprint> {
        let full: Vec<String> = values
            .iter()
            .map(|value| hex(&mac(&self.0, &[value.expose().as_bytes()])))
            .collect();
        shortest_distinct(&full)
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes a key of any length, so this cannot fail; an empty result would only make all values one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The first digits of each, as many as tell different ones apart.
fn shortest_distinct(full: &[String]) -> Vec<Fingerprint> {
    let mut by_prefix: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for hash in full {
        by_prefix.entry(cut(hash, DIGITS)).or_default().insert(hash);
    }
    full.iter()
        .map(|hash| {
            let alike = by_prefix.get(cut(hash, DIGITS));
            let others = || {
                alike
                    .into_iter()
                    .flatten()
                    .filter(|other| **other != hash.as_str())
            };
            (DIGITS..=hash.len())
                .map(|digits| cut(hash, digits))
                .find(|prefix| !others().any(|other| other.starts_with(prefix)))
                .unwrap_or(hash)
                .to_owned()
        })
        .collect()
}

fn cut(hash: &str, digits: usize) -> &str {
    hash.get(..digits).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> Identity {
        Identity::new(Zeroizing::new(vec![byte; MIN_IDENTITY_BYTES])).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_fingerprint_depends_on_value_namespace_and_identity_alone() {
        let one = |byte, namespace: &str, value: &str| {
            identity(byte)
                .for_namespace(namespace)
                .fingerprints(&[secret(value)])
                .remove(0)
        };
        let it = one(1, "team", "sk-1");
        assert_eq!(
            it,
            one(1, "team", "sk-1\n"),
            "the newline is no part of the value"
        );
        assert_eq!(it.len(), DIGITS);
        assert!(it.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(it, one(1, "team", "sk-2"));
        assert_ne!(it, one(1, "other", "sk-1"));
        assert_ne!(it, one(2, "team", "sk-1"));
    }

    #[test]
    fn equal_values_are_one_and_the_order_does_not_matter() {
        let it = identity(1).for_namespace("team");
        let a = it.fingerprints(&[secret("a"), secret("b"), secret("a")]);
        let b = it.fingerprints(&[secret("b"), secret("a")]);
        assert_eq!(a[0], a[2]);
        assert_eq!((&a[0], &a[1]), (&b[1], &b[0]));
    }

    #[test]
    fn values_that_begin_alike_are_told_apart_by_more_digits() {
        let full = [
            "0123456789".into(),
            "01234567aa".into(),
            "ff234567aa".into(),
            "0123456789".into(),
        ];
        assert_eq!(
            shortest_distinct(&full),
            ["012345678", "01234567a", "ff234567", "012345678"]
        );
    }

    #[test]
    fn a_short_identity_hides_nothing() {
        assert_eq!(
            Identity::new(Zeroizing::new(vec![1; 31])).err(),
            Some(WeakIdentity(31))
        );
    }
}
