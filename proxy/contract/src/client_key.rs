//! What a proxy keeps of a client's key: a salted hash.
//!
//! Generated keys have 256 random bits, so a plain SHA-256 is enough; the salt, made with the document's lineage, only keeps two
//! documents from showing that they share a key.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Random text made once per rendered Secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Salt(pub String);

/// SHA-256 of salt and key, as 64 hexadecimal digits. Compared in constant time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientKeyHash(String);

/// The same hash as bytes: what a proxy computes per request. Compared in constant time.
#[derive(Clone, Debug)]
pub struct ClientKeyDigest([u8; 32]);

impl ClientKeyHash {
    /// Hashes what a client presented or what a Secret holds.
    pub fn of(salt: &Salt, key: &[u8]) -> Self {
        Self(hex(&ClientKeyDigest::of(salt, key).0))
    }

    /// The bytes; `None` for a text that is not 64 hexadecimal digits.
    pub fn digest(&self) -> Option<ClientKeyDigest> {
        let digits = self.0.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |value, digit| {
                let digit = char::from(*digit).to_digit(16)?;
                Some(value << 4 | u8::try_from(digit).ok()?)
            })?;
        }
        Some(ClientKeyDigest(bytes))
    }
}

impl ClientKeyDigest {
    /// Hashes what a client presented. Allocates nothing.
    pub fn of(salt: &Salt, key: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((salt.0.len() as u64).to_be_bytes());
        hash.update(salt.0.as_bytes());
        hash.update(key);
        Self(hash.finalize().into())
    }

    /// The first eight bytes, to find candidates by; equality is decided by comparing the whole.
    pub fn prefix(&self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

impl PartialEq for ClientKeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for ClientKeyHash {}

impl PartialEq for ClientKeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ClientKeyDigest {}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_as_the_digest() {
        let salt = Salt("s".into());
        let hash = ClientKeyHash::of(&salt, b"key");
        assert_eq!(hash.digest(), Some(ClientKeyDigest::of(&salt, b"key")));
        assert_ne!(hash.digest(), Some(ClientKeyDigest::of(&salt, b"kez")));
        for text in ["", "00", &"0".repeat(63), &"g".repeat(64), &"ü".repeat(32)] {
            assert_eq!(ClientKeyHash(text.to_owned()).digest(), None, "{text}");
        }
    }

    #[test]
    fn the_hash_depends_on_salt_and_key() {
        let (a, b) = (Salt("a".into()), Salt("b".into()));
        assert_eq!(ClientKeyHash::of(&a, b"key"), ClientKeyHash::of(&a, b"key"));
        assert_ne!(ClientKeyHash::of(&a, b"key"), ClientKeyHash::of(&b, b"key"));
        assert_ne!(ClientKeyHash::of(&a, b"key"), ClientKeyHash::of(&a, b"kez"));
        assert_ne!(
            ClientKeyHash::of(&Salt("ab".into()), b"c"),
            ClientKeyHash::of(&Salt("a".into()), b"bc")
        );
    }
}
