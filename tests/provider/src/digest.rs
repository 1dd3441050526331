//! Hashes: a fast stable one that answers are derived from, and SHA-256 for what is recorded.

use sha2::{Digest, Sha256};

/// Spreads the bits of `x` (the finaliser of splitmix64).
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of `bytes` that is the same in every run and on every machine. Not for secrets.
pub(crate) fn fingerprint(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(seed ^ bytes.len() as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(0x2127_599b_f432_5c37);
        state ^= state >> 29;
    }
    let mut last = [0u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(state ^ u64::from_le_bytes(last))
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| {
            [
                DIGITS[(b >> 4) as usize] as char,
                DIGITS[(b & 15) as usize] as char,
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fixed_and_sees_each_byte_and_the_seed() {
        let text = b"the quick brown fox";
        let base = fingerprint(0, text);
        assert_eq!(base, fingerprint(0, text));
        assert_ne!(base, fingerprint(1, text));
        for i in 0..text.len() {
            let mut other = *text;
            other[i] ^= 1;
            assert_ne!(base, fingerprint(0, &other), "byte {i}");
        }
        assert_ne!(fingerprint(0, b""), fingerprint(0, b"\0"));
    }
}
