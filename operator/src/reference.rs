//! The one resolver of references to Secrets and ConfigMaps.
//!
//! Every value that leaves a Secret for a provider goes through [`secret_value`], at every read and not only at admission: a
//! reference has no namespace of its own, Secrets that Keypool owns, service-account tokens and Helm releases are never a
//! source, and `keypool.dev/allowed-hosts` on the Secret says where its values may be sent. The functions decide from what
//! was fetched; fetching is the caller's part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use zeroize::Zeroizing;

use crate::moment::Monotonic;

mod hosts;
mod refusal;
mod resolve;

pub(crate) use refusal::Problem;
pub use refusal::{Cause, RefsCheck, Refusal};
pub use resolve::{Purpose, ca_bundle, secret_value};

/// How long a Secret or ConfigMap may be away before it counts as gone: tools replace one by deleting and creating it.
/// After that, deletion is revocation.
pub const MISSING_GRACE: Duration = Duration::from_secs(30);

/// What a reference can name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

/// An object that a spec names, always in the namespace of the spec.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference {
    /// Its kind.
    pub kind: Kind,
    /// The referrer's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Reference {
    /// A Secret.
    pub fn secret(namespace: &str, name: &str) -> Self {
        Self {
            kind: Kind::Secret,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// A ConfigMap.
    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self {
            kind: Kind::ConfigMap,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// A Secret or ConfigMap as it was read: what decides, and nothing else. Its data is wiped when it is dropped and never printed.
#[derive(Clone, Default)]
pub struct Object {
    /// The Secret's `type`; none for a ConfigMap.
    pub secret_type: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its owners.
    pub owners: Vec<OwnerReference>,
    /// The data.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Object {
    fn new(
        secret_type: Option<String>,
        metadata: ObjectMeta,
        data: impl Iterator<Item = (String, Vec<u8>)>,
    ) -> Self {
        Self {
            secret_type,
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            owners: metadata.owner_references.unwrap_or_default(),
            data: data.map(|(key, value)| (key, Zeroizing::new(value))).collect(),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        f.debug_struct("Object")
            .field("secret_type", &self.secret_type)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

impl From<Secret> for Object {
    fn from(secret: Secret) -> Self {
        let data = secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0));
        // Only manifests that never met an API server have these; they win, as there.
        let text = secret.string_data.unwrap_or_default().into_iter();
        let text = text.map(|(key, value)| (key, value.into_bytes()));
        Self::new(secret.type_, secret.metadata, data.chain(text))
    }
}

impl From<ConfigMap> for Object {
    fn from(map: ConfigMap) -> Self {
        let text = map
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()));
        let binary = map
            .binary_data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0));
        Self::new(None, map.metadata, text.chain(binary))
    }
}

/// What a read of one reference gave. A read that failed otherwise gives nothing: the caller tries again and decides nothing.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// It is there.
    Found(Object),
    /// It is not.
    NotFound {
        /// When this was first seen, by this process.
        since: Monotonic,
    },
    /// The operator may not read it.
    Forbidden,
}

/// What was read for one decision.
#[derive(Clone, Debug, Default)]
pub struct Fetched(pub BTreeMap<Reference, Lookup>);

impl Fetched {
    /// Adds one result.
    pub fn insert(&mut self, reference: Reference, lookup: Lookup) {
        self.0.insert(reference, lookup);
    }
}

/// The Secrets and ConfigMaps that a provider names.
pub fn of_provider(provider: &ModelProvider) -> BTreeSet<Reference> {
    let namespace = provider.metadata.namespace.as_deref().unwrap_or_default();
    let secrets = provider
        .spec
        .credentials
        .iter()
        .filter_map(|c| c.secret_key_ref.as_ref());
    let bundle = provider
        .spec
        .endpoint
        .iter()
        .filter_map(|e| e.ca_bundle_ref.as_ref());
    secrets
        .map(|r| Reference::secret(namespace, &r.name))
        .chain(bundle.map(|r| Reference::config_map(namespace, &r.name)))
        .collect()
}

/// The Secrets that a group names itself; those of its providers are [`of_provider`]'s.
pub fn of_group(group: &LoadBalanceGroup) -> BTreeSet<Reference> {
    let namespace = group.metadata.namespace.as_deref().unwrap_or_default();
    let keys = group.spec.client_access.keys.iter();
    keys.map(|key| Reference::secret(namespace, &key.secret_key_ref.name))
        .collect()
}
