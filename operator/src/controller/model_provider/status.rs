//! What a provider's status says. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use keypool_crds::v1alpha1::shared::{MAX_KEY_MODELS, MAX_USED_BY, PAUSED};
use keypool_crds::v1alpha1::{
    ConditionType, KeyModelStatus, KeyStatus, ModelProvider, ModelProviderStatus, Reason, Reporting, UsedBy,
};

use super::{InvalidProvider, KeyHealth, ProviderHealth, ProviderUse, ValidatedProvider, wish};
use crate::conditions::{Check, Conditions};
use crate::moment::Moment;

mod checks;

/// What a status is made of.
#[derive(Clone, Copy)]
pub struct Observed<'a> {
    /// The object as read, with its stored status.
    pub provider: &'a ModelProvider,
    /// The validation and, where it holds, how the provider stands.
    pub judged: Result<(&'a ValidatedProvider, &'a ProviderHealth), &'a InvalidProvider>,
    /// Who uses it.
    pub used: &'a ProviderUse,
    /// Now.
    pub now: Moment,
}

/// The status that the object should have.
pub fn status(observed: &Observed<'_>) -> ModelProviderStatus {
    status_before(observed, None)
}

/// The status that the object should have if it was edited later, to that generation, in a way that this build cannot read.
pub fn status_before(observed: &Observed<'_>, later: Option<i64>) -> ModelProviderStatus {
    let mut status = match observed.judged {
        Ok((validated, health)) => served(observed, validated, health, later),
        Err(invalid) => refused(observed, invalid, later),
    };
    let groups = &observed.used.groups;
    status.used_by = Some(UsedBy {
        count: int(groups.len()),
        groups: groups.iter().take(MAX_USED_BY).cloned().collect(),
    });
    status.reporting = Some(reporting(observed));
    wish::remember(observed.provider, &mut status);
    status
}

fn served(
    observed: &Observed<'_>,
    provider: &ValidatedProvider,
    health: &ProviderHealth,
    later: Option<i64>,
) -> ModelProviderStatus {
    let old = old_conditions(observed);
    // What is said beyond `Accepted` and `Ready` speaks of what was read, and serves on.
    let read = provider.generation;
    let (generation, accepted) = match later {
        Some(later) => (later, Check::unsupported(later, Some(read))),
        None => (read, provider.accepted.clone()),
    };
    let refs = provider
        .resolved_refs
        .after(Check::stored(old, ConditionType::ResolvedRefs));
    let before = Check::stored(old, ConditionType::EndpointHealthy);
    let endpoint = checks::endpoint_healthy(provider, health.endpoint, observed.used, before);
    let keys = checks::keys_healthy(provider, health, observed.used);
    let ready = match later {
        Some(_) => accepted.clone(),
        None => checks::ready(provider, health, &refs, &keys),
    };
    let stalled = (!accepted.holds()).then(|| accepted.clone());
    let conditions = Conditions::new(old, generation, observed.now.wall)
        .put(ConditionType::Accepted, &accepted)
        .put_of(read, ConditionType::ResolvedRefs, &refs)
        .put_of(read, ConditionType::EndpointHealthy, &endpoint)
        .put_of(read, ConditionType::KeysHealthy, &keys)
        .put(ConditionType::Ready, &ready)
        .put_while_true(ConditionType::Stalled, stalled.map(checks::stalled).as_ref())
        .put_while_true(ConditionType::Paused, paused(observed).as_ref());
    ModelProviderStatus {
        observed_generation: Some(generation),
        conditions: conditions.finish(),
        key_summary: Some(health.summary()),
        keys: health.keys.iter().map(key_status).collect(),
        ..ModelProviderStatus::default()
    }
}

/// Nothing of the spec is served, so nothing is said of keys.
fn refused(observed: &Observed<'_>, invalid: &InvalidProvider, later: Option<i64>) -> ModelProviderStatus {
    let (generation, accepted) = match later {
        Some(later) => (later, Check::unsupported(later, None)),
        None => (invalid.generation, invalid.accepted.clone()),
    };
    let reason = accepted.reason;
    let not_judged = Check::unknown(reason, "not judged before the object is accepted");
    let conditions = Conditions::new(old_conditions(observed), generation, observed.now.wall)
        .put(ConditionType::Accepted, &accepted)
        .put(ConditionType::ResolvedRefs, &not_judged)
        .put(ConditionType::EndpointHealthy, &not_judged)
        .put(ConditionType::KeysHealthy, &not_judged)
        .put(ConditionType::Ready, &accepted)
        .put(ConditionType::Stalled, &checks::stalled(accepted))
        .put_while_true(ConditionType::Paused, paused(observed).as_ref());
    ModelProviderStatus {
        observed_generation: Some(generation),
        conditions: conditions.finish(),
        key_summary: Some(std::iter::empty().collect()),
        ..ModelProviderStatus::default()
    }
}

fn old_conditions<'a>(
    observed: &Observed<'a>,
) -> &'a [k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
    observed
        .provider
        .status
        .as_ref()
        .map_or(&[], |status| &status.conditions)
}

/// Too early to say: what stood is kept.
fn reporting(observed: &Observed<'_>) -> Reporting {
    let reporters = observed.used.reporters;
    let old = observed
        .provider
        .status
        .as_ref()
        .and_then(|status| status.reporting);
    match old {
        Some(old) if reporters.settling && old.total == int(reporters.total) => old,
        _ => Reporting {
            ready: int(reporters.ready),
            total: int(reporters.total),
        },
    }
}

fn paused(observed: &Observed<'_>) -> Option<Check> {
    let annotations = observed.provider.metadata.annotations.as_ref()?;
    (annotations.get(PAUSED)? == "true").then(|| {
        Check::yes(
            Reason::Paused,
            format!(
                "the annotation {PAUSED} holds what is written for an object, and for a ModelProvider nothing is: its keys and edits stay in use. To hold them, annotate the LoadBalanceGroups that use it."
            ),
        )
    })
}

fn key_status(key: &KeyHealth) -> KeyStatus {
    let more = key.models.len().saturating_sub(MAX_KEY_MODELS);
    KeyStatus {
        name: key.name.clone(),
        state: key.state,
        reason: key.reason,
        since: Some(Time(key.since)),
        until: key.until.map(Time),
        fingerprint: key.fingerprint.clone(),
        quota_group: key.quota_group.clone(),
        models: key
            .models
            .iter()
            .take(MAX_KEY_MODELS)
            .map(|model| KeyModelStatus {
                name: model.name.clone(),
                state: model.state,
                reason: model.reason,
                until: model.until.map(Time),
            })
            .collect(),
        more_models: (more > 0).then(|| int(more)),
    }
}

fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
