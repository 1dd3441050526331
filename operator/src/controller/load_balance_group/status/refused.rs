//! The status of a group that cannot be served as it is written.

use keypool_crds::v1alpha1::{ConditionType, LoadBalanceGroupStatus, Reason};

use super::super::InvalidGroup;
use super::programmed::{self, Rollout};
use super::{Observed, available, keeping, old_conditions, paused, rollout, scale, unsupported};
use crate::conditions::{Check, Conditions};

/// What was programmed before keeps serving, and what is said of that speaks of its
/// generation.
pub(super) fn refused(
    observed: &Observed<'_>,
    invalid: &InvalidGroup,
    later: Option<i64>,
) -> LoadBalanceGroupStatus {
    let (generation, accepted) = match later {
        Some(later) => (later, unsupported(observed, later)),
        None => (invalid.generation, keeping(observed, &invalid.accepted)),
    };
    let old = old_conditions(observed);
    let not_judged = Check::unknown(accepted.reason, "not judged before the object is accepted");
    let serving = observed.applied.map(|applied| applied.desired.spec_generation);
    let mut conditions = Conditions::new(old, generation, observed.now.wall)
        .put(ConditionType::Accepted, &accepted)
        .keep(ConditionType::ResolvedRefs, &not_judged);
    let scaled = scale::scaled_to_zero(observed);
    conditions = match serving {
        Some(written) => {
            let rollout = Rollout {
                generation: written,
                ..rollout(observed, scaled.as_ref())
            };
            let before = Check::stored_of(old, ConditionType::Programmed, written);
            let programmed = programmed::programmed(&rollout, before);
            conditions.put_of(written, ConditionType::Programmed, &programmed)
        }
        None => conditions.keep(ConditionType::Programmed, &not_judged),
    };
    let targets = |check: &Check| matches!(check.reason, Reason::Available | Reason::NoUsableTargets);
    let known = Check::stored(old, ConditionType::Available).is_some_and(|check| targets(&check));
    conditions = match (available::proxies(observed.fleet, scaled.as_ref()), serving) {
        (Err(none), Some(written)) => conditions.put_of(written, ConditionType::Available, &none),
        _ if known => conditions.keep(ConditionType::Available, &not_judged),
        _ => conditions.put(ConditionType::Available, &not_judged),
    };
    conditions = conditions.keep(ConditionType::MembersHealthy, &not_judged);
    let stalled = Check::yes(accepted.reason, accepted.message.clone());
    let conditions = conditions
        .put(ConditionType::Ready, &accepted)
        .put(ConditionType::Stalled, &stalled)
        .put_while_true(ConditionType::Paused, paused(observed).as_ref());
    let before = observed.group.status.clone().unwrap_or_default();
    LoadBalanceGroupStatus {
        observed_generation: Some(generation),
        conditions: conditions.finish(),
        key_summary: before.key_summary,
        members: before.members,
        member_summary: before.member_summary,
        ..LoadBalanceGroupStatus::default()
    }
}
