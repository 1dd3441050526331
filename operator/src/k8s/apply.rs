//! Writes children: created when missing, applied when ours, never adopted.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hasher};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ownership::{Owner, Ownership, ownership};
use crate::install::ObjectId;

mod error;

pub use error::ApplyError;

/// Owns the fields of children; one name for one call site, or two writers revert each other.
pub const FIELD_MANAGER: &str = "keypool-operator";

/// What the last write of a child left behind: while both ends are unchanged there is nothing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Written {
    owner: String,
    uid: Option<String>,
    version: Option<String>,
    desired: u64,
}

/// Writes children, and remembers what it wrote, so that a quiet cluster stays quiet.
pub struct Children {
    client: Client,
    written: Mutex<HashMap<(&'static str, String, String), Written>>,
}

impl Children {
    /// A writer that remembers nothing yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            written: Mutex::default(),
        }
    }

    /// Brings one child to the desired state. Where what is desired was made from what was read, `read_version` is the
    /// resourceVersion of that reading: a later one fails the write.
    ///
    /// # Errors
    /// [`ApplyError`]; a conflict or a leftover leaves the existing object untouched.
    pub async fn bring<K>(
        &self,
        owner: Owner<'_>,
        mut desired: K,
        read_version: Option<String>,
    ) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + k8s_openapi::Resource
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let (name, namespace) = (desired.name_any(), desired.namespace().unwrap_or_default());
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let failed = |operation| {
            let name = name.clone();
            move |error: kube::Error| ApplyError::request(K::KIND, name, operation, &error)
        };
        let digest = digest(&desired);
        let existing = api.get_metadata_opt(&name).await.map_err(failed("read"))?;
        let place = (K::KIND, namespace, name.clone());
        let now = match existing {
            None => {
                let params = PostParams {
                    field_manager: Some(FIELD_MANAGER.into()),
                    ..PostParams::default()
                };
                api.create(&params, &desired).await.map_err(failed("created"))?
            }
            Some(existing) => {
                match ownership(&existing, owner) {
                    Ownership::Ours => {}
                    Ownership::Foreign => return Err(ApplyError::NameConflict { kind: K::KIND, name }),
                    Ownership::Leftover => return Err(ApplyError::Leftover { kind: K::KIND, name }),
                }
                if self.written.lock().get(&place) == Some(&Written::of(owner, &existing, digest)) {
                    return Ok(());
                }
                let mut read_version = read_version;
                if let Some(entries) = as_applied(&existing) {
                    let meta = serde_json::json!({
                        "managedFields": entries,
                        "uid": existing.uid(),
                        "resourceVersion": read_version.clone().or_else(|| existing.resource_version()),
                    });
                    let patch = Patch::Merge(serde_json::json!({ "metadata": meta }));
                    let patched = api.patch_metadata(&name, &PatchParams::default(), &patch).await;
                    let patched = patched.map_err(failed("applied"))?;
                    read_version = read_version.and(patched.resource_version());
                }
                // With the UID that was checked, an object that was replaced meanwhile is refused and not adopted.
                desired.meta_mut().uid = existing.uid();
                desired.meta_mut().resource_version = read_version;
                let params = PatchParams::apply(FIELD_MANAGER).force();
                api.patch(&name, &params, &Patch::Apply(&desired))
                    .await
                    .map_err(failed("applied"))?
            }
        };
        self.written
            .lock()
            .insert(place, Written::of(owner, &now, digest));
        Ok(())
    }

    /// Removes a child that is no longer wanted, if it is the owner's.
    ///
    /// # Errors
    /// [`ApplyError::Request`].
    pub async fn remove<K>(&self, owner: Owner<'_>, namespace: &str, name: &str) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + k8s_openapi::Resource
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let failed = |operation| {
            move |error: kube::Error| ApplyError::request(K::KIND, name.to_owned(), operation, &error)
        };
        let Some(existing) = api.get_metadata_opt(name).await.map_err(failed("read"))? else {
            return Ok(());
        };
        if ownership(&existing, owner) != Ownership::Ours {
            return Ok(());
        }
        let checked = Preconditions {
            uid: existing.uid(),
            resource_version: None,
        };
        let params = DeleteParams {
            preconditions: Some(checked),
            ..DeleteParams::default()
        };
        match api.delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failed("deleted")(error)),
        }
    }

    /// Forgets what was written in a group's name: the next pass writes everything.
    pub fn forget(&self, owner: &ObjectId) {
        self.written
            .lock()
            .retain(|_, written| written.owner != owner.uid);
    }
}

impl Written {
    /// Objects whose status changes all the time have a generation, that of their spec; beside it only labels are ours. The others
    /// change only when somebody writes them.
    fn of(owner: Owner<'_>, object: &impl Resource, desired: u64) -> Self {
        let meta = object.meta();
        let version = match meta.generation {
            Some(generation) => Some(format!("{generation} {:?}", meta.labels)),
            None => meta.resource_version.clone(),
        };
        Self {
            owner: owner.uid.to_owned(),
            uid: meta.uid.clone(),
            version,
            desired,
        }
    }
}

/// The owners of a child's fields with ours as one that applies: what we only created, we would never remove. A POST makes its
/// author an owner by `Update`, whose fields outlive their removal from what is applied. None when there is nothing to mend.
fn as_applied(existing: &impl Resource) -> Option<Vec<ManagedFieldsEntry>> {
    let mut entries = existing.meta().managed_fields.clone()?;
    let is = |entry: &ManagedFieldsEntry, operation| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some(operation)
            && entry.subresource.is_none()
    };
    if entries.iter().any(|entry| is(entry, "Apply")) {
        return None;
    }
    entries.iter_mut().find(|entry| is(entry, "Update"))?.operation = Some("Apply".into());
    Some(entries)
}

/// A hash within this process: what is compared was made by the same build.
fn digest(desired: &impl Serialize) -> u64 {
    let bytes = Zeroizing::new(serde_json::to_vec(desired).unwrap_or_default());
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Secret;

    fn entry(manager: &str, operation: &str) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.into()),
            operation: Some(operation.into()),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn what_we_created_we_own_as_if_we_had_applied_it() {
        let mended = |entries: Vec<ManagedFieldsEntry>| {
            let mut secret = Secret::default();
            secret.metadata.managed_fields = Some(entries);
            as_applied(&secret)
        };
        let (ours, others) = (entry(FIELD_MANAGER, "Update"), entry("kubectl", "Update"));
        let applied = entry(FIELD_MANAGER, "Apply");
        assert_eq!(
            mended(vec![others.clone(), ours.clone()]),
            Some(vec![others.clone(), applied.clone()])
        );
        assert_eq!(mended(vec![applied, ours.clone()]), None);
        assert_eq!(mended(vec![others]), None);
        let of_status = ManagedFieldsEntry {
            subresource: Some("status".into()),
            ..ours
        };
        assert_eq!(mended(vec![of_status]), None);
        assert_eq!(as_applied(&Secret::default()), None);
    }
}
