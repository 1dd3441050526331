//! What a group's status says. Pure, and only from what was applied: what was merely intended proves nothing.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keypool_crds::v1alpha1::shared::{PAUSED, RECONCILE_REQUESTED_AT};
use keypool_crds::v1alpha1::{
    ConditionType, ConfigError, ConfigStatus, KeySummary, LoadBalanceGroup, LoadBalanceGroupStatus,
    MemberSummary, Reason,
};

use super::build::selector_text;
use super::{InvalidGroup, ValidatedGroup};
use crate::conditions::{Check, Conditions};
use crate::controller::model_provider::ProviderHealth;
use crate::controller::model_provider::wish::handled;
use crate::moment::{Moment, Monotonic};

mod applied;
mod available;
mod failure;
mod fleet;
mod members;
mod programmed;
mod refused;
mod scale;

use programmed::Rollout;

pub use applied::{Applied, Conflict, Desired};
pub use failure::Failure;
pub use fleet::{Fleet, PodExchange, PodView, SILENT_AFTER};
pub use members::member_states;

/// What a status is made of.
#[derive(Clone, Copy)]
pub struct Observed<'a> {
    /// The object as read, with its stored status.
    pub group: &'a LoadBalanceGroup,
    /// The validation.
    pub judged: Result<&'a ValidatedGroup, &'a InvalidGroup>,
    /// Why the build was refused, when it was: [`super::build::build`]'s error.
    pub refused: Option<&'a Check>,
    /// What was written last for this group; none before the first time.
    pub applied: Option<&'a Applied>,
    /// What could not be written at the last pass.
    pub failure: Option<&'a Failure>,
    /// The pods.
    pub fleet: &'a Fleet,
    /// How the providers stand, by UID.
    pub health: &'a BTreeMap<String, ProviderHealth>,
    /// The group's root URL for clients.
    pub endpoint: &'a str,
    /// Now.
    pub now: Moment,
}

/// The status that the object should have.
pub fn status(observed: &Observed<'_>) -> LoadBalanceGroupStatus {
    status_before(observed, None)
}

/// The status that the object should have if it was edited later, to that generation, in a way that this build cannot read.
pub fn status_before(observed: &Observed<'_>, later: Option<i64>) -> LoadBalanceGroupStatus {
    let old = observed.group.status.as_ref();
    let mut status = match observed.judged {
        Ok(validated) => served(observed, validated, later),
        Err(invalid) => refused::refused(observed, invalid, later),
    };
    status.endpoint = Some(observed.endpoint.to_owned());
    status.replicas = Some(int(observed
        .fleet
        .pods
        .iter()
        .filter(|pod| !pod.terminating)
        .count()));
    status.ready_replicas = Some(int(observed.fleet.counted().filter(|pod| pod.ready).count()));
    status.selector = Some(selector_text(
        observed.group.metadata.name.as_deref().unwrap_or_default(),
    ));
    status.config = match observed.applied {
        Some(applied) => Some(config(observed, applied)),
        None => old.and_then(|old| old.config.clone()),
    };
    status.last_handled_reconcile_at = if stays(observed) {
        old.and_then(|old| old.last_handled_reconcile_at.clone())
    } else {
        handled(
            observed.group.metadata.annotations.as_ref(),
            RECONCILE_REQUESTED_AT,
        )
    };
    status
}

/// While the group is held, or cannot be served as it is written, or the last pass failed, not every child is written: a request is for
/// the pass that writes them.
fn stays(observed: &Observed<'_>) -> bool {
    let unserved = observed.judged.is_err() || observed.refused.is_some();
    paused(observed).is_some() || unserved || observed.failure.is_some()
}

/// When the status changes by itself: the end of a wait.
pub fn next_change(observed: &Observed<'_>) -> Option<Monotonic> {
    let now = observed.now.monotonic;
    let scaled = scale::scaled_to_zero(observed);
    let waits = programmed::waits(&rollout(observed, scaled.as_ref()));
    let health = observed.health.values().filter_map(|health| health.next_change);
    waits.into_iter().chain(health).filter(|at| now < *at).min()
}

fn served(observed: &Observed<'_>, group: &ValidatedGroup, later: Option<i64>) -> LoadBalanceGroupStatus {
    let old = old_conditions(observed);
    let stored = |kind| Check::stored(old, kind);
    let members = member_states(group, observed.health);
    let accepted = later.map_or_else(|| accepted(observed, group), |later| unsupported(observed, later));
    let refs = group.resolved_refs.after(stored(ConditionType::ResolvedRefs));
    let scaled = scale::scaled_to_zero(observed);
    let rollout = rollout(observed, scaled.as_ref());
    // What was said of another spec is no word about this one.
    let before = Check::stored_of(old, ConditionType::Programmed, group.generation);
    let programmed = programmed::programmed(&rollout, before);
    let available = available::available(group, &members, observed.fleet, scaled.as_ref(), observed.health);
    let members_healthy = available::members_healthy(group, &members, observed.fleet, observed.now.monotonic);
    let progress = programmed::progress(&rollout);
    let ready = ready(
        &accepted,
        &available,
        &programmed,
        progress,
        stored(ConditionType::Ready),
    );
    let stalled = (!accepted.holds()).then(|| accepted.clone());
    let reconciling = (accepted.holds() && progress == programmed::Progress::Pending).then(|| {
        Check::yes(
            Reason::Progressing,
            "the proxies are taking over the current spec",
        )
    });
    // What is said beyond `Accepted` and `Ready` speaks of what was read, and serves on.
    let read = group.generation;
    let generation = later.unwrap_or(read);
    let conditions = Conditions::new(old, generation, observed.now.wall)
        .put(ConditionType::Accepted, &accepted)
        .put_of(read, ConditionType::ResolvedRefs, &refs)
        .put_of(read, ConditionType::Programmed, &programmed)
        .put_of(read, ConditionType::Available, &available)
        .put_of(read, ConditionType::MembersHealthy, &members_healthy)
        .put(ConditionType::Ready, &ready)
        .put_while_true(ConditionType::Reconciling, reconciling.as_ref())
        .put_while_true(
            ConditionType::Stalled,
            stalled
                .map(|check| Check::yes(check.reason, check.message))
                .as_ref(),
        )
        .put_while_true(ConditionType::Paused, paused(observed).as_ref());
    LoadBalanceGroupStatus {
        observed_generation: Some(generation),
        conditions: conditions.finish(),
        key_summary: Some(key_summary(group, observed.health)),
        member_summary: Some(MemberSummary {
            display: format!(
                "{}/{}",
                members.iter().filter(|m| members::serves(m.state)).count(),
                members.len()
            ),
        }),
        members,
        ..LoadBalanceGroupStatus::default()
    }
}

fn rollout<'a>(observed: &Observed<'a>, scaled_to_zero: Option<&'a Check>) -> Rollout<'a> {
    Rollout {
        generation: observed.group.metadata.generation.unwrap_or_default(),
        applied: observed.applied,
        failure: observed.failure,
        paused: paused(observed).is_some(),
        scaled_to_zero,
        fleet: observed.fleet,
        stored: old_config(observed),
        now: observed.now.monotonic,
    }
}

fn not_yet() -> Check {
    Check::unknown(Reason::Pending, "nothing has been written for this group yet")
}

fn unsupported(observed: &Observed<'_>, generation: i64) -> Check {
    let serving = observed.applied.map(|applied| applied.desired.spec_generation);
    Check::unsupported(generation, serving)
}

fn accepted(observed: &Observed<'_>, group: &ValidatedGroup) -> Check {
    if let Some(conflict) = observed.applied.and_then(|applied| applied.conflicts.first()) {
        return Check::no(
            Reason::NameConflict,
            format!(
                "{} {} exists and does not belong to this group; delete it, or give the group another name. The rest keeps serving.",
                conflict.kind, conflict.name
            ),
        );
    }
    if let Some(failure) = observed.failure.filter(|failure| failure.spec_is_refused()) {
        return Check::no(Reason::InvalidSpec, failure.sentence());
    }
    match observed.refused {
        Some(check) => keeping(observed, check),
        None => group.accepted.clone(),
    }
}

/// Why a spec is not accepted, and that what was written before serves on, if anything was.
fn keeping(observed: &Observed<'_>, check: &Check) -> Check {
    let mut told = check.clone();
    if observed.applied.is_some() {
        told.message.push_str(" The last configuration keeps serving.");
    }
    told
}

/// Accepted, available, and every counted pod runs the current spec. A spec on its way does not unset it at once.
fn ready(
    accepted: &Check,
    available: &Check,
    programmed: &Check,
    progress: programmed::Progress,
    before: Option<Check>,
) -> Check {
    if !accepted.holds() || !available.holds() {
        let cause = if accepted.holds() { available } else { accepted };
        return Check::no(cause.reason, cause.message.clone());
    }
    match progress {
        programmed::Progress::Done => Check::yes(Reason::Ready, available.message.clone()),
        programmed::Progress::Pending if before.as_ref().is_some_and(Check::holds) => {
            Check::yes(Reason::Ready, available.message.clone())
        }
        programmed::Progress::Pending | programmed::Progress::Late => {
            Check::no(programmed.reason, programmed.message.clone())
        }
    }
}

fn paused(observed: &Observed<'_>) -> Option<Check> {
    let annotations = observed.group.metadata.annotations.as_ref()?;
    (annotations.get(PAUSED)? == "true").then(|| {
        Check::yes(
            Reason::Paused,
            format!("the annotation {PAUSED} holds this object: no child is written; remove it to go on."),
        )
    })
}

/// Distinct credentials of all members.
fn key_summary(group: &ValidatedGroup, health: &BTreeMap<String, ProviderHealth>) -> KeySummary {
    let used = group
        .valid_providers()
        .filter_map(|provider| health.get(&provider.id.uid));
    used.flat_map(|health| health.keys.iter().map(|key| key.state))
        .collect()
}

fn config(observed: &Observed<'_>, applied: &Applied) -> ConfigStatus {
    let last_error = programmed::rejections(applied, observed.fleet)
        .next()
        .map(|(_, error)| ConfigError {
            code: format!("{:?}", error.code),
            path: error.path.chars().take(512).collect(),
        });
    let now = observed.now.monotonic;
    ConfigStatus {
        revision: i64::try_from(applied.desired.stamp.generation).unwrap_or(i64::MAX),
        hash: applied.desired.hash.0.clone(),
        applied_replicas: int(
            programmed::acknowledged(applied, observed.fleet, old_config(observed), now).count(),
        ),
        last_error,
    }
}

fn old_conditions<'a>(observed: &Observed<'a>) -> &'a [Condition] {
    observed
        .group
        .status
        .as_ref()
        .map_or(&[], |status| &status.conditions)
}

fn old_config<'a>(observed: &Observed<'a>) -> Option<&'a ConfigStatus> {
    observed
        .group
        .status
        .as_ref()
        .and_then(|status| status.config.as_ref())
}

fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
