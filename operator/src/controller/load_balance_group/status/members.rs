//! The state of every member.

use std::collections::BTreeMap;

use keypool_contract::verdict::EndpointState;
use keypool_crds::v1alpha1::{KeyState, MemberReason, MemberState, MemberStatus};

use crate::controller::load_balance_group::{MemberProvider, ValidatedGroup, ValidatedMember};
use crate::controller::model_provider::ProviderHealth;

/// Every member's state, in the order of the spec. `health` is by provider UID.
pub fn member_states(group: &ValidatedGroup, health: &BTreeMap<String, ProviderHealth>) -> Vec<MemberStatus> {
    group
        .members
        .iter()
        .map(|member| member_state(group, member, health))
        .collect()
}

/// Whether requests go to a member in this state.
pub(super) fn serves(state: MemberState) -> bool {
    matches!(state, MemberState::Healthy | MemberState::Degraded)
}

fn member_state(
    group: &ValidatedGroup,
    member: &ValidatedMember,
    health: &BTreeMap<String, ProviderHealth>,
) -> MemberStatus {
    let empty = |state, reason| status(member, state, reason, 0, 0);
    let provider = match group.provider_of(member) {
        MemberProvider::Served(provider) => provider,
        MemberProvider::NotFound => return empty(MemberState::Unresolved, MemberReason::ProviderNotFound),
        MemberProvider::NotAccepted(_) | MemberProvider::NoAuthorities(_) => {
            return empty(MemberState::Unresolved, MemberReason::ProviderNotAccepted);
        }
    };
    let health = health.get(&provider.id.uid);
    let keys: Vec<KeyState> = health
        .into_iter()
        .flat_map(|health| &health.keys)
        .filter(|key| key.serves(&member.model))
        .map(|key| key.state_for(&member.model))
        .collect();
    let usable = keys.iter().filter(|state| state.usable()).count();
    let (state, reason) = if member.weight == 0 {
        (MemberState::Drained, MemberReason::Drained)
    } else if unreached(health) {
        (MemberState::Unusable, MemberReason::EndpointUnhealthy)
    } else {
        judge(&keys, usable)
    };
    status(member, state, reason, usable, keys.len())
}

/// An endpoint that sheds load is reached.
fn unreached(health: Option<&ProviderHealth>) -> bool {
    matches!(
        health.and_then(|health| health.endpoint),
        Some(EndpointState::Refused | EndpointState::DnsFailed | EndpointState::TlsInvalid)
    )
}

fn judge(keys: &[KeyState], usable: usize) -> (MemberState, MemberReason) {
    let cooling = keys
        .iter()
        .filter(|state| **state == KeyState::CoolingDown)
        .count();
    match (usable, cooling) {
        (0, 0) => (MemberState::Unusable, MemberReason::NoUsableKeys),
        (0, _) => (MemberState::CoolingDown, MemberReason::AllKeysCooling),
        _ if usable == keys.len() => (MemberState::Healthy, MemberReason::AllKeysUsable),
        _ if usable + cooling == keys.len() => (MemberState::Degraded, MemberReason::SomeKeysCooling),
        _ => (MemberState::Degraded, MemberReason::SomeKeysUnusable),
    }
}

fn status(
    member: &ValidatedMember,
    state: MemberState,
    reason: MemberReason,
    usable: usize,
    total: usize,
) -> MemberStatus {
    MemberStatus {
        name: member.name.clone(),
        state,
        usable_keys: super::int(usable),
        total_keys: super::int(total),
        reason,
    }
}
