//! `Available` and `MembersHealthy`.

use std::collections::BTreeMap;

use keypool_crds::v1alpha1::{KeyState, MemberReason, MemberState, MemberStatus, Reason};

use super::fleet::Fleet;
use crate::conditions::{Check, count, sentences};
use crate::controller::load_balance_group::{MemberProvider, ValidatedGroup};
use crate::controller::model_provider::ProviderHealth;
use crate::moment::Monotonic;

/// A ready pod, and at least one target that serves or comes back by itself.
pub(super) fn available(
    group: &ValidatedGroup,
    members: &[MemberStatus],
    fleet: &Fleet,
    scaled_to_zero: Option<&Check>,
    health: &BTreeMap<String, ProviderHealth>,
) -> Check {
    if let Err(none) = proxies(fleet, scaled_to_zero) {
        return none;
    }
    if !group
        .members
        .iter()
        .any(|member| member.weight > 0 && has_target(group, member, health))
    {
        let weighted = members
            .iter()
            .filter(|member| member.state != MemberState::Drained);
        let texts: Vec<String> = weighted.map(|member| sentence(group, member)).collect();
        let message = if texts.is_empty() {
            "every member has the weight 0; give one of members[] a weight of 1 or more.".to_owned()
        } else {
            sentences(&texts)
        };
        return Check::no(Reason::NoUsableTargets, message);
    }
    Check::yes(Reason::Available, "requests are served")
}

/// Whether a pod is ready.
///
/// # Errors
/// The condition, False, when none is.
pub(super) fn proxies(fleet: &Fleet, scaled_to_zero: Option<&Check>) -> Result<(), Check> {
    if let Some(scaled) = scaled_to_zero {
        return Err(scaled.clone());
    }
    if !fleet.counted().any(|pod| pod.ready) {
        return Err(Check::no(
            Reason::NoReadyProxies,
            "no proxy pod is ready; kubectl describe the group's Deployment and its pods to see why.",
        ));
    }
    Ok(())
}

fn has_target(
    group: &ValidatedGroup,
    member: &crate::controller::load_balance_group::ValidatedMember,
    health: &BTreeMap<String, ProviderHealth>,
) -> bool {
    let MemberProvider::Served(provider) = group.provider_of(member) else {
        return false;
    };
    let keys = health
        .get(&provider.id.uid)
        .into_iter()
        .flat_map(|health| &health.keys);
    keys.filter(|key| key.serves(&member.model))
        .map(|key| key.state_for(&member.model))
        .any(|state| state.usable() || state == KeyState::CoolingDown)
}

/// Whether no member waits for a person. An endpoint that is not reached may come back by itself: it is told by its provider's
/// `EndpointHealthy`, and here only in words.
pub(super) fn members_healthy(
    group: &ValidatedGroup,
    members: &[MemberStatus],
    fleet: &Fleet,
    now: Monotonic,
) -> Check {
    let (unreached, waiting): (Vec<&MemberStatus>, Vec<&MemberStatus>) = members
        .iter()
        .filter(|member| matches!(member.state, MemberState::Unusable | MemberState::Unresolved))
        .partition(|member| member.reason == MemberReason::EndpointUnhealthy);
    // That a provider is not there is known without any report.
    let unresolved = waiting
        .iter()
        .any(|member| member.state == MemberState::Unresolved);
    if fleet.reporting(now) == 0 && !fleet.settling(now) && !unresolved {
        return Check::unknown(Reason::NoReporters, "no proxy reports about the members");
    }
    let all = waiting.iter().chain(&unreached);
    let texts: Vec<String> = all.map(|member| sentence(group, member)).collect();
    if waiting.is_empty() {
        let message = if texts.is_empty() {
            format!("{} in order", count(members.len(), "member"))
        } else {
            sentences(&texts)
        };
        return Check::yes(Reason::AllMembersUsable, message);
    }
    let left = members.iter().any(|member| {
        matches!(
            member.state,
            MemberState::Healthy | MemberState::Degraded | MemberState::CoolingDown
        )
    });
    let reason = if left {
        Reason::SomeMembersUnusable
    } else {
        Reason::NoUsableMembers
    };
    Check::no(reason, sentences(&texts))
}

/// What is wrong with a member, where, remedy.
fn sentence(group: &ValidatedGroup, status: &MemberStatus) -> String {
    let name = &status.name;
    let member = group.members.iter().find(|member| member.name == *name);
    let provider = member.map_or("", |member| member.provider.as_str());
    match status.reason {
        MemberReason::ProviderNotFound => {
            format!(
                "{name}: ModelProvider {provider} does not exist; create it, or correct members[{name}].providerRef"
            )
        }
        MemberReason::ProviderNotAccepted => {
            format!("{name}: ModelProvider {provider} cannot be served; its conditions say what to change")
        }
        MemberReason::EndpointUnhealthy => {
            format!(
                "{name}: no proxy reaches ModelProvider {provider}; its condition EndpointHealthy says why"
            )
        }
        _ => format!(
            "{name}: no key of ModelProvider {provider} can serve; its condition KeysHealthy says what to mend"
        ),
    }
}
