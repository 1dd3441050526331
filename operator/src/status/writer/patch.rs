//! One write of one status.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::core::DeserializeGuard;
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
    // The answer holds the whole object, of which an edit that this build cannot read is no failure of the write.
    let api: Api<DeserializeGuard<K>> = Api::namespaced(client, &id.namespace);
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use keypool_crds::v1alpha1::{ModelProvider, ModelProviderStatus};
    use kube::client::Body;

    use super::*;
    use crate::fixtures::{NAMESPACE, OPENAI, provider};

    #[tokio::test]
    async fn the_status_of_an_object_that_cannot_be_read_is_written_all_the_same() {
        let service = tower::service_fn(|_: Request<Body>| async {
            let newer = serde_json::json!({
                "apiVersion": "keypool.dev/v1alpha1", "kind": "ModelProvider",
                "metadata": {"name": "openai", "namespace": NAMESPACE}, "spec": {"type": "Newer"},
            });
            let answer = Body::from(newer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::new(answer))
        });
        let id = ObjectId::of(&provider("openai", OPENAI));
        let status = ModelProviderStatus::default();
        let written = patch::<ModelProvider, _>(Client::new(service, "keypool"), &id, &status).await;
        assert!(written.unwrap());
    }
}
