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

impl ClientKeyHash {
    /// Hashes what a client presented or what a Secret holds.
    pub fn of(salt: &Salt, key: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((salt.0.len() as u64).to_be_bytes());
        hash.update(salt.0.as_bytes());
        hash.update(key);
        Self(hex(&hash.finalize()))
    }
}

impl PartialEq for ClientKeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for ClientKeyHash {}

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
