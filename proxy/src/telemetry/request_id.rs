//! A request's name: a ULID, so that names sort by time.

use std::fmt;
use std::time::SystemTime;

use http::HeaderValue;

/// 26 characters of Crockford's base 32: 48 bits of milliseconds, 80 random bits.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct RequestId([u8; 26]);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RequestId {
    /// A new name.
    pub fn new(at: SystemTime) -> Self {
        let millis = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        Self::from_parts(millis, rand::random())
    }

    fn from_parts(millis: u128, random: u128) -> Self {
        let bits = (millis << 80) | (random & ((1 << 80) - 1));
        let mut text = [0; 26];
        for (place, character) in text.iter_mut().rev().enumerate() {
            *character = ALPHABET[usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0)];
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Every character is of the alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as the value of `x-keypool-request-id`.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_a_ulid() {
        // The example of the ULID specification: time part of 2016-07-30T23:54:10.259Z.
        let id = RequestId::from_parts(1_469_922_850_259, 0);
        assert_eq!(id.as_str(), "01ARZ3NDEK0000000000000000");
        assert_eq!(
            RequestId::from_parts(0, u128::MAX).as_str(),
            "0000000000ZZZZZZZZZZZZZZZZ"
        );
        let now = SystemTime::now();
        assert_ne!(RequestId::new(now), RequestId::new(now));
    }
}
