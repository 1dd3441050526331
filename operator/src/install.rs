//! What the installation decides for every object: the same in the cluster, in local mode and in tests.

/// Settings of the installation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Install {
    /// Image of the proxies, with tag or digest.
    pub proxy_image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub proxy_image_pull_policy: String,
    /// A Secret may only be used for a provider when it carries `keypool.dev/allowed-hosts`: for clusters that tenants share.
    pub require_allowed_hosts: bool,
}

/// The object that a decision is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ObjectId {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectId {
    /// Takes it from an object's metadata; what is missing there is empty.
    pub fn of<K: kube::Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}
