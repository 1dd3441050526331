//! *Last usable target*: when nothing at all is usable, a rest without a vendor's hint may be tried 5 s after the last refusal. A rule of the
//! choice, not of the state: the rest goes on, and a failed early trial prolongs it.

use super::pick::{Choice, Look};
use crate::attempts::Attempts;
use crate::gate::Gate;
use crate::group::Group;
use crate::member_set::MemberSet;
use crate::provider::{Provider, rests_on_the_way};
use crate::random::Random;
use crate::rest::Phase;
use crate::time::Time;

/// The rest that ends first among those that may be tried before their time.
pub(super) fn last_usable(
    group: &Group,
    providers: &[Provider],
    wanted: MemberSet,
    attempts: &Attempts,
    random: &mut Random,
    now: Time,
) -> Option<Choice> {
    let look = Look {
        attempts,
        avoid_failed: false,
        repeat: false,
        trials: true,
    };
    let mut best: Option<((Time, u64), Choice)> = None;
    for member in wanted.and(group.active).iter() {
        let Some(held) = group.members.get(member) else {
            continue;
        };
        let Some(provider) = providers.get(held.provider) else {
            continue;
        };
        let Some(lane) = provider.lanes.get(held.lane) else {
            continue;
        };
        if provider.breaker_gate(held.lane) == Gate::Block {
            continue;
        }
        for (candidate, place) in lane.candidates.iter().enumerate() {
            let barred = provider
                .keys
                .get(place.key)
                .is_none_or(|key| look.bars(lane.id, key.id));
            let quota = provider
                .credentials
                .get(place.credential)
                .map_or(usize::MAX, |held| held.quota);
            let early = early_until(provider, place.key, quota, held.lane, now);
            if let (false, Some(until)) = (barred, early) {
                let rank = (until, random.next());
                if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                    best = Some((rank, Choice { member, candidate }));
                }
            }
        }
    }
    best.map(|(_, choice)| choice)
}

/// When a target's rests end, if each of them may be tried now.
fn early_until(provider: &Provider, key: usize, quota: usize, lane: usize, now: Time) -> Option<Time> {
    let mut latest = Time::ZERO;
    for rest in rests_on_the_way(key, quota, lane)
        .into_iter()
        .filter_map(|at| provider.rest(at))
    {
        match rest.phase() {
            Phase::Resting { until, .. } if rest.allows_early_trial(now) => latest = latest.max(until),
            _ if rest.gate() != Gate::Block => {}
            _ => return None,
        }
    }
    Some(latest)
}
