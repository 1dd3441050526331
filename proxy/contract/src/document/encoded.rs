//! A document as bytes: what is stored, sent and acknowledged.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{ConfigError, ConfigErrorCode, Document, Stamp};
use crate::client_key::hex;
use crate::limits::{MAX_DOCUMENT_BYTES, SCHEMA_VERSION};

/// SHA-256 of a document's bytes, as 64 hexadecimal digits.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct DocumentHash(pub String);

/// The bytes of a document, wiped when the last user is gone. They hold keys: never logged.
#[derive(Clone)]
pub struct Encoded {
    bytes: Arc<Zeroizing<Vec<u8>>>,
    hash: DocumentHash,
}

impl Encoded {
    /// Writes a document.
    ///
    /// # Errors
    /// [`ConfigErrorCode::TooLarge`], or what [`Document::check`] finds: what a reader would refuse is never written.
    pub fn write(document: &Document) -> Result<Self, ConfigError> {
        document.check()?;
        let bytes =
            serde_json::to_vec(document).map_err(|_| ConfigError::new(ConfigErrorCode::Unreadable, ""))?;
        let encoded = Self::from_bytes(bytes);
        if encoded.bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(ConfigError::new(ConfigErrorCode::TooLarge, ""));
        }
        Ok(encoded)
    }

    /// Takes bytes as they came, unread.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let hash = DocumentHash(hex(&Sha256::digest(&bytes)));
        Self {
            bytes: Arc::new(Zeroizing::new(bytes)),
            hash,
        }
    }

    /// Reads and checks.
    ///
    /// # Errors
    /// Why the document cannot be used, as a code and a path.
    pub fn read(&self) -> Result<Document, ConfigError> {
        if self.bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(ConfigError::new(ConfigErrorCode::TooLarge, ""));
        }
        // The stamp first: a document of another version may have another shape.
        let unreadable = |_| ConfigError::new(ConfigErrorCode::Unreadable, "");
        let stamp: Stamp = serde_json::from_slice(&self.bytes).map_err(unreadable)?;
        if stamp.schema_version != SCHEMA_VERSION {
            return Err(ConfigError::new(ConfigErrorCode::SchemaVersion, "/schemaVersion"));
        }
        let document: Document = serde_json::from_slice(&self.bytes).map_err(unreadable)?;
        document.check()?;
        Ok(document)
    }

    /// The bytes, for the rendered Secret and the exchange.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their name.
    pub fn hash(&self) -> &DocumentHash {
        &self.hash
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoded({} bytes, {})", self.bytes.len(), self.hash.0)
    }
}
