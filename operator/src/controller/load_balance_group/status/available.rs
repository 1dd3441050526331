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
    fleet: &Fleet,
    health: &BTreeMap<String, ProviderHealth>,
) -> Check {
    if fleet.wanted == 0 {
        return Check::no(
            Reason::ScaledToZero,
            "proxy.replicas is 0; set it to 1 or more to serve.",
        );
    }
    let ready = fleet.counted().filter(|pod| pod.ready).count();
    if ready == 0 {
        return Check::no(
            Reason::NoReadyProxies,
            "no proxy pod is ready; kubectl describe the group's Deployment and its pods to see why.",
        );
    }
    if !group
        .members
        .iter()
        .any(|member| member.weight > 0 && has_target(group, member, health))
    {
        return Check::no(
            Reason::NoUsableTargets,
            "no member has a key that can serve; the members' reasons in this status and the conditions of their ModelProviders say what to mend.",
        );
    }
    Check::yes(Reason::Available, "requests are served")
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

/// Whether no member waits for a person.
pub(super) fn members_healthy(members: &[MemberStatus], fleet: &Fleet, now: Monotonic) -> Check {
    let waiting: Vec<&MemberStatus> = members
        .iter()
        .filter(|member| matches!(member.state, MemberState::Unusable | MemberState::Unresolved))
        .collect();
    // That a provider is not there is known without any report.
    let unresolved = waiting
        .iter()
        .any(|member| member.state == MemberState::Unresolved);
    if fleet.reporting(now) == 0 && !fleet.settling(now) && !unresolved {
        return Check::unknown(Reason::NoReporters, "no proxy reports about the members");
    }
    if waiting.is_empty() {
        return Check::yes(
            Reason::AllMembersUsable,
            format!("{} in order", count(members.len(), "member")),
        );
    }
    let texts: Vec<String> = waiting.iter().map(|member| sentence(member)).collect();
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

fn sentence(member: &MemberStatus) -> String {
    let name = &member.name;
    match member.reason {
        MemberReason::ProviderNotFound => {
            format!(
                "{name}: its ModelProvider does not exist; create it, or correct members[{name}].providerRef"
            )
        }
        MemberReason::ProviderNotAccepted => {
            format!("{name}: its ModelProvider cannot be served; its conditions say what to change")
        }
        MemberReason::EndpointUnhealthy => {
            format!(
                "{name}: no proxy reaches its provider; the condition EndpointHealthy of the ModelProvider says why"
            )
        }
        _ => format!(
            "{name}: no key can serve; the condition KeysHealthy of its ModelProvider says what to mend"
        ),
    }
}
