//! One pass over a provider: read what it refers to, judge it, and wake whom it concerns.

use std::sync::Arc;

use keypool_crds::v1alpha1::ModelProvider;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::validate::{self, Surroundings};
use super::{InvalidProvider, ValidatedProvider, wish};
use crate::controller::context::{Context, ProviderView, Subject};
use crate::controller::error::ReconcileError;
use crate::controller::watches::groups_of;
use crate::install::ObjectId;
use crate::moment::Monotonic;
use crate::reference;

pub mod never_read;

/// One pass. The groups that use the provider are woken every time: their pass costs little when nothing changed. Returns when
/// the next pass is due because a grace ends.
///
/// # Errors
/// When a referenced object could not be read: then nothing is decided.
pub async fn reconcile(
    context: &Context,
    provider: Arc<ModelProvider>,
) -> Result<Option<Monotonic>, ReconcileError> {
    let judged = look(context, &provider).await?;
    let namespace = provider.namespace().unwrap_or_default();
    for group in groups_of(&context.stores, &namespace, &provider.name_any()) {
        context.wakes.group(group);
    }
    context
        .wakes
        .survey(Subject::Provider(ObjectRef::from_obj(provider.as_ref())));
    Ok(judged.ok().and_then(|validated| validated.validate_again_at()))
}

/// Judges a provider anew and remembers the judgement.
///
/// # Errors
/// As [`reconcile`].
pub async fn look(
    context: &Context,
    provider: &Arc<ModelProvider>,
) -> Result<Result<ValidatedProvider, InvalidProvider>, ReconcileError> {
    let now = context.clock.now();
    let fetched = context
        .reader
        .fetch(reference::of_provider(provider), now.monotonic)
        .await?;
    let identity = context
        .identity
        .for_namespace(&provider.namespace().unwrap_or_default());
    let around = Surroundings {
        fetched: &fetched,
        install: &context.install,
        identity: &identity,
        now,
    };
    let judged = validate::validate(provider, &around);
    remember(context, provider, judged.clone(), now.monotonic);
    Ok(judged)
}

/// The first time that this leader sees a provider, it takes over what the stored status knows.
fn remember(
    context: &Context,
    provider: &Arc<ModelProvider>,
    judged: Result<ValidatedProvider, InvalidProvider>,
    looked: Monotonic,
) {
    let id = ObjectId::of(provider.as_ref());
    let before = context.views.provider(&id);
    if before.is_none()
        && let (Ok(validated), Some(status)) = (&judged, &provider.status)
    {
        // A value that is away for a moment has the name that the status knows.
        let stored = |name: &str, fingerprint: &str| {
            let mut keys = status.keys.iter().filter(|key| key.name == name);
            keys.any(|key| key.fingerprint.as_deref() == Some(fingerprint))
        };
        let current = |fingerprint: &str| {
            validated
                .credentials
                .iter()
                .any(|credential| match credential.value.refusal() {
                    Some(refusal) => refusal.grace_until().is_some() && stored(&credential.name, fingerprint),
                    None => credential.value.fingerprint() == Some(fingerprint),
                })
        };
        let now = context.clock.now();
        context
            .knowledge
            .amend(|ledger| ledger.seed(&id.uid, &status.keys, current, now));
    }
    // The status soon says that a wish was handled; pods that start to listen later must hear it all the same.
    let heard = before.and_then(|view| view.wish);
    let wish = wish::clear_cooldown(provider);
    if let Some(new) = wish.as_ref().filter(|wish| heard.as_ref() != Some(wish)) {
        let stored = provider.status.as_ref().map_or(&[][..], |status| &status.keys);
        let credentials = judged
            .as_ref()
            .map_or(&[][..], |validated| &validated.credentials);
        context
            .knowledge
            .amend(|ledger| wish::act(new, stored, credentials, ledger, looked));
    }
    let wish = wish.or(heard);
    context.views.put_provider(ProviderView {
        resource: Arc::clone(provider),
        judged,
        wish,
        looked,
    });
}

#[cfg(test)]
mod tests;
