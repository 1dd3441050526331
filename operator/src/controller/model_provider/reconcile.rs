//! One pass over a provider: read what it refers to, judge it, and wake whom it concerns.

use std::sync::Arc;

use keypool_crds::v1alpha1::ModelProvider;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::validate::{self, Surroundings};
use super::{InvalidProvider, ValidatedProvider};
use crate::controller::context::{Context, ProviderView};
use crate::controller::error::ReconcileError;
use crate::controller::watches::groups_of;
use crate::install::ObjectId;
use crate::reference;

/// Judges a provider anew.
///
/// # Errors
/// When a referenced object could not be read: then nothing is decided.
pub async fn judge(
    context: &Context,
    provider: &ModelProvider,
) -> Result<Result<ValidatedProvider, InvalidProvider>, ReconcileError> {
    let now = context.clock.now();
    let fetched = context.reader.fetch(reference::of_provider(provider), now.monotonic).await?;
    let identity = context.identity.for_namespace(&provider.namespace().unwrap_or_default());
    let around = Surroundings { fetched: &fetched, install: &context.install, identity: &identity, now };
    Ok(validate::validate(provider, &around))
}

/// One pass. Groups that use the provider are woken every time: their pass costs little when nothing changed.
///
/// # Errors
/// As [`judge`].
pub async fn reconcile(context: &Context, provider: Arc<ModelProvider>) -> Result<(), ReconcileError> {
    let judged = judge(context, &provider).await?;
    remember(context, &provider, judged);
    for group in groups_of(&context.stores, &provider) {
        context.wakes.group(group);
    }
    context.wakes.status_of_provider(ObjectRef::from_obj(provider.as_ref()));
    Ok(())
}

/// Stores the judgement. The first time that this leader sees the provider, it takes over what the stored status knows.
pub fn remember(
    context: &Context,
    provider: &Arc<ModelProvider>,
    judged: Result<ValidatedProvider, InvalidProvider>,
) {
    let id = ObjectId::of(provider.as_ref());
    if context.views.provider(&id).is_none()
        && let (Ok(validated), Some(status)) = (&judged, &provider.status)
    {
        let current = |fingerprint: &str| {
            validated.credentials.iter().any(|credential| credential.value.fingerprint() == Some(fingerprint))
        };
        let now = context.clock.now();
        context.knowledge.amend(|ledger| ledger.seed(&id.uid, &status.keys, current, now));
    }
    context.views.put_provider(ProviderView { resource: Arc::clone(provider), judged });
}
