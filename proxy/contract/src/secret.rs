//! The one type that holds key bytes.
//!
//! A key leaves it in two ways only: into a request header (`expose`) and into the rendered Secret
//! (`expose_in_rendered_secret`, named in the document's fields). It has no `Display` and no `Serialize`, its `Debug`
//! tells nothing, and its memory is wiped when the last user is gone.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

use crate::limits::MAX_KEY_BYTES;

/// The bytes of one key, valid as an HTTP header value. Clones share the memory.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// Why bytes cannot be a key. The variants are the reasons that a `Malformed` key shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedKey {
    /// Nothing but, at most, a newline.
    #[error("the value is empty")]
    Empty,
    /// A byte that an HTTP header cannot carry: a control character, a space at an end, anything beyond ASCII.
    #[error("the value cannot be an HTTP header")]
    NotAHeaderValue,
    /// Longer than [`MAX_KEY_BYTES`].
    #[error("the value is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
}

impl Secret {
    /// Takes the bytes of a Secret's data key. One trailing newline (`\n` or `\r\n`) is dropped, because
    /// `kubectl create secret --from-file` keeps the editor's.
    ///
    /// # Errors
    /// [`MalformedKey`] when what remains cannot be sent as a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedKey> {
        let bytes = bytes
            .strip_suffix(b"\n")
            .map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
        if bytes.is_empty() {
            return Err(MalformedKey::Empty);
        }
        if bytes.len() > MAX_KEY_BYTES {
            return Err(MalformedKey::TooLong);
        }
        let padded = bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ');
        if padded || !bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
            return Err(MalformedKey::NotAHeaderValue);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| MalformedKey::NotAHeaderValue)?;
        Ok(Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// The bytes, for a request header, a fingerprint or a redactor. Never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

/// Serialises a key; only for fields of the document, which is stored in the rendered Secret alone.
pub(crate) fn expose_in_rendered_secret<S: Serializer>(
    key: &Option<Secret>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => to.serialize_some(key.expose()),
        None => to.serialize_none(),
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        Self::parse(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_newline_is_dropped_and_no_second() {
        for (bytes, want) in [
            (&b"sk-1"[..], Ok("sk-1")),
            (b"sk-1\n", Ok("sk-1")),
            (b"sk-1\r\n", Ok("sk-1")),
            (b"sk-1\n\n", Err(MalformedKey::NotAHeaderValue)),
            (b"", Err(MalformedKey::Empty)),
            (b"\n", Err(MalformedKey::Empty)),
            (b" sk", Err(MalformedKey::NotAHeaderValue)),
            (b"sk ", Err(MalformedKey::NotAHeaderValue)),
            (b"s\0k", Err(MalformedKey::NotAHeaderValue)),
            ("schlüssel".as_bytes(), Err(MalformedKey::NotAHeaderValue)),
            (&[0xff, 0xfe], Err(MalformedKey::NotAHeaderValue)),
            (&[b'a'; MAX_KEY_BYTES + 1], Err(MalformedKey::TooLong)),
        ] {
            assert_eq!(
                Secret::parse(bytes).as_ref().map(Secret::expose),
                want.as_ref().copied(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(
            format!("{:?}", Secret::parse(b"sk-very-secret").unwrap()),
            "Secret(…)"
        );
    }
}
