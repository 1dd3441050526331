//! Document → snapshot: the one place where text of a document becomes what a request uses.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use keypool_contract::{ConfigError, ConfigErrorCode, Document};

use super::clients::Clients;
use super::group::Group;
use super::provider::Provider;
use super::snapshot::{Snapshot, SnapshotId};
use super::tls::TlsConfigs;
use crate::telemetry::Metrics;

impl Snapshot {
    /// Compiles a checked document. `before` lends its TLS settings, so that sessions and connections outlive a reload;
    /// `metrics` holds the series that groups and members count in.
    ///
    /// # Errors
    /// The first thing that cannot be used, as a code and a place.
    pub fn compile(
        id: SnapshotId,
        document: &Document,
        before: Option<&Self>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ConfigError> {
        let content = &document.content;
        let mut tls = before.map_or_else(TlsConfigs::default, |snapshot| snapshot.tls.clone());

        let mut providers = HashMap::with_capacity(content.providers.len());
        for (uid, provider) in &content.providers {
            providers.insert(uid.as_str(), Arc::new(Provider::new(uid, provider, &mut tls)?));
        }
        let used: HashSet<_> = providers.values().map(|p| p.endpoint.key.roots.clone()).collect();
        tls.retain(|roots| used.contains(roots));

        let mut names = HashSet::new();
        let mut groups = Vec::with_capacity(content.groups.len());
        for (index, group) in content.groups.iter().enumerate() {
            // A group is named by its path, which has no namespace.
            if !names.insert(group.name.as_str()) {
                return Err(ConfigError::new(
                    ConfigErrorCode::Duplicate,
                    format!("/groups/{index}"),
                ));
            }
            groups.push(Arc::new(Group::new(index, group, &providers, metrics)));
        }
        let mut clients = Clients::new(content.salt.clone(), groups);
        for (index, group) in content.groups.iter().enumerate() {
            for (place, key) in group.client_access.keys.iter().enumerate() {
                let digest = key.hash.digest().ok_or_else(|| {
                    let path = format!("/groups/{index}/clientAccess/keys/{place}");
                    ConfigError::new(ConfigErrorCode::OutOfRange, path)
                })?;
                clients.accept(index, digest, &key.name);
            }
        }
        Ok(Self {
            id,
            providers: providers
                .into_iter()
                .map(|(uid, provider)| (uid.into(), provider))
                .collect(),
            clients,
            tls,
        })
    }
}
