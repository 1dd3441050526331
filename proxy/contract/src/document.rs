//! The document: all that a fleet's proxies need to serve, in one file.
//!
//! A document is a [`Stamp`] (which lineage, which generation) and [`Content`]. The operator writes a new generation only
//! when the content differs. What travels and what is acknowledged is the exact bytes: their SHA-256 names a document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client_key::Salt;
use crate::limits::SCHEMA_VERSION;

mod check;
mod encoded;
mod group;
mod provider;

pub use encoded::{DocumentHash, Encoded};
pub use group::{Ambiguous, ClientAccess, ClientKey, Group, Member, Retry, Strategy, UnknownModel};
pub use provider::{Cooldown, Credential, Header, Probe, Provider, Timeouts};

/// The UID of a ModelProvider. Health and advisories belong to it: two providers share nothing.
pub type ProviderUid = String;

/// Names a credential's value without revealing it: eight hexadecimal digits of a keyed hash, `anonymous` for no key.
pub type Fingerprint = String;

/// One document of one fleet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Which document this is.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
}

/// Places a document in its history.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// [`SCHEMA_VERSION`] of the writer. A reader of another one keeps what it has.
    pub schema_version: u32,
    /// Random, made with the rendered Secret. Generations compare only within one lineage.
    pub lineage: String,
    /// Counts the contents of a lineage, from 1.
    pub generation: u64,
}

/// What a document says; equal content needs no new generation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Salts the client-key hashes of this document.
    pub salt: Salt,
    /// The providers that the groups' members use, each with its credentials once.
    pub providers: BTreeMap<ProviderUid, Provider>,
    /// The groups that this fleet serves: one today.
    pub groups: Vec<Group>,
}

impl Document {
    /// Stamps a content with this build's schema version.
    pub fn new(lineage: String, generation: u64, content: Content) -> Self {
        Self {
            stamp: Stamp {
                schema_version: SCHEMA_VERSION,
                lineage,
                generation,
            },
            content,
        }
    }
}

/// Why a document was refused: a code of a closed set and where in it. Never text of a parser, which may quote a key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{code:?} at {path}")]
pub struct ConfigError {
    /// What is wrong.
    pub code: ConfigErrorCode,
    /// Where, as a JSON pointer; empty for the whole document.
    pub path: String,
}

/// The closed set of reasons to refuse a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ConfigErrorCode {
    /// Not JSON, or not of the document's shape.
    Unreadable,
    /// Written for another schema version.
    SchemaVersion,
    /// Larger than [`crate::limits::MAX_DOCUMENT_BYTES`].
    TooLarge,
    /// A member names a provider that the document does not hold.
    UnknownProvider,
    /// Two things of one name, or more of them than the limits allow.
    Duplicate,
    /// A value outside its range.
    OutOfRange,
    /// A URL that cannot be used.
    InvalidUrl,
    /// A CA bundle that holds no usable certificate.
    InvalidCaBundle,
    /// A header that cannot be sent.
    InvalidHeader,
    /// Of another lineage than the mounted document: only the mount changes lineages.
    OtherLineage,
}

impl ConfigError {
    /// An error at a place.
    pub fn new(code: ConfigErrorCode, path: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
        }
    }
}
