//! What the stored status knows of a provider that this build cannot read and has never read.
//!
//! Its pods serve on, and what they are told replaces all that they were told before: a new leader that knew nothing of the provider
//! would take back the verdicts of others. The status alone is read, and of it every key that can be.

use keypool_crds::v1alpha1::{KeyStatus, ModelProvider};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, ResourceExt};
use serde::Deserialize;

use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::k8s::apply::ApplyError;

/// Takes it over. Doing so again changes nothing: nobody writes that status meanwhile, and what pods have refuted since does not come
/// back.
///
/// # Errors
/// When the object could not be read: nothing must be told to the pods of a group that uses it.
pub async fn take_over(context: &Context, namespace: &str, name: &str) -> Result<(), ReconcileError> {
    let kind = ApiResource::erase::<ModelProvider>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.clients.request.clone(), namespace, &kind);
    // A list of one: the operator has no right to get an object of its kinds, because its watches list them.
    let only = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api.list(&only).await;
    let found =
        found.map_err(|error| ApplyError::request("ModelProvider", name.to_owned(), "read", &error))?;
    let now = context.clock.now();
    for provider in found {
        let keys = keys(&provider);
        // Which values it has now is not known either. A pod is told only of those in its own document.
        let uid = provider.uid().unwrap_or_default();
        context
            .knowledge
            .amend(|ledger| ledger.seed(&uid, &keys, |_| true, now));
    }
    Ok(())
}

fn keys(provider: &DynamicObject) -> Vec<KeyStatus> {
    let keys = provider
        .data
        .pointer("/status/keys")
        .and_then(|keys| keys.as_array());
    keys.into_iter()
        .flatten()
        .filter_map(|key| KeyStatus::deserialize(key).ok())
        .collect()
}
