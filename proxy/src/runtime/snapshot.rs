//! What one document became.

use std::collections::HashMap;
use std::sync::Arc;

use keypool_contract::document::DocumentHash;
use keypool_contract::{Document, Encoded};

use super::clients::{Admitted, Clients, Denied};
use super::group::Group;
use super::provider::Provider;
use super::tls::TlsConfigs;

/// Everything that a request needs from the configuration. Never changed.
#[derive(Debug)]
pub struct Snapshot {
    /// Which document this was.
    pub id: SnapshotId,
    pub(super) providers: HashMap<Box<str>, Arc<Provider>>,
    pub(super) clients: Clients,
    pub(super) tls: TlsConfigs,
}

/// Names a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotId {
    /// Generations compare only within one lineage.
    pub lineage: Box<str>,
    /// Counts the contents of a lineage.
    pub generation: u64,
    /// SHA-256 of the document's bytes.
    pub hash: DocumentHash,
}

impl Snapshot {
    /// Decides who calls which group. `path_group` is the name in `/g/<name>/…`, `key` what the client presented.
    ///
    /// # Errors
    /// Why the caller may not go on.
    pub fn admit(&self, path_group: Option<&str>, key: Option<&[u8]>) -> Result<Admitted, Denied> {
        self.clients.admit(path_group, key)
    }

    /// The groups, in the document's order; a group's `index` is its place here.
    pub fn groups(&self) -> &[Arc<Group>] {
        self.clients.groups()
    }

    /// A group by its name.
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.clients.named(name)
    }

    /// A provider by its UID.
    pub fn provider(&self, uid: &str) -> Option<&Arc<Provider>> {
        self.providers.get(uid)
    }

    /// All providers, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }
}

impl SnapshotId {
    /// The name of a document that was read from these bytes.
    pub fn of(document: &Document, encoded: &Encoded) -> Self {
        Self {
            lineage: document.stamp.lineage.as_str().into(),
            generation: document.stamp.generation,
            hash: encoded.hash().clone(),
        }
    }
}
