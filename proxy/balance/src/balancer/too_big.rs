//! A request that is larger than what a key may send in a minute. Waiting never helps, and nothing is wrong with the key: a key with a
//! higher limit may serve it. Which one has that nobody tells, so one other limit is asked, and then the next priority: a backup is
//! often another vendor or a larger plan.

use super::Place;
use crate::attempts::Attempts;
use crate::group::Group;
use crate::ids::LaneId;
use crate::member_set::MemberSet;
use crate::provider::Provider;

/// Limits that are asked before the next priority is.
const ASKED: usize = 2;

/// Notes that the request was too big here: whoever shares that limit need not be asked.
pub(super) fn note(attempts: &mut Attempts, provider: &Provider, place: Place, lane: LaneId) {
    attempts.too_big.push(lane);
    let mates = provider
        .credentials
        .iter()
        .filter(|held| held.quota == place.quota);
    let keys = mates.filter_map(|held| provider.keys.get(held.key));
    attempts.same_limit.extend(keys.map(|key| (lane, key.id)));
}

/// The members that may still be asked.
pub(super) fn left(
    wanted: MemberSet,
    attempts: &Attempts,
    group: &Group,
    providers: &[Provider],
) -> MemberSet {
    if attempts.too_big.len() < ASKED {
        return wanted;
    }
    let refused = |member: usize| {
        let member = group.members.get(member);
        member
            .and_then(|member| providers.get(member.provider)?.lanes.get(member.lane))
            .is_some_and(|lane| attempts.too_big.contains(&lane.id))
    };
    let last = group.tiers.iter().rposition(|tier| tier.iter().any(refused));
    let passed = group.tiers.iter().take(last.map_or(0, |last| last + 1));
    passed.fold(wanted, |left, tier| left.without(*tier))
}
