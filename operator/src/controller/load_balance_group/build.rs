//! A validated group and its random parts → everything that is to exist. Pure.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use keypool_contract::{ConfigError, ConfigErrorCode};
use keypool_crds::v1alpha1::{LoadBalanceGroup, Reason};
use kube::Resource;

use super::{ValidatedGroup, names};
use crate::conditions::Check;
use crate::install::{Install, ObjectId};
use crate::material::{Material, StoredDocument};

mod client_secret;
mod deployment;
pub mod document;
mod rendered_secret;
mod service;
mod service_account;

pub use deployment::TEMPLATE_HASH;
pub use document::NextDocument;

/// Label of every child, and of the pods: the group's name.
pub const GROUP_LABEL: &str = "keypool.dev/group";
/// Value of `app.kubernetes.io/managed-by` on everything that the operator makes.
pub const MANAGED_BY: &str = "keypool";
/// Name of the proxies' container.
pub const CONTAINER: &str = "proxy";

/// What a build starts from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The group.
    pub group: &'a ValidatedGroup,
    /// Its random parts.
    pub material: &'a Material,
    /// The document that its rendered Secret holds.
    pub stored: Option<&'a StoredDocument>,
    /// The highest generation of this lineage under which a pod runs other bytes than the stored ones; 0 for none. The next
    /// document is above it.
    pub reported: u64,
    /// Settings of the installation.
    pub install: &'a Install,
    /// The group's root URL for clients.
    pub endpoint: &'a str,
}

/// Everything that is to exist for a group, not yet written.
#[derive(Debug)]
pub struct Prepared {
    /// The document in the rendered Secret.
    pub document: NextDocument,
    /// `<group>-keypool`.
    pub service_account: ServiceAccount,
    /// `<group>-keypool`, with the document and the exchange's parts.
    pub rendered_secret: SecretResource,
    /// `<group>-client`; none where the group has no generated key: one that is there and ours is then removed.
    pub client_secret: Option<SecretResource>,
    /// `<group>-keypool`, port 80.
    pub service: Service,
    /// `<group>-keypool`.
    pub deployment: Deployment,
}

/// A Secret that is never printed.
#[derive(Clone, PartialEq)]
pub struct SecretResource(pub Secret);

impl fmt::Debug for SecretResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.data.iter().flatten().map(|(key, _)| key).collect();
        f.debug_struct("SecretResource")
            .field("name", &self.0.metadata.name)
            .field("keys", &keys)
            .finish()
    }
}

/// Builds everything.
///
/// # Errors
/// The condition `Accepted`, False, when the document cannot be.
pub fn build(inputs: &Inputs<'_>) -> Result<Prepared, Check> {
    let group = inputs.group;
    let document = document::next(inputs).map_err(|error| refused(&error))?;
    Ok(Prepared {
        service_account: service_account::build(group),
        rendered_secret: rendered_secret::build(group, inputs.material, &document),
        client_secret: inputs
            .material
            .client_key
            .as_ref()
            .map(|key| client_secret::build(group, key, inputs.endpoint)),
        service: service::build(group),
        deployment: deployment::build(group, inputs.install),
        document,
    })
}

fn refused(error: &ConfigError) -> Check {
    match error.code {
        ConfigErrorCode::TooLarge => Check::no(
            Reason::ConfigTooLarge,
            "the configuration with all keys and certificates is larger than one Secret can carry; split the group, or give its providers fewer credentials.",
        ),
        code => Check::no(
            Reason::InvalidSpec,
            format!(
                "the proxies would refuse the configuration ({code:?} at {}).",
                error.path
            ),
        ),
    }
}

/// Metadata of a child. Labels and annotations of the group are never copied: a GitOps tool that tracks by label would take the child
/// for its own and prune it.
fn metadata(group: &ValidatedGroup, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(group.id.namespace.clone()),
        labels: Some(labels(&group.id.name)),
        owner_references: Some(vec![owner(&group.id)]),
        ..ObjectMeta::default()
    }
}

fn owner(group: &ObjectId) -> OwnerReference {
    OwnerReference {
        api_version: LoadBalanceGroup::api_version(&()).into_owned(),
        kind: LoadBalanceGroup::kind(&()).into_owned(),
        name: group.name.clone(),
        uid: group.uid.clone(),
        controller: Some(true),
        // Blocking would need a right on the finalizers of the group, and nothing here has to go first.
        block_owner_deletion: None,
    }
}

/// Labels of every child and of the pods.
pub fn labels(group: &str) -> BTreeMap<String, String> {
    let mut labels = selector(group);
    labels.insert("app.kubernetes.io/managed-by".into(), MANAGED_BY.into());
    labels.insert(GROUP_LABEL.into(), group.into());
    labels
}

/// Labels that select a group's pods. A Deployment's selector never changes.
pub fn selector(group: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".into(), "keypool-proxy".into()),
        ("app.kubernetes.io/instance".into(), group.into()),
    ])
}

/// The same as text, for the scale subresource.
pub fn selector_text(group: &str) -> String {
    let pairs: Vec<String> = selector(group)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn proxy_metadata(group: &ValidatedGroup) -> ObjectMeta {
    metadata(group, names::proxy(&group.id.name))
}

#[cfg(test)]
mod tests;
