//! Why nothing can serve: each credential of the eligible members under its mildest cause.

use std::collections::BTreeMap;

use super::{Balancer, Request};
use crate::attempts::Attempts;
use crate::gate::Gate;
use crate::no_target::NoTarget;
use crate::provider::{Provider, rests_on_the_way};
use crate::rest::{Kind, Phase};
use crate::time::Time;

/// What keeps a credential from serving, the mildest first: a credential that several members use counts once.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Cause {
    Tried,
    OnTrial,
    RateLimited,
    Refused,
    ProviderDown,
    Exhausted,
    Invalid,
    Disabled,
}

impl Balancer {
    pub(super) fn no_target(&self, request: Request, attempts: &Attempts, now: Time) -> NoTarget {
        let mut causes: BTreeMap<(usize, usize), Cause> = BTreeMap::new();
        let mut earliest: Option<Time> = None;
        let group = self.groups.get(request.group);
        let named = group
            .iter()
            .flat_map(|group| group.members.iter().zip(&group.config.members).enumerate());
        for (_, (member, config)) in named.filter(|(index, _)| request.members.has(*index)) {
            let Some(provider) = self.providers.get(member.provider) else {
                continue;
            };
            for credential in 0..provider.credentials.len() {
                let (cause, back) = if config.weight == 0 {
                    (Cause::Disabled, None)
                } else {
                    cause(provider, credential, member.lane, attempts, now)
                };
                earliest = match (earliest, back) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                causes
                    .entry((member.provider, credential))
                    .and_modify(|known| *known = cause.min(*known))
                    .or_insert(cause);
            }
        }
        let count = |wanted: Cause| causes.values().filter(|cause| **cause == wanted).count() as u32;
        NoTarget {
            total: causes.len() as u32,
            rate_limited: count(Cause::RateLimited),
            refused: count(Cause::Refused),
            exhausted: count(Cause::Exhausted),
            invalid: count(Cause::Invalid),
            disabled: count(Cause::Disabled),
            provider_down: count(Cause::ProviderDown),
            on_trial: count(Cause::OnTrial),
            tried: count(Cause::Tried),
            earliest,
        }
    }
}

/// The cause, and when it may end by itself.
fn cause(
    provider: &Provider,
    credential: usize,
    lane_index: usize,
    attempts: &Attempts,
    now: Time,
) -> (Cause, Option<Time>) {
    let Some(lane) = provider.lanes.get(lane_index) else {
        return (Cause::Disabled, None);
    };
    let Some(place) = provider.credentials.get(credential) else {
        return (Cause::Disabled, None);
    };
    if !lane
        .candidates
        .iter()
        .any(|candidate| candidate.credential == credential)
    {
        return (Cause::Disabled, None);
    }
    let (mut heaviest, mut back) = (None, now);
    for rest in rests_on_the_way(place.key, place.quota, lane_index)
        .into_iter()
        .filter_map(|at| provider.rest(at))
    {
        if rest.gate() != Gate::Block {
            continue;
        }
        let (cause, end) = match (rest.phase(), rest.kind()) {
            (Phase::Resting { .. }, Some(Kind::Invalid)) => return (Cause::Invalid, None),
            (Phase::Resting { until, .. }, kind) => {
                let cause = match kind {
                    Some(Kind::Credit) => Cause::Exhausted,
                    Some(Kind::RateLimited) => Cause::RateLimited,
                    _ => Cause::Refused,
                };
                (cause, rest.early_trial_at(now).unwrap_or(until))
            }
            (phase, _) => (Cause::OnTrial, phase.deadline().unwrap_or(now)),
        };
        heaviest = heaviest.max(Some(cause));
        back = back.max(end);
    }
    if let Some(cause) = heaviest {
        return (cause, Some(back.max(breaker_back(provider, lane_index, now))));
    }
    if provider.breaker_gate(lane_index) == Gate::Block {
        return (Cause::ProviderDown, Some(breaker_back(provider, lane_index, now)));
    }
    let id = provider.keys.get(place.key).map(|key| key.id);
    if attempts
        .tried
        .iter()
        .any(|tried| tried.lane == lane.id && Some(tried.key) == id)
    {
        return (Cause::Tried, Some(now));
    }
    (Cause::OnTrial, Some(now))
}

fn breaker_back(provider: &Provider, lane: usize, now: Time) -> Time {
    let of_lane = provider.lanes.get(lane).and_then(|lane| lane.breaker.deadline());
    [provider.breaker.deadline(), of_lane]
        .into_iter()
        .flatten()
        .fold(now, Time::max)
}
