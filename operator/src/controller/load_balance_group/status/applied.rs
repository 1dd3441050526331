//! What was written for a group: the document that acknowledgements are measured against, and what stood in the way.

use keypool_contract::document::{Document, DocumentHash, Stamp};

use super::super::build::NextDocument;
use crate::material::StoredDocument;
use crate::moment::Monotonic;

/// The document that was written, as far as acknowledgements are measured against it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Which document.
    pub stamp: Stamp,
    /// Its name.
    pub hash: DocumentHash,
    /// The generation of the document that was the first of the group's current spec.
    pub spec_since: u64,
    /// `metadata.generation` of the group from which it was made.
    pub spec_generation: i64,
}

impl From<&NextDocument> for Desired {
    fn from(next: &NextDocument) -> Self {
        Self::of(&next.document, next.encoded.hash(), next.spec_since)
    }
}

impl From<&StoredDocument> for Desired {
    fn from(stored: &StoredDocument) -> Self {
        Self::of(&stored.document, stored.encoded.hash(), stored.spec_since)
    }
}

impl Desired {
    fn of(document: &Document, hash: &DocumentHash, spec_since: u64) -> Self {
        let group = document.content.groups.first();
        Self {
            stamp: document.stamp.clone(),
            hash: hash.clone(),
            spec_since,
            spec_generation: group.map_or(0, |group| group.spec_generation),
        }
    }
}

/// A child that could not be written, because its name is taken.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Conflict {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What was written for a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// The document.
    pub desired: Desired,
    /// When the leader first knew that the document of the current spec is written.
    pub spec_written: Monotonic,
    /// Children whose name is taken.
    pub conflicts: Vec<Conflict>,
}
