//! From what was seen to the statuses that the objects should have.
//!
//! One look at an object costs no request: everything is in memory. A look is due when something woke it, and when something in
//! it changes by itself: the end of a cooldown, of a wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keypool_crds::v1alpha1::{LoadBalanceGroupStatus, ModelProviderStatus};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use super::context::{Context, GroupView, ProviderView};
use super::load_balance_group::{fleet, names, status as group_status};
use super::model_provider::health::{ProviderUse, Reporters, health};
use super::model_provider::{ProviderHealth, status as provider_status};
use crate::k8s::watch::Unreadable;
use crate::moment::{Moment, Monotonic};

/// A pod that has just begun to run may still not have been heard.
const SETTLING: Duration = Duration::from_secs(15);

/// The status that a provider should have, and when that changes by itself.
pub fn of_provider(
    context: &Context,
    view: &ProviderView,
    now: Moment,
) -> (ModelProviderStatus, Option<Monotonic>) {
    let mut resource = view.resource.as_ref().clone();
    let later = later(&context.stores.unreadable_providers, &resource.metadata);
    resource.status = context.views.provider_status(view);
    if let (None, Some(said)) = (later, &resource.status)
        && runs_ahead(said.observed_generation, &resource, &context.stores.providers)
    {
        return (said.clone(), None);
    }
    let (used, settled) = used(context, view, now.monotonic);
    let health = standing(context, view, &used, resource.status.as_ref(), now);
    let judged = match (&view.judged, &health) {
        (Ok(validated), Some(health)) => Ok((validated, health)),
        (Err(invalid), _) => Err(invalid),
        (Ok(_), None) => return (resource.status.unwrap_or_default(), None),
    };
    let observed = provider_status::Observed {
        provider: &resource,
        judged,
        used: &used,
        now,
    };
    let next = health.as_ref().and_then(|health| health.next_change);
    (
        provider_status::status_before(&observed, later),
        next.into_iter().chain(settled).min(),
    )
}

/// The status that a group should have, and when that changes by itself.
pub fn of_group(
    context: &Context,
    view: &GroupView,
    now: Moment,
) -> (LoadBalanceGroupStatus, Option<Monotonic>) {
    let mut resource = view.resource.as_ref().clone();
    let later = later(&context.stores.unreadable_groups, &resource.metadata);
    resource.status = context.views.group_status(view);
    if let (None, Some(said)) = (later, &resource.status)
        && runs_ahead(said.observed_generation, &resource, &context.stores.groups)
    {
        return (said.clone(), None);
    }
    let fleet = fleet::view(context, &resource);
    let health: BTreeMap<String, ProviderHealth> = match &view.judged {
        Ok(group) => group
            .valid_providers()
            .filter_map(|provider| {
                let view = context.views.provider(&provider.id)?;
                let (used, _) = used(context, &view, now.monotonic);
                let stored = context.views.provider_status(&view);
                let health = standing(context, &view, &used, stored.as_ref(), now)?;
                Some((provider.id.uid.clone(), health))
            })
            .collect(),
        Err(_) => BTreeMap::new(),
    };
    let endpoint = names::endpoint(&resource.namespace().unwrap_or_default(), &resource.name_any());
    let observed = group_status::Observed {
        group: &resource,
        judged: view.judged.as_ref().map(AsRef::as_ref),
        refused: view.refused.as_ref(),
        applied: view.applied.as_ref(),
        failure: view.failure.as_ref(),
        fleet: &fleet,
        health: &health,
        endpoint: &endpoint,
        now,
    };
    let settled = Some(context.leading_since + SETTLING).filter(|at| now.monotonic < *at);
    let next = group_status::next_change(&observed)
        .into_iter()
        .chain(settled)
        .min();
    (group_status::status_before(&observed, later), next)
}

/// The generation of an object's later edit, if it cannot be read. What cannot be read without an edit is our own status, of a newer
/// build: its spec is known.
fn later(unreadable: &Unreadable, read: &ObjectMeta) -> Option<i64> {
    let sealed = unreadable.get(read.namespace.as_deref()?, read.name.as_deref()?)?;
    let edited = Some(&sealed.uid) == read.uid.as_ref() && read.generation < Some(sealed.generation);
    edited.then_some(sealed.generation)
}

/// Whether a status speaks of a later generation than the last pass judged: of an edit that could not be read. Once the watch has told
/// of one that can be, its pass is to come, and nothing is said of what was before. A status that is ahead of the watch itself is from
/// elsewhere, a restored backup perhaps: it is set right.
fn runs_ahead<K>(said: Option<i64>, judged: &K, store: &Store<K>) -> bool
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let later = |generation: Option<i64>| generation > judged.meta().generation;
    let told = store.get(&ObjectRef::from_obj(judged));
    later(said)
        && told.is_some_and(|told| told.meta().uid == judged.meta().uid && later(told.meta().generation))
}

fn standing(
    context: &Context,
    view: &ProviderView,
    used: &ProviderUse,
    stored: Option<&ModelProviderStatus>,
    now: Moment,
) -> Option<ProviderHealth> {
    let validated = view.judged.as_ref().ok()?;
    Some(
        context
            .knowledge
            .ledger(|ledger| health(validated, used, ledger, stored, now)),
    )
}

/// Who uses a provider; and when a pod will count as silent that does not now.
fn used(context: &Context, view: &ProviderView, now: Monotonic) -> (ProviderUse, Option<Monotonic>) {
    let name = view.resource.name_any();
    let mut used = ProviderUse {
        groups: never_read_users(context, view),
        models: BTreeSet::new(),
        reporters: Reporters::default(),
    };
    let mut settled = Some(context.leading_since + SETTLING).filter(|at| now < *at);
    let mut silent: Option<Monotonic> = None;
    // The specs, not what the passes made of them: a new leader's first passes come one after the other.
    let namespace = view.resource.namespace();
    let groups = context.stores.groups.state().into_iter();
    for group in groups.filter(|group| group.namespace() == namespace) {
        let members = group
            .spec
            .members
            .iter()
            .filter(|member| member.provider_ref.name == name);
        let models: Vec<&String> = members.map(|member| &member.model).collect();
        if models.is_empty() {
            used.groups.remove(&group.name_any());
            continue;
        }
        used.models.extend(models.into_iter().cloned());
        used.groups.insert(group.name_any());
        let fleet = fleet::view(context, &group);
        used.reporters.ready += fleet.reporting(now);
        used.reporters.total += fleet.counted().count();
        let unheard = fleet
            .counted()
            .filter(|pod| pod.exchange.is_none())
            .map(|pod| pod.running_since + SETTLING);
        settled = settled.max(unheard.filter(|at| now < *at).max());
        let heard = fleet
            .counted()
            .filter_map(|pod| pod.exchange.as_ref())
            .map(|exchange| exchange.heard + SETTLING);
        silent = silent.into_iter().chain(heard.filter(|at| now < *at)).min();
    }
    used.reporters.settling = settled.is_some() && used.reporters.ready < used.reporters.total;
    (used, settled.into_iter().chain(silent).min())
}

/// The groups that used the provider when they were last read, by whatever leader, and that this one cannot read: nothing says that they
/// do no longer.
fn never_read_users(context: &Context, view: &ProviderView) -> BTreeSet<String> {
    let namespace = view.resource.namespace().unwrap_or_default();
    let said = context
        .views
        .provider_status(view)
        .and_then(|status| status.used_by);
    let sealed = |name: &String| context.stores.unreadable_groups.get(&namespace, name).is_some();
    let names = said.into_iter().flat_map(|used| used.groups);
    names.filter(sealed).collect()
}

#[cfg(test)]
mod tests;
