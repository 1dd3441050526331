//! One write of one status.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::install::ObjectId;

/// Owns the fields of statuses; another name than that of children, or one write would drop what the other owns.
const FIELD_MANAGER: &str = "keypool-status";

/// Writes the status of `id`; false when that object is gone.
pub(super) async fn patch<K, S>(client: Client, id: &ObjectId, status: &S) -> Result<bool, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    S: Serialize,
{
    // With its UID: an object that was deleted and made anew gets no status of the old one.
    let patch = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": id.name, "uid": id.uid},
        "status": status,
    });
    let api: Api<K> = Api::namespaced(client, &id.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&id.name, &params, &Patch::Apply(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(refusal)) if refusal.code == 404 || refusal.code == 409 => {
            tracing::debug!(
                object = id.name,
                code = refusal.code,
                "the object of a status is gone"
            );
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
