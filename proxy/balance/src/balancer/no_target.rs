//! Why nothing can serve: each credential of the eligible members under its mildest cause.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Balancer, Request};
use crate::attempts::Attempts;
use crate::gate::Gate;
use crate::no_target::NoTarget;
use crate::provider::{BreakerAt, Provider, rests_on_the_way};
use crate::rest::{Kind, Phase, Rest};
use crate::time::Time;

/// When a trial that is under way may be decided: for the answer's `Retry-After` only.
const TRIAL_TAKES: Duration = Duration::from_secs(1);

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
    /// When a request may be served at the earliest, were it sent again; none when waiting cannot help.
    pub fn earliest(&mut self, request: Request, attempts: &Attempts, now: Time) -> Option<Time> {
        self.advance(now);
        self.no_target(request, attempts, now).earliest
    }

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
            let mut serves = vec![false; provider.credentials.len()];
            let candidates = provider
                .lanes
                .get(member.lane)
                .map_or(&[][..], |lane| &lane.candidates);
            for candidate in candidates {
                serves[candidate.credential] = config.weight > 0;
            }
            for (credential, serves) in serves.into_iter().enumerate() {
                let (cause, back) = if !serves {
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
    lane: usize,
    attempts: &Attempts,
    now: Time,
) -> (Cause, Option<Time>) {
    let Some(place) = provider.credentials.get(credential) else {
        return (Cause::Disabled, None);
    };
    let mut heaviest = None;
    let mut back = now;
    for rest in rests_on_the_way(place.key, place.quota, lane)
        .into_iter()
        .filter_map(|at| provider.rest(at))
    {
        let Some((cause, end)) = rest_cause(rest, now) else {
            continue;
        };
        if cause == Cause::Invalid {
            return (cause, None);
        }
        heaviest = heaviest.max(Some(cause));
        back = back.max(end);
    }
    let id = provider
        .lanes
        .get(lane)
        .map(|lane| lane.id)
        .zip(provider.keys.get(place.key).map(|key| key.id));
    let mut tried = id.is_some_and(|id| attempts.too_big.contains(&id.0));
    let of_this = attempts.tried.iter();
    for attempt in of_this.filter(|tried| Some((tried.lane, tried.key)) == id) {
        tried = true;
        back = back.max(attempt.back.unwrap_or(now));
    }
    let broken = [BreakerAt::Endpoint, BreakerAt::Lane(lane)]
        .into_iter()
        .filter_map(|at| provider.breaker(at))
        .filter(|breaker| breaker.gate() == Gate::Block);
    for breaker in broken {
        let (cause, end) = match breaker.open_until() {
            Some(until) => (Cause::ProviderDown, until),
            None => (Cause::OnTrial, trial_end(breaker.deadline(), now)),
        };
        // A key's own trouble is told before its provider's.
        heaviest = heaviest.or(Some(cause));
        back = back.max(end);
    }
    (
        heaviest.unwrap_or(if tried { Cause::Tried } else { Cause::OnTrial }),
        Some(back),
    )
}

fn rest_cause(rest: &Rest, now: Time) -> Option<(Cause, Time)> {
    if rest.gate() != Gate::Block {
        return None;
    }
    let (until, early) = match rest.phase() {
        Phase::Resting { until, early } => (until, early),
        phase => return Some((Cause::OnTrial, trial_end(phase.deadline(), now))),
    };
    let cause = match rest.kind() {
        Some(Kind::Invalid) => Cause::Invalid,
        Some(Kind::Credit) => Cause::Exhausted,
        Some(Kind::RateLimited) => Cause::RateLimited,
        Some(Kind::Refused) | None => Cause::Refused,
    };
    let end = match early {
        Some(lease) => trial_end(Some(lease.until.min(until)), now),
        None => rest.early_trial_at(now).unwrap_or(until),
    };
    Some((cause, end))
}

/// A trial tells something long before its lease ends, as a rule.
fn trial_end(lease: Option<Time>, now: Time) -> Time {
    let soon = now.after(TRIAL_TAKES);
    lease.map_or(soon, |lease| lease.min(soon))
}
