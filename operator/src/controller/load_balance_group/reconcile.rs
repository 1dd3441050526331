//! One pass over a group: read, judge, build, write, and tell the fleet what it should run.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::status::Failure;
use super::validate::{self, Providers};
use super::{InvalidGroup, ValidatedGroup};
use crate::controller::context::{Context, GroupView, Subject};
use crate::controller::error::ReconcileError;
use crate::controller::model_provider::reconcile::{look, never_read};
use crate::controller::model_provider::validate::Surroundings;
use crate::install::ObjectId;
use crate::moment::Monotonic;
use crate::reference::{self, MISSING_GRACE};

mod serve;
mod stored;

use stored::Stored;

/// One pass.
///
/// # Errors
/// When an object could not be read or written. What was written before stands.
pub async fn reconcile(
    context: &Context,
    group: Arc<LoadBalanceGroup>,
) -> Result<Option<Monotonic>, ReconcileError> {
    let id = ObjectId::of(group.as_ref());
    let judged = judge(context, &group).await?;
    let before = context.views.group(&id);
    let touched = touched(before.as_ref().map(|view| view.resource.as_ref()), &group);
    let (applied, failure) = before.map_or((None, None), |view| (view.applied, view.failure));
    let mut view = GroupView {
        resource: Arc::clone(&group),
        judged: judged.map(Arc::new),
        refused: None,
        applied,
        failure: None,
    };
    let outcome = match view.judged.clone() {
        Ok(validated) => serve::serve(context, &validated, &mut view).await,
        Err(_) => stand_by(context, &group, &mut view).await,
    };
    let now = context.clock.now().monotonic;
    if let Err(ReconcileError::Apply(error)) = &outcome {
        view.failure = Failure::of(error, failure.map_or(now, |failure| failure.since));
    }
    let again = look_again_at(&view, now);
    context.views.put_group(view);
    for provider in touched {
        context.wakes.survey(Subject::Provider(provider));
    }
    context
        .wakes
        .survey(Subject::Group(ObjectRef::from_obj(group.as_ref())));
    outcome.map(|()| again)
}

/// The providers that this group began or ceased to use, or uses for other models: their statuses tell who uses them.
fn touched(before: Option<&LoadBalanceGroup>, now: &LoadBalanceGroup) -> HashSet<ObjectRef<ModelProvider>> {
    let uses = |group: &LoadBalanceGroup| -> BTreeSet<(String, String)> {
        let members = group.spec.members.iter();
        members
            .map(|member| (member.provider_ref.name.clone(), member.model.clone()))
            .collect()
    };
    let namespace = now.namespace().unwrap_or_default();
    let (before, now) = (before.map(uses).unwrap_or_default(), uses(now));
    let differing = before.symmetric_difference(&now);
    differing
        .map(|(provider, _)| ObjectRef::new(provider).within(&namespace))
        .collect()
}

/// Names that were taken tell nobody when they become free: such a child carries no label of ours.
const TAKEN: Duration = Duration::from_secs(15);

/// When the next pass is due without any event: the end of a grace, or a name that may have become free.
fn look_again_at(view: &GroupView, now: Monotonic) -> Option<Monotonic> {
    let validated = view.judged.as_ref().ok()?;
    let graces = validated
        .valid_providers()
        .filter_map(|provider| provider.validate_again_at());
    let away = (!validated.client_access.away.is_empty()).then(|| now + MISSING_GRACE);
    let conflicts = view
        .applied
        .as_ref()
        .is_some_and(|applied| !applied.conflicts.is_empty());
    let taken = conflicts.then(|| now + TAKEN);
    graces.filter(|at| now < *at).chain(away).chain(taken).min()
}

/// A group that cannot be served as it is written keeps its last document: its pods still report, and learn from each other.
async fn stand_by(
    context: &Context,
    group: &LoadBalanceGroup,
    view: &mut GroupView,
) -> Result<(), ReconcileError> {
    let id = ObjectId::of(group);
    let stored = Stored::read(context, &id).await?;
    stored.take_over(context, view);
    stored.keep_exchanging(context, group);
    Ok(())
}

async fn judge(
    context: &Context,
    group: &Arc<LoadBalanceGroup>,
) -> Result<Result<ValidatedGroup, InvalidGroup>, ReconcileError> {
    let namespace = group.namespace().unwrap_or_default();
    let mut providers = Providers::default();
    for name in group.spec.members.iter().map(|member| &member.provider_ref.name) {
        // In this order: one that can be read again is a copy before it ceases to be sealed.
        let sealed = context.stores.unreadable_providers.get(&namespace, name);
        let found = ObjectRef::new(name).within(&namespace);
        let Some(provider) = context.stores.providers.get(&found) else {
            if sealed.is_some() {
                never_read::take_over(context, &namespace, name).await?;
                providers.unreadable.insert(name.clone());
            }
            continue;
        };
        // The provider's own pass has usually judged this very spec; if not, a document without its keys must not be written.
        let seen = context.views.provider(&ObjectId::of(provider.as_ref()));
        let judged = match seen.filter(|view| view.is_of(&provider)) {
            Some(view) => view.judged,
            None => look(context, &provider).await?,
        };
        providers.judged.insert(name.clone(), judged);
    }
    let now = context.clock.now();
    let fetched = context
        .reader
        .fetch(reference::of_group(group), now.monotonic)
        .await?;
    let identity = context.identity.for_namespace(&namespace);
    let around = Surroundings {
        fetched: &fetched,
        install: &context.install,
        identity: &identity,
        now,
    };
    Ok(validate::validate(group, providers, &around))
}

#[cfg(test)]
mod tests;
